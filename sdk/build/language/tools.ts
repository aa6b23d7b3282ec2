import { execFile } from "node:child_process";
import { delimiter } from "node:path";
import { errorCode } from "../../internal/fault.ts";
import { BuildFault } from "../fault.ts";

/** Environment variables of the programs that are run. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What a program said when it ended well. */
export interface Outcome {
  readonly stdout: string;
}

/** A program that was started and did not end well. */
export class ToolFailure extends Error {
  /** What it said, its errors first. */
  readonly said: string;

  constructor(program: string, said: string) {
    super(`${program} failed: ${said}`);
    this.said = said;
  }
}

// A large Rust program takes minutes on a small machine; half an hour means that it hangs.
const runMsMax = 30 * 60_000;
// What a compiler says of a broken program is read by a person; more than this is a program that runs wild.
const outputBytesMax = 16 * 1024 * 1024;

/** Compilers and the like: found on this machine and run. They are the user's own, with the user's own rights. */
export class Tools {
  readonly #environment: Environment;

  /** @param directory is looked into before the PATH, by these programs and by those that they start */
  constructor(environment: Environment, directory?: string) {
    const { PATH } = environment;
    const places = [directory, PATH].filter((place) => place !== undefined && place !== "");
    this.#environment = { ...environment, PATH: places.join(delimiter) };
  }

  /** The first of `programs` that is there and `fits`. Names are looked up; paths are taken as they are. */
  async find(programs: readonly string[], fits: (program: string) => Promise<boolean>): Promise<string | undefined> {
    for (const program of programs) {
      const found = await fits(program).catch((error: unknown) => {
        if (error instanceof ToolFailure || isAbsent(error)) return false;
        throw error;
      });
      if (found) return program;
    }
    return undefined;
  }

  /** @throws ToolFailure when it ends with another code than 0 */
  run(
    program: string,
    args: readonly string[],
    options: { readonly directory?: string; readonly environment?: Environment } = {},
  ): Promise<Outcome> {
    const settings = {
      cwd: options.directory,
      env: { ...this.#environment, ...options.environment },
      maxBuffer: outputBytesMax,
      timeout: runMsMax,
    };
    return new Promise((resolve, reject) => {
      const child = execFile(program, [...args], settings, (error, stdout, stderr) => {
        if (error === null) resolve({ stdout });
        else if (typeof error.code === "string" && stderr === "") reject(error);
        else
          reject(
            new ToolFailure(
              program,
              [stderr, stdout]
                .map((text) => text.trim())
                .join("\n")
                .trim(),
            ),
          );
      });
      // A program that asks is told at once that nobody answers.
      child.stdin?.end();
    });
  }
}

/** Not there, or not for this machine. */
const isAbsent = (error: unknown): boolean =>
  ["ENOENT", "EACCES", "ENOEXEC", "ENOTDIR"].includes(errorCode(error) ?? "");

/** What a compiler found wrong, as a fault. What is no such failure is passed on. */
export function sourceFault(path: string, error: unknown): unknown {
  if (!(error instanceof ToolFailure)) return error;
  const said = error.said === "" ? "its compiler failed and says nothing of why" : error.said;
  return new BuildFault("SOURCE_INVALID", `${path} does not compile:\n${said}`);
}
