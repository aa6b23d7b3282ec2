import { readFile, readlink } from "node:fs/promises";
import type { Clock } from "@shallop/sdk/internal";
import type { TerminalSize } from "../../pod/container-process.ts";
import { checkCommand } from "./command.ts";

/**
 * The program on a pseudoterminal: script(1) makes it, holds it and copies. It and stty(1) are on every Debian, and Node can
 * make none. The outer terminal only carries bytes: the inner one, of the container, edits lines and turns keys into
 * signals.
 */
export const onTerminal = (
  file: string,
  args: readonly string[],
): { readonly file: string; readonly args: readonly string[] } => ({
  file: "script",
  args: ["--quiet", "--return", "--flush", "--command", rawCommand(file, args), "/dev/null"],
});

const rawCommand = (file: string, args: readonly string[]): string =>
  `stty raw -echo; exec ${[file, ...args].map(quoted).join(" ")}`;

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** The terminals between a program in a container and whoever looks at it. */
export interface Terminals {
  /** The script(1) that holds the outer one. */
  readonly holder: number;
  /** Where the id of the process that has the inner one is, or will be. */
  readonly pidFile?: string;
  /** False: the program has ended. */
  isThere(): Promise<boolean>;
}

/**
 * Sets the size of the terminal that script(1) has made, and of the one that the program has made for what it runs: runc
 * passes on what the kernel tells it, once it has ears for it, and crun does not.
 */
export async function resizeTerminals(terminals: Terminals, size: TerminalSize, clock: Clock): Promise<void> {
  const { holder, pidFile } = terminals;
  const outer = await eventually(() => terminalOf(holder), terminals, clock);
  if (outer !== undefined) await setSize(outer, size);
  if (pidFile === undefined) return;
  const inner = await eventually(() => terminalNamedBy(pidFile), terminals, clock);
  if (inner !== undefined) await setSize(inner, size);
}

const setSize = (terminal: string, { columns, rows }: TerminalSize): Promise<unknown> =>
  checkCommand("stty", ["-F", terminal, "columns", String(columns), "rows", String(rows)]);

/** The youngest child of a process. */
export async function lastChildOf(pid: number): Promise<number | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const last = Number(children.trim().split(" ").at(-1));
  return last > 0 ? last : undefined;
}

/** The terminal that script(1) has made for its child. */
async function terminalOf(holder: number): Promise<string | undefined> {
  const child = await lastChildOf(holder);
  const terminal = child === undefined ? "" : await readlink(`/proc/${child}/fd/0`).catch(() => "");
  return terminal.startsWith("/dev/pts/") ? terminal : undefined;
}

/** By its descriptor: its path means something in the container only, and may be made to mean anything there. */
async function terminalNamedBy(pidFile: string): Promise<string | undefined> {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => ""));
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  const terminal = await readlink(`/proc/${pid}/fd/0`).catch(() => "");
  return /^\/(dev\/pts\/)?\d+$|^\/dev\/console$/.test(terminal) ? `/proc/${pid}/fd/0` : undefined;
}

// Both are there within milliseconds.
const lookTries = 200;
const lookPauseMs = 5;

async function eventually(
  look: () => Promise<string | undefined>,
  { isThere }: Pick<Terminals, "isThere">,
  clock: Clock,
): Promise<string | undefined> {
  for (let attempt = 0; attempt < lookTries && (await isThere()); attempt++) {
    const found = await look();
    if (found !== undefined) return found;
    await clock.sleep(lookPauseMs);
  }
  return undefined;
}
