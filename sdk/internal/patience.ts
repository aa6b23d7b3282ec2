import { readFileSync } from "node:fs";
import type { Clock, Timer } from "./clock.ts";

export interface PatienceSettings {
  readonly clock: Clock;
  /** How long it is waited for where there are processors enough. */
  readonly timeoutMs: number;
  /** Milliseconds of processor that it has had so far; undefined where nobody can tell. */
  readonly usedMs: () => Promise<number | undefined> | number | undefined;
}

// Looks within the time; what has used nothing since the last of them waits for something that does not come.
const looks = 3;
// What waits for an event wakes up now and then and uses a thousandth; what is at work, and one of a hundred that are, a hundredth.
const progressShare = 1 / 200;
/** Of the time: nobody waits for longer, whatever it is at. */
const timesMax = 6;

/**
 * Calls `over`, once, when what another process is at has had its time. Counted is not only the wall: what gets on, and has had
 * less than that of processor, is starved by others, and to end it would only have it begin again. @returns what takes it back
 */
export function whenOutOfTime({ clock, timeoutMs, usedMs }: PatienceSettings, over: () => void): Timer {
  const lookMs = Math.ceil(timeoutMs / looks);
  const beganMs = clock.nowMs();
  const began = Promise.resolve(usedMs());
  let beforeMs: number | undefined;
  let timer: Timer | undefined;
  const look = async (): Promise<void> => {
    const firstMs = (await began) ?? 0;
    const lastMs = beforeMs ?? firstMs;
    beforeMs = (await usedMs()) ?? lastMs;
    // Taken back meanwhile.
    if (timer === undefined) return;
    const waitedMs = clock.nowMs() - beganMs;
    const getsOn = beforeMs - lastMs >= lookMs * progressShare;
    const isStarved = getsOn && beforeMs - firstMs < timeoutMs && waitedMs < timeoutMs * timesMax;
    if (waitedMs >= timeoutMs && !isStarved) return over();
    timer = clock.after(waitedMs < timeoutMs ? Math.min(lookMs, timeoutMs - waitedMs) : lookMs, () => void look());
  };
  timer = clock.after(lookMs, () => void look());
  return {
    cancel: () => {
      timer?.cancel();
      timer = undefined;
    },
  };
}

// USER_HZ, which is the same on every Linux of x86-64 and arm64.
const tickMs = 10;

/**
 * Milliseconds of processor that a process has used, all its threads, and its children that have ended (proc_pid_stat(5)).
 * Undefined where there is no such process, or no such file.
 */
export function processCpuMs(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Fields 14 to 17, counted from behind the name, which may hold anything.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * tickMs, 0);
  } catch {
    return undefined;
  }
}
