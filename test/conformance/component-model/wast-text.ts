/** A form of a script of the WebAssembly text format: `(assert_trap (invoke "f") "unreachable")`. */
export interface Form {
  /** As written: what is a component in it is handed to the assembler as it is. */
  readonly text: string;
  readonly items: readonly Item[];
  readonly line: number;
}

/** A form in a form, a word (`assert_trap`, `$id`, `0x2a`), or a string, which need not be text. */
export type Item = Form | string | Buffer;

const token = /;;[^\n]*|\(;|"(?:[^"\\]|\\.)*"|[()]|[^\s()";]+/gy;
const space = /\s*/y;

interface Open {
  readonly start: number;
  readonly line: number;
  readonly items: Item[];
}

/** The forms of a script in their order. @throws SyntaxError when brackets or strings do not close */
export function readForms(script: string): readonly Form[] {
  const forms: Item[] = [];
  const open: Open[] = [];
  let line = 1;
  let at = 0;
  const advance = (end: number): void => {
    for (let index = script.indexOf("\n", at); index !== -1 && index < end; index = script.indexOf("\n", index + 1))
      line++;
    at = end;
  };
  for (;;) {
    space.lastIndex = at;
    space.exec(script);
    advance(space.lastIndex);
    if (at === script.length) break;
    token.lastIndex = at;
    const [text] = token.exec(script) ?? [];
    if (text === undefined) throw new SyntaxError(`line ${line}: nothing that a script has`);
    const start = at;
    advance(text === "(;" ? endOfComment(script, at) : token.lastIndex);
    if (text.startsWith(";;") || text === "(;") continue;
    const items = open.at(-1)?.items ?? forms;
    if (text === "(") open.push({ start, line, items: [] });
    else if (text === ")") {
      const form = open.pop();
      if (form === undefined) throw new SyntaxError(`line ${line}: a bracket closes nothing`);
      (open.at(-1)?.items ?? forms).push({ text: script.slice(form.start, at), items: form.items, line: form.line });
    } else items.push(text.startsWith('"') ? readString(text) : text);
  }
  if (open.length > 0) throw new SyntaxError(`line ${open.at(-1)?.line}: a bracket is never closed`);
  return forms.filter((form) => typeof form === "object" && "items" in form);
}

/** Comments may stand in each other. */
function endOfComment(script: string, start: number): number {
  const mark = /\(;|;\)/g;
  mark.lastIndex = start;
  let depth = 0;
  for (let found = mark.exec(script); found !== null; found = mark.exec(script)) {
    depth += found[0] === "(;" ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  throw new SyntaxError("a comment never ends");
}

const named: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

function readString(quoted: string): Buffer {
  const parts: Buffer[] = [];
  const pattern = /\\u\{([0-9a-fA-F_]+)\}|\\([0-9a-fA-F]{2})|\\(.)|[^\\]+/gsu;
  for (const [text, point, byte, escaped] of quoted.slice(1, -1).matchAll(pattern)) {
    if (point !== undefined) parts.push(Buffer.from(String.fromCodePoint(Number.parseInt(point, 16))));
    else if (byte !== undefined) parts.push(Buffer.from([Number.parseInt(byte, 16)]));
    else parts.push(Buffer.from(escaped === undefined ? text : (named[escaped] ?? escaped)));
  }
  return Buffer.concat(parts);
}
