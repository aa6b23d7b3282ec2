import { camelCase, type CoreType } from "../../abi/codec.ts";
import type { TypeIndex } from "../../link/value-type.ts";
import type { Layouts } from "./layout.fixture.ts";

/** A core value of a function: the name of its parameter, and its type. */
interface Flat {
  readonly text: string;
  readonly type: CoreType;
}

export const flatType = (type: CoreType): string => (type === "i64" ? "bigint" : "number");
export const typeOfResource = (name: string): string => `${camelCase(name)}Type`;
const more = (texts: readonly string[]): string => texts.map((text) => `, ${text}`).join("");
const view = "guest.context.view";

/**
 * Writes how values of WASI's types are read from core values and from memory, and written there. Each type of several parts gets
 * a function of its own, so that what V8 learns of it is learned of it alone.
 */
export class ValueSource {
  readonly #layouts: Layouts;
  /** By name: functions and tables that were asked for. */
  readonly #parts = new Map<string, string>();
  readonly helpers = new Set<string>();

  constructor(layouts: Layouts) {
    this.#layouts = layouts;
  }

  /** All that was asked for. */
  text(): string {
    return [...this.#parts]
      .toSorted(([one], [other]) => number(one) - number(other))
      .map(([, text]) => text)
      .join("\n");
  }

  /** An expression for the value that lies in core values. */
  lift(index: TypeIndex, flat: readonly Flat[]): string {
    const type = this.#layouts.type(index);
    const [one = { text: "", type: "i32" }, two] = flat;
    // WASI has no values of other kinds; one that comes is refused.
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check
    switch (type.kind) {
      case "bool":
        return `${one.text} !== 0`;
      case "u8":
        return `${one.text} & 0xff`;
      case "u16":
        return `${one.text} & 0xffff`;
      case "u32":
        return `${one.text} >>> 0`;
      case "s32":
        return `${one.text} | 0`;
      case "u64":
        return `BigInt.asUintN(64, ${one.text})`;
      case "s64":
        return `BigInt.asIntN(64, ${one.text})`;
      case "string":
        return `${this.#helper("readString")}(guest.context, ${one.text} >>> 0, ${two?.text} >>> 0)`;
      case "list":
        if (this.#isOctets(index)) {
          return `${this.#helper("readOctets")}(guest.context, ${one.text} >>> 0, ${two?.text} >>> 0)`;
        }
        return `${this.#listReader(index)}(guest, ${one.text} >>> 0, ${two?.text} >>> 0${this.#resources(index)})`;
      case "own":
      case "borrow":
        return `guest.${type.kind}<any>(${one.text}, ${typeOfResource(this.#layouts.resource(type.resource))})`;
      case "stream":
      case "future":
        return `guest.${type.kind}(${one.text}, ${this.#layouts.transferName(index)})`;
      case "enum":
        return `(${this.#cases(index)}.name(guest.context, ${one.text} >>> 0) as any)`;
      case "flags":
        return `${this.#flags(index)}(${one.text})`;
      case "record":
      case "tuple":
        return this.#liftParts(index, flat);
      case "variant":
      case "option":
      case "result":
        return `${this.#lifter(index)}(guest${more(flat.map(({ text }) => text))}${this.#resources(index)})`;
      default:
        throw new TypeError(`a ${type.kind} is not lifted`);
    }
  }

  #liftParts(index: TypeIndex, flat: readonly Flat[]): string {
    let at = 0;
    return this.#whole(index, (part) => {
      const { length } = this.#layouts.of(part).flat;
      at += length;
      return this.lift(part, flat.slice(at - length, at));
    });
  }

  /** A record or a tuple. */
  #whole(index: TypeIndex, part: (type: TypeIndex, offset: number) => string): string {
    const parts = this.#layouts.parts(index).map((one) => ({ key: one.key, text: part(one.type, one.offset) }));
    return this.#layouts.type(index).kind === "tuple"
      ? `[${parts.map(({ text }) => text).join(", ")}]`
      : `{ ${parts.map(({ key, text }) => `${key.slice(1)}: ${text}`).join(", ")} }`;
  }

  /** An expression for the value that lies at `pointer`. */
  load(index: TypeIndex, pointer: string): string {
    const type = this.#layouts.type(index);
    // WASI has no values of other kinds; one that comes is refused.
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check
    switch (type.kind) {
      case "bool":
        return `${view}.getUint8(${pointer}) !== 0`;
      case "u8":
        return `${view}.getUint8(${pointer})`;
      case "u16":
        return `${view}.getUint16(${pointer}, true)`;
      case "u32":
        return `${view}.getUint32(${pointer}, true)`;
      case "u64":
        return `${view}.getBigUint64(${pointer}, true)`;
      case "string":
      case "list":
      case "own":
      case "borrow":
      case "stream":
      case "future": {
        const flat = this.#layouts.of(index).flat.map((wire, at): Flat => {
          return { text: `${view}.getUint32(${plus(pointer, 4 * at)}, true)`, type: wire };
        });
        return this.lift(index, flat).replaceAll(", true) >>> 0", ", true)");
      }
      case "s64":
        return `${view}.getBigInt64(${pointer}, true)`;
      case "flags":
        return `${this.#flags(index)}(${view}.getUint${8 * this.#layouts.of(index).size}(${pointer}${this.#layouts.of(index).size === 1 ? "" : ", true"}))`;
      case "enum":
        return `(${this.#cases(index)}.name(guest.context, ${view}.getUint8(${pointer})) as any)`;
      case "record":
      case "tuple":
        return this.#whole(index, (part, offset) => this.load(part, plus(pointer, offset)));
      case "variant":
      case "option":
      case "result":
        return `${this.#loader(index)}(guest, ${pointer}${this.#resources(index)})`;
      default:
        throw new TypeError(`a ${type.kind} is not loaded`);
    }
  }

  /** A statement that writes `value` to `pointer`. */
  store(index: TypeIndex, value: string, pointer: string): string {
    const type = this.#layouts.type(index);
    // WASI has no values of other kinds; one that comes is refused.
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check
    switch (type.kind) {
      case "bool":
        return `${view}.setUint8(${pointer}, ${value} ? 1 : 0);`;
      case "u8":
        return `${view}.setUint8(${pointer}, ${value});`;
      case "u16":
        return `${view}.setUint16(${pointer}, ${value}, true);`;
      case "u32":
        return `${view}.setUint32(${pointer}, ${value}, true);`;
      case "s32":
        return `${view}.setInt32(${pointer}, ${value}, true);`;
      case "u64":
        return `${view}.setBigUint64(${pointer}, ${value}, true);`;
      case "s64":
        return `${view}.setBigInt64(${pointer}, ${value}, true);`;
      case "string":
        return `${this.#helper("storeString")}(guest.context, ${value}, ${pointer});`;
      case "own":
      case "stream":
      case "future":
        return this.#storeHandle(index, value, pointer);
      case "enum":
      case "flags":
        return `${view}.setUint${8 * this.#layouts.of(index).size}(${pointer}, ${this.lower(index, value)}${this.#layouts.of(index).size === 1 ? "" : ", true"});`;
      case "list":
        if (this.#isOctets(index)) return `${this.#helper("storeOctets")}(guest.context, ${value}, ${pointer});`;
        return `${this.#listWriter(index)}(guest, ${value}, ${pointer}${this.#resources(index)});`;
      case "record":
      case "tuple":
      case "variant":
      case "option":
      case "result":
        return `${this.#storer(index)}(guest, ${value}, ${pointer}${this.#resources(index)});`;
      default:
        throw new TypeError(`a ${type.kind} is not stored`);
    }
  }

  /** An expression for a value that is one core value. */
  lower(index: TypeIndex, value: string): string {
    const type = this.#layouts.type(index);
    // WASI has no values of other kinds; one that comes is refused.
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check
    switch (type.kind) {
      case "bool":
        return `${value} ? 1 : 0`;
      case "u8":
        return `${value} & 0xff`;
      case "u16":
        return `${value} & 0xffff`;
      case "u32":
      case "s32":
        return `${value} | 0`;
      case "u64":
      case "s64":
        return `BigInt.asIntN(64, ${value})`;
      case "own":
        return `guest.handle(${value}, ${typeOfResource(this.#layouts.resource(type.resource))})`;
      case "stream":
      case "future":
        return `guest.${type.kind}Handle(${value}, ${this.#layouts.transferName(index)})`;
      case "enum":
        return `${this.#cases(index)}.index(${value})`;
      case "flags":
        return `${this.#bits(index)}(${value})`;
      case "result":
        return `${value}.tag === "ok" ? 0 : 1`;
      default:
        throw new TypeError(`a ${type.kind} is not lowered to one core value`);
    }
  }

  #storeHandle(index: TypeIndex, value: string, pointer: string): string {
    return `${view}.setUint32(${pointer}, ${this.lower(index, value)}, true);`;
  }

  #lifter(index: TypeIndex): string {
    return this.#part(`lift${index}`, (name) => {
      const [, ...joined] = this.#layouts.of(index).flat;
      const params = joined.map((type, at) => `p${at + 1}: ${flatType(type)}`);
      return this.#switch(index, `function ${name}(guest: CallingGuest, tag: number${more(params)}`, {
        tag: "tag >>> 0",
        payload: (type) =>
          this.lift(
            type,
            this.#layouts.of(type).flat.map((wire, at): Flat => narrowed(`p${at + 1}`, joined[at], wire)),
          ),
      });
    });
  }

  #loader(index: TypeIndex): string {
    return this.#part(`load${index}`, (name) =>
      this.#switch(index, `function ${name}(guest: CallingGuest, pointer: number`, {
        tag: `${view}.getUint8(pointer)`,
        payload: (type) => this.load(type, plus("pointer", this.#layouts.payloadOffset(index))),
      }),
    );
  }

  #switch(
    index: TypeIndex,
    head: string,
    { tag, payload }: { readonly tag: string; readonly payload: (type: TypeIndex) => string },
  ): string {
    const cases = this.#layouts.cases(index);
    const { kind } = this.#layouts.type(index);
    const value = (name: string, type: TypeIndex | undefined): string => {
      const inner = type === undefined ? "undefined" : payload(type);
      if (kind === "option") return inner;
      return type === undefined && kind === "variant"
        ? `{ tag: ${JSON.stringify(name)} }`
        : `{ tag: ${JSON.stringify(name)}, val: ${inner} }`;
    };
    return [
      `${head}${this.#resourceParams(index)}): any {`,
      `  const index = ${tag};`,
      "  switch (index) {",
      ...cases.map(({ name, type }, at) => `    case ${at}:\n      return ${value(name, type)};`),
      `    default:\n      return ${this.#helper("noCase")}(guest.context, index, ${cases.length});`,
      "  }\n}\n",
    ].join("\n");
  }

  #storer(index: TypeIndex): string {
    return this.#part(`store${index}`, (name) => {
      const { kind } = this.#layouts.type(index);
      const body =
        kind === "record" || kind === "tuple"
          ? this.#layouts
              .parts(index)
              .map(({ key, type, offset }) => this.store(type, `value${key}`, plus("pointer", offset)))
          : this.#storeCases(index, kind);
      const head = `function ${name}(guest: CallingGuest, value: any, pointer: number${this.#resourceParams(index)}): void {`;
      return [head, ...body.map((line) => `  ${line}`), "}\n"].join("\n");
    });
  }

  #storeCases(index: TypeIndex, kind: string): readonly string[] {
    const offset = this.#layouts.payloadOffset(index);
    const stored = ({ type }: { readonly type: TypeIndex | undefined }, value: string): readonly string[] =>
      type === undefined ? [] : [`  ${this.store(type, value, plus("pointer", offset))}`];
    const cases = this.#layouts.cases(index);
    const [first = { type: undefined }, second = { type: undefined }] = cases;
    if (kind !== "variant") {
      const isFirst = kind === "option" ? "value === undefined || value === null" : 'value.tag === "ok"';
      const payload = kind === "option" ? "value" : "value.val";
      return [
        `if (${isFirst}) {`,
        `  ${view}.setUint8(pointer, 0);`,
        ...stored(first, payload),
        "} else {",
        `  ${view}.setUint8(pointer, 1);`,
        ...stored(second, payload),
        "}",
      ];
    }
    return [
      `const index = ${this.#cases(index)}.index(value.tag);`,
      `${view}.setUint8(pointer, index);`,
      ...cases.flatMap((one, at) =>
        one.type === undefined ? [] : [`if (index === ${at}) {`, ...stored(one, "value.val"), "}"],
      ),
    ];
  }

  #listReader(index: TypeIndex): string {
    return this.#part(`list${index}`, (name) => {
      const element = this.#element(index);
      const { size } = this.#layouts.of(element);
      return [
        `function ${name}(guest: CallingGuest, pointer: number, count: number${this.#resourceParams(index)}): any {`,
        `  ${this.#helper("checkList")}(guest.context, pointer, count, ${this.#elements(index)});`,
        "  const values: any[] = [];",
        `  for (let at = pointer; at < pointer + count * ${size}; at += ${size}) values.push(${this.load(element, "at")});`,
        "  return values;\n}\n",
      ].join("\n");
    });
  }

  #listWriter(index: TypeIndex): string {
    return this.#part(`store${index}`, (name) => {
      const element = this.#element(index);
      const { size } = this.#layouts.of(element);
      return [
        `function ${name}(guest: CallingGuest, values: any, pointer: number${this.#resourceParams(index)}): void {`,
        `  const at = ${this.#helper("allocateList")}(guest.context, values.length, ${this.#elements(index)});`,
        "  for (let index = 0; index < values.length; index++) {",
        `    ${this.store(element, "values[index]", `at + index * ${size}`)}`,
        "  }",
        `  ${this.#helper("storeListAt")}(guest.context, pointer, at, values.length);\n}\n`,
      ].join("\n");
    });
  }

  #elements(index: TypeIndex): string {
    return this.#part(`elements${index}`, (name) => {
      const element = this.#element(index);
      const { size, alignment } = this.#layouts.of(element);
      return `const ${name} = { size: ${size}, alignment: ${alignment}, heldBytes: ${this.#layouts.heldBytes(element)} };\n`;
    });
  }

  #cases(index: TypeIndex): string {
    return this.#part(`cases${index}`, (name) => {
      const type = this.#layouts.type(index);
      const names = type.kind === "enum" ? type.names : this.#layouts.cases(index).map((one) => one.name);
      this.#helper("CaseNames");
      return `const ${name} = new CaseNames([\n${names.map((one) => `  ${JSON.stringify(one)},\n`).join("")}]);\n`;
    });
  }

  #flags(index: TypeIndex): string {
    return this.#part(`flags${index}`, (name) => {
      const members = this.#labels(index).map((label, at) => `${camelCase(label)}: (bits & ${2 ** at}) !== 0`);
      return `const ${name} = (bits: number): any => ({ ${members.join(", ")} });\n`;
    });
  }

  #bits(index: TypeIndex): string {
    return this.#part(`bits${index}`, (name) => {
      const members = this.#labels(index).map((label, at) => `(value.${camelCase(label)} === true ? ${2 ** at} : 0)`);
      return `const ${name} = (value: any): number => ${members.join(" | ")};\n`;
    });
  }

  #labels(index: TypeIndex): readonly string[] {
    const type = this.#layouts.type(index);
    return type.kind === "flags" ? type.names : [];
  }

  #element(index: TypeIndex): TypeIndex {
    const type = this.#layouts.type(index);
    if (type.kind !== "list" || type.length !== undefined) throw new TypeError("only lists of any length are written");
    return type.element;
  }

  #isOctets(index: TypeIndex): boolean {
    return this.#layouts.type(this.#element(index)).kind === "u8";
  }

  #resources(index: TypeIndex): string {
    return more(this.#layouts.handleTypes(index).map(({ name }) => name));
  }

  #resourceParams(index: TypeIndex): string {
    return more(this.#layouts.handleTypes(index).map(({ name, is }) => `${name}: ${is}`));
  }

  #part(name: string, write: (name: string) => string): string {
    if (!this.#parts.has(name)) {
      this.#parts.set(name, "");
      this.#parts.set(name, write(name));
    }
    return name;
  }

  #helper(name: string): string {
    this.helpers.add(name);
    return name;
  }
}

const number = (name: string): number => Number(/\d+$/.exec(name)?.[0]);

function plus(pointer: string, offset: number): string {
  const [base = "", before = "0"] = pointer.split(" + ");
  const sum = Number(before) + offset;
  return Number.isNaN(sum) ? `${pointer} + ${offset}` : sum === 0 ? base : `${base} + ${sum}`;
}

/** A payload's core value, which travels in a wider one where another case of the variant has it so. */
function narrowed(text: string, from: CoreType | undefined, to: CoreType): Flat {
  return { text: from === "i64" && to === "i32" ? `Number(BigInt.asIntN(32, ${text}))` : text, type: to };
}
