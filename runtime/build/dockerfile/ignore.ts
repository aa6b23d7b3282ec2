import { posix } from "node:path";
import { DockerfileFault } from "@shallop/sdk/wire";
import { shown } from "./fault.ts";
import { Glob } from "./glob.ts";

/** `.dockerignore` files have some lines; one of more is no such file. */
export const ignoreBytesMax = 256 * 1024;
/** Each is run against each file of the context. */
const patternsMax = 2_000;

interface Pattern {
  readonly glob: Glob;
  /** `!`: what it matches is kept after all. */
  readonly keeps: boolean;
}

/** Which files of a context are left out. The last pattern that matches a file, or a directory that it is in, decides. */
export class Ignore {
  readonly #patterns: readonly Pattern[];

  private constructor(patterns: readonly Pattern[]) {
    this.#patterns = patterns;
  }

  /** Reads a `.dockerignore`. @throws DockerfileFault CONTEXT_INVALID */
  static parse(text: string): Ignore {
    const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
    const patterns = lines.flatMap((line, index) => patternOf(line, index + 1));
    if (patterns.length > patternsMax)
      throw new DockerfileFault("CONTEXT_INVALID", `the ignore file has more than ${patternsMax} patterns`);
    return new Ignore(patterns);
  }

  /** @param path relative to the context, without `.` and `..` */
  ignores(path: string): boolean {
    const parts = path.split("/");
    const paths = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
    let ignored = false;
    for (const { glob, keeps } of this.#patterns) {
      // What would change nothing is not tried.
      if (keeps === ignored && paths.some((one) => glob.matches(one))) ignored = !keeps;
    }
    return ignored;
  }

  /** Whether something below an ignored directory may be kept: only then is it walked through. */
  get keepsSome(): boolean {
    return this.#patterns.some(({ keeps }) => keeps);
  }
}

function patternOf(line: string, number: number): readonly Pattern[] {
  if (line.startsWith("#")) return [];
  let text = line.trim();
  if (text === "") return [];
  const keeps = text.startsWith("!");
  if (keeps) text = text.slice(1).trim();
  if (text === "") throw new DockerfileFault("CONTEXT_INVALID", `line ${number} of the ignore file is only a !`);
  text = posix.normalize(text).replace(/^\/+/, "").replace(/\/+$/, "");
  // The context itself: to ignore it would leave nothing, and Docker does not.
  if (text === "" || text === ".") return [];
  const glob = Glob.path(text, { deep: true });
  if (glob === undefined)
    throw new DockerfileFault("CONTEXT_INVALID", `line ${number} of the ignore file: ${shown(text)} is no pattern`);
  return [{ glob, keeps }];
}
