import { basename, extname } from "node:path";
import { c } from "./c.ts";
import { go } from "./go.ts";
import { python } from "./python.ts";
import { rust } from "./rust.ts";
import type { Tools } from "./tools.ts";

/** What a compiler is given. */
export interface Source {
  /** The file that the project names. */
  readonly path: string;
  /** The project's: compilers run there, so that paths in `args` are relative to it. */
  readonly directory: string;
  /** More for the compiler, as the project says. */
  readonly args: readonly string[];
  /** C only: with a C library. */
  readonly libc: boolean;
  readonly tools: Tools;
  /** For files that are gone afterwards. */
  readonly scratch: string;
  /** For what is kept between builds. */
  readonly cacheDirectory: string;
  /** Told of each step as it begins. */
  readonly step: (step: string) => void;
}

/** A language that is compiled by a toolchain of this machine. */
export interface Language {
  /** As people write it. */
  readonly name: string;
  /** @throws BuildFault TOOL_MISSING | SOURCE_INVALID */
  component(source: Source): Promise<Uint8Array>;
  /**
   * Writes a static program of the same source, for this machine's platform, which answers HTTP on $PORT. Absent where the
   * language has no such thing.
   * @throws BuildFault TOOL_MISSING | SOURCE_INVALID
   */
  program?(source: Source, to: string): Promise<void>;
}

const languages: Readonly<Record<string, Language>> = { ".c": c, ".go": go, ".py": python };

/** By the source's name; undefined for a function's module and for what is WebAssembly already. */
export function languageOf(path: string): Language | undefined {
  return basename(path) === "Cargo.toml" ? rust : languages[extname(path)];
}
