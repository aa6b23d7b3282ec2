import { clearTimer, setTimer } from "../wasi/loop.ts";
import { TextDecoder, TextEncoder } from "./text-encoding.ts";

// Evaluated before any library: some of them take these globals when they are loaded.

type Callback = (...values: unknown[]) => void;

const intervals = new Map<number, () => void>();

/** An interval keeps one id through all its timers. */
function setInterval(run: Callback, delayMs = 0, ...values: unknown[]): number {
  const tick = (): void => {
    current = setTimer(delayMs, tick);
    run(...values);
  };
  let current = setTimer(delayMs, tick);
  // The first timer's.
  const id = current;
  intervals.set(id, () => clearTimer(current));
  return id;
}

function clear(id: number): void {
  intervals.get(id)?.();
  intervals.delete(id);
  clearTimer(id);
}

export function defineGlobals(globals: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  }
}

defineGlobals({
  TextDecoder,
  TextEncoder,
  clearInterval: clear,
  clearTimeout: clear,
  setInterval,
  // Under these names libraries look for the global object and for where they run.
  navigator: { userAgent: "Shallop" },
  self: globalThis,
  setTimeout: (run: Callback, delayMs = 0, ...values: unknown[]): number => setTimer(delayMs, () => run(...values)),
});
