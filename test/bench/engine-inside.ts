import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { guestV8Flags } from "../../sdk/internal/index.ts";

/** Directories of prepared components, and how often each is asked. */
export interface InsideTask {
  readonly minimal: string;
  readonly oneMiB: string;
  readonly quickJs: string | undefined;
  readonly starlingMonkey: string | undefined;
  /** One that waits for `?wait=` milliseconds. */
  readonly waiting: string | undefined;
  readonly unseen: readonly string[];
  readonly rounds: number;
  readonly forks: number;
  readonly crowd: number;
}

export interface InsideAnswer {
  /** `processorMs`: of the thread that serves, which on a busy machine has to wait for its turn. */
  readonly firstByte: { readonly ms: number; readonly processorMs: number };
  readonly requestUs: { readonly minimal: number; readonly quickJs?: number };
  readonly forkReadyUs: { readonly oneMiB: number; readonly starlingMonkey?: number };
  /** Of processor, of each of a crowd of which all wait at once: until it waits, and from then until it has answered. */
  readonly crowdUs?: { readonly begun: number; readonly answered: number };
  readonly idleForkBytes: { readonly minimal: number; readonly starlingMonkey?: number };
}

/** Measures in a fresh process that is started as one that runs guests. */
export async function measureInside(task: InsideTask): Promise<InsideAnswer> {
  const program = fileURLToPath(new URL("engine-inside-main.ts", import.meta.url));
  const flags = [...guestV8Flags, "--expose-gc", "--disable-warning=ExperimentalWarning"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, program, JSON.stringify(task)]);
  return JSON.parse(stdout) as InsideAnswer;
}
