import { accessSync, constants, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../internal/fault.ts";
import { makeDirectory } from "../internal/make-directory.ts";
import { SuperviseFault } from "./supervise-fault.ts";

/** Makes the directory if need be, and checks that it can be written. @throws SuperviseFault DATA_UNWRITABLE */
export function ensureDataDirectory(directory: string): void {
  try {
    makeDirectory(directory, 0o700);
    accessSync(directory, constants.W_OK | constants.X_OK);
    const probe = join(directory, `.probe-${process.pid}`);
    writeFileSync(probe, "");
    rmSync(probe);
  } catch (error) {
    const message = `the data directory ${directory} cannot be written (${errorCode(error) ?? "unknown"}); choose another with --data DIR`;
    throw new SuperviseFault("DATA_UNWRITABLE", message);
  }
}

function dataInUse(directory: string, holder: number): SuperviseFault {
  return new SuperviseFault(
    "DATA_IN_USE",
    `a platform runs on ${directory} already (process ${holder}); stop it with shallop down, or choose another directory with --data DIR and other ports`,
  );
}

/** The same answer as `lockDataDirectory`, before anything is started that would take the lock. @throws SuperviseFault DATA_IN_USE */
export function checkUnlocked(directory: string): void {
  const holder = lockHolder(directory);
  if (holder !== undefined) throw dataInUse(directory, holder);
}

export interface DataLock extends Disposable {
  /** Of a process that has gone without giving it back: what it had started may not have ended yet. */
  readonly isTakenOver: boolean;
}

/**
 * Holds a data directory for this process: `up.lock` names the process that has it. The lock of a process that is gone
 * is taken over. @throws SuperviseFault DATA_IN_USE
 */
export function lockDataDirectory(directory: string): DataLock {
  const path = join(directory, "up.lock");
  const mine = `${process.pid} ${startTime(process.pid) ?? ""}`;
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(path, mine, { flag: "wx", mode: 0o600 });
      return { isTakenOver: attempt > 0, [Symbol.dispose]: () => rmSync(path, { force: true }) };
    } catch (error) {
      const holder = errorCode(error) === "EEXIST" && attempt < 3 ? livingHolder(path) : undefined;
      if (errorCode(error) !== "EEXIST") throw error;
      if (holder !== undefined) throw dataInUse(directory, holder);
      rmSync(path, { force: true });
    }
  }
}

/** The process that holds the lock, if it still is the one that took it. */
export function lockHolder(directory: string): number | undefined {
  return livingHolder(join(directory, "up.lock"));
}

function livingHolder(path: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const [pidText, started] = text.split(" ");
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid)) return undefined;
  const now = startTime(pid);
  // Process ids come round again; the start time tells the old process from a new one.
  return now === undefined || started === undefined || started === "" || started === now ? pid : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

/** Field 22 of /proc/PID/stat, clock ticks since boot; undefined where there is no /proc. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything; the fields begin after the last one.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
