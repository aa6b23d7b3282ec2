import { lineFault } from "./fault.ts";
import { splitWords } from "./expand.ts";

/** Text that stands in a Dockerfile in place of a file. */
export interface Heredoc {
  readonly name: string;
  readonly content: string;
  /** Variables are put in: its name was not quoted. */
  readonly expands: boolean;
}

/** An instruction with its continuation lines joined, and the heredocs that it names. */
export interface LogicalLine {
  /** Of its first line; the first one of a file is 1. */
  readonly line: number;
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
}

export interface SourceLines {
  readonly escape: string;
  readonly lines: readonly LogicalLine[];
}

/** Instructions that may have heredocs; elsewhere `<<` is text. */
const takesHeredocs = /^(?:ONBUILD\s+)?(?:RUN|COPY|ADD)\s/i;
const directive = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;

/** Docker's first step: directives, comments, continuation lines, heredocs. @throws DockerfileFault DOCKERFILE_INVALID */
export function readLines(text: string): SourceLines {
  const source = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const { escape, count } = readDirectives(source);
  const lines: LogicalLine[] = [];
  for (let at = count; at < source.length;) {
    const line = at + 1;
    const first = (source[at++] ?? "").trimStart();
    if (first === "" || first.startsWith("#")) continue;
    let { text: joined, goesOn } = withoutContinuation(first, escape);
    while (goesOn && at < source.length) {
      const next = source[at++] ?? "";
      // Comments and empty lines between the lines of an instruction are left out of it.
      if (/^\s*(?:#|$)/.test(next)) continue;
      const part = withoutContinuation(next, escape);
      joined += part.text;
      goesOn = part.goesOn;
    }
    if (joined.trim() === "") continue;
    const heredocs: Heredoc[] = [];
    for (const start of takesHeredocs.test(joined) ? heredocStarts(joined, escape) : []) {
      const { content, next } = readHeredoc(source, at, start, line);
      heredocs.push({ name: start.name, content, expands: start.expands });
      at = next;
    }
    lines.push({ line, text: joined.trim(), heredocs });
  }
  return { escape, lines };
}

/** Comments of the form `# name=value` that stand before everything else. */
function readDirectives(source: readonly string[]): { readonly escape: string; readonly count: number } {
  const seen = new Set<string>();
  let escape = "\\";
  let count = 0;
  for (const text of source) {
    const [, name = "", value = ""] = directive.exec(text.trim()) ?? [];
    const known = name.toLowerCase();
    if (known !== "escape" && known !== "syntax" && known !== "check") break;
    count++;
    if (seen.has(known)) throw lineFault(count, `the directive ${known} stands there twice`);
    seen.add(known);
    if (known !== "escape") continue;
    if (value !== "\\" && value !== "`") throw lineFault(count, "the directive escape takes \\ or `");
    escape = value;
  }
  return { escape, count };
}

/** A line that ends in an escape goes on in the next one; one that ends in two ends in an escaped one. */
function withoutContinuation(line: string, escape: string): { readonly text: string; readonly goesOn: boolean } {
  const end = line.trimEnd();
  const goesOn = end.endsWith(escape) && end.at(-2) !== escape;
  return goesOn ? { text: end.slice(0, -1), goesOn } : { text: line, goesOn };
}

interface HeredocStart {
  readonly name: string;
  readonly expands: boolean;
  /** `<<-`: tabs at the beginnings of lines are taken away. */
  readonly untabbed: boolean;
}

function heredocStarts(text: string, escape: string): readonly HeredocStart[] {
  return splitWords(text, escape).flatMap((word) => {
    const start = heredocStart(word);
    return start === undefined ? [] : [start];
  });
}

/** `<<EOF`, `<<-EOF`, `<<"EOF"`, `0<<EOF`. */
export function heredocStart(word: string): HeredocStart | undefined {
  const [, dash, quoted, inside, plain] = /^\d*<<(-?)(?:(["'])([^"'<]+)\2|([^"'<\s]+))$/.exec(word) ?? [];
  const name = inside ?? plain;
  if (name === undefined) return undefined;
  return { name, expands: quoted === undefined, untabbed: dash === "-" };
}

function readHeredoc(
  source: readonly string[],
  from: number,
  start: HeredocStart,
  line: number,
): { readonly content: string; readonly next: number } {
  let content = "";
  for (let at = from; at < source.length; at++) {
    const text = start.untabbed ? (source[at] ?? "").replace(/^\t+/, "") : (source[at] ?? "");
    if (text === start.name) return { content, next: at + 1 };
    content += `${text}\n`;
  }
  throw lineFault(line, `the text <<${start.name} is never ended by a line ${start.name}`);
}
