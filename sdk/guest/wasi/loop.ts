import { now, subscribeDuration } from "wazi:clocks/monotonic-clock@0.2.10";
import { poll, type Pollable } from "wazi:io/poll@0.2.10";

/**
 * The event loop of a QuickJS guest. The engine runs no promise jobs in a synchronous export, so the guest brings its
 * own: microtasks first, then timers that are due, then it blocks in `wasi:io/poll` until something it waits for is
 * ready. Because the queue is ours, "nothing left to run" is known exactly, and nothing spins.
 */
interface TimerEntry {
  readonly dueNs: number;
  readonly run: () => void;
}

interface Waiter {
  readonly pollable: Pollable;
  readonly wake: () => void;
}

let microtasks: (() => void)[] = [];
let waiters: Waiter[] = [];
let timerOrder = 0;
const timers = new Map<number, TimerEntry>();

export function enqueueMicrotask(run: () => void): void {
  microtasks.push(run);
}

/** The most a timer may wait; what is longer, negative or no number counts as no delay, as in Node and in browsers. */
const delayMsMax = 2 ** 31 - 1;

/** @returns an id for `clearTimer`. */
export function setTimer(delayMs: number, run: () => void): number {
  const delay = Number(delayMs);
  timerOrder += 1;
  timers.set(timerOrder, { dueNs: now() + (delay > 0 && delay <= delayMsMax ? delay : 0) * 1e6, run });
  return timerOrder;
}

export function clearTimer(id: number): void {
  timers.delete(id);
}

/** Resolves when `pollable` is ready, and disposes of it. */
export function ready(pollable: Pollable): Promise<void> {
  return new Promise((resolve) => {
    waiters.push({
      pollable,
      wake: () => {
        pollable[Symbol.dispose]();
        resolve();
      },
    });
  });
}

/** Runs the loop until `done()`. Throws when nothing that could still happen would make it so. */
export function runUntil(done: () => boolean): void {
  for (;;) {
    runMicrotasks();
    if (done()) return;
    // A timer that is always due (an interval of 0 ms) must not keep the loop from looking at what is ready.
    const ranTimer = runDueTimer();
    if (waiters.length > 0) block(ranTimer);
    else if (!ranTimer && timers.size > 0) block(false);
    else if (!ranTimer) throw new Error("the function waits for a promise that nothing will ever settle");
  }
}

/** Those that stand in line, and what they put there. */
export function runMicrotasks(): void {
  while (microtasks.length > 0) {
    const batch = microtasks;
    microtasks = [];
    for (const run of batch) runReported(run);
  }
}

/** What a callback throws is nobody's to catch; it is printed, and the request goes on. */
function runReported(run: () => void): void {
  try {
    run();
  } catch (error) {
    globalThis.console.error("uncaught:", error);
  }
}

function nextTimer(): [number, TimerEntry] | undefined {
  let next: [number, TimerEntry] | undefined;
  for (const entry of timers) {
    if (next === undefined || entry[1].dueNs < next[1].dueNs) next = entry;
  }
  return next;
}

function runDueTimer(): boolean {
  const next = nextTimer();
  if (next === undefined || next[1].dueNs > now()) return false;
  timers.delete(next[0]);
  runReported(next[1].run);
  return true;
}

function block(onlyLook: boolean): void {
  const timer = nextTimer();
  const pollables = waiters.map((waiter) => waiter.pollable);
  const untilTimerNs = timer === undefined ? undefined : Math.max(0, Math.ceil(timer[1].dueNs - now()));
  const waitNs = onlyLook ? 0 : untilTimerNs;
  const alarm = waitNs === undefined ? undefined : subscribeDuration(waitNs);
  if (alarm !== undefined) pollables.push(alarm);
  const readyAt = new Set(poll(pollables));
  alarm?.[Symbol.dispose]();
  const woken = waiters.filter((_, index) => readyAt.has(index));
  waiters = waiters.filter((_, index) => !readyAt.has(index));
  for (const waiter of woken) waiter.wake();
}
