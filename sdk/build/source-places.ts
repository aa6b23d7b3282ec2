import { SourceMap, type SourceMapPayload } from "node:module";

/** One bundled script, and which place of which source each of its places came from. */
export interface Script {
  readonly code: string;
  readonly map: SourceMapPayload;
}

/** A place in the script as the engines write it: QuickJS evaluates `<input>`, StarlingMonkey is given `function.js`. */
const placePattern = /(?:<input>|\bfunction\.js):(\d+):(\d+)/;
/** A line of a stack: of QuickJS, then of StarlingMonkey. The engine's own frames have no place in the script. */
const framePatterns = [/^\s+at .*\((?:<input>:\d+:\d+|native|componentize-qjs:.*)\)$/, /^\s+\S*@function\.js:\d+:\d+$/];

/**
 * What an engine says of a script in terms of its sources: `at /app/src/index.ts:3:7` in place of `at Fs (<input>:15:4761)`.
 * Frames of what was put around the sources are left out, and so are names, which the bundler has shortened.
 * @param isOurs whether a source is none of the user's
 */
export function inSourceTerms(text: string, map: SourceMapPayload, isOurs: (source: string) => boolean): string {
  const sources = new SourceMap(map);
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    const place = placeOf(sources, placePattern.exec(line));
    const known =
      place !== undefined && !isOurs(place.source) ? `${place.source}:${place.line}:${place.column}` : undefined;
    if (framePatterns.some((pattern) => pattern.test(line))) {
      if (known !== undefined && lines.at(-1) !== frame(known)) lines.push(frame(known));
    } else lines.push(known === undefined ? line : line.replace(placePattern, known));
  }
  return lines.join("\n").trim();
}

const frame = (place: string): string => `    at ${place}`;

interface Place {
  readonly source: string;
  readonly line: number;
  readonly column: number;
}

function placeOf(sources: SourceMap, found: RegExpExecArray | null): Place | undefined {
  if (found === null) return undefined;
  // Engines and people count from one, maps from zero.
  const origin = sources.findEntry(Number(found[1]) - 1, Number(found[2]) - 1);
  if (!("originalSource" in origin)) return undefined;
  return { source: origin.originalSource, line: origin.originalLine + 1, column: origin.originalColumn + 1 };
}
