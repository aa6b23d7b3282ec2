import { randomBytes } from "node:crypto";

/** What of a component nobody has seen before; the rest is like another one's. */
export type Unseen = "all" | "all but the engine";

interface Section {
  readonly id: number;
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

const preambleBytes = 8;
const coreModuleId = 1;
const componentId = 4;

/**
 * The component with a mark in a core module, which makes that module and the component like no other, and as large as is wanted: what is
 * missing is a section that means nothing. Of a component of JavaScript the largest module is the engine, the next one holds what the
 * function is; two functions differ in that alone.
 */
export function unseenComponent(component: Buffer, bytes: number, unseen: Unseen): Buffer {
  const whole = marked(component, unseen);
  return Buffer.concat([whole, customSection(Math.max(16, bytes - whole.length))]);
}

/** Toolchains wrap what they link in a component of its own. */
function marked(component: Buffer, unseen: Unseen): Buffer {
  const [first, second] = sectionsOf(component)
    .filter(({ id }) => id === coreModuleId || id === componentId)
    .sort((a, b) => b.end - b.start - (a.end - a.start));
  const place = first?.id === componentId || unseen === "all" ? first : second;
  if (place === undefined) throw new Error("the component has too few core modules");
  const content = component.subarray(place.contentStart, place.end);
  const fresh = place.id === componentId ? marked(content, unseen) : Buffer.concat([content, customSection(16)]);
  return Buffer.concat([component.subarray(0, place.start), section(place.id, fresh), component.subarray(place.end)]);
}

function sectionsOf(component: Buffer): readonly Section[] {
  const sections: Section[] = [];
  for (let start = preambleBytes; start < component.length;) {
    let [length, contentStart] = [0, start + 1];
    for (let shift = 0; ; shift += 7) {
      const byte = component[contentStart++] ?? 0;
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    sections.push({ id: component[start] ?? 0, start, contentStart, end: contentStart + length });
    start = contentStart + length;
  }
  return sections;
}

/** Component model, "Binary", as in core modules: a section of id 0 means nothing. */
const customSection = (bytes: number): Buffer =>
  section(0, Buffer.concat([Buffer.from([5]), Buffer.from("bench"), randomBytes(bytes)]));

function section(id: number, content: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = content.length; ; rest >>>= 7) {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([id, ...length]), content]);
}
