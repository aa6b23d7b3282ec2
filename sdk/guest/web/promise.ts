import PromisePolyfill from "promise-polyfill";
import { enqueueMicrotask } from "../wasi/loop.ts";

// First of all modules: what is evaluated later takes `Promise` from here. The engine's own promises would wait for ever,
// since nothing runs its job queue inside a synchronous export; `async` functions are compiled to generators over this.
const GuestPromise = PromisePolyfill as unknown as PromiseConstructor & {
  _immediateFn: (run: () => void) => void;
  _unhandledRejectionFn: (reason: unknown) => void;
};
GuestPromise._immediateFn = enqueueMicrotask;
// A rejection nobody handles is no failure of the request; it is printed, as Node's warning mode does.
GuestPromise._unhandledRejectionFn = (reason) => globalThis.console.error("unhandled rejection:", reason);

// oxlint-disable-next-line typescript/unbound-method -- it is only looked at, not called
GuestPromise.withResolvers ??= function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve!: (value: T | PromiseLike<T>) => void;
  let reject!: (reason?: unknown) => void;
  const promise = new GuestPromise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
};

// oxlint-disable-next-line typescript/unbound-method -- it is only looked at, not called
GuestPromise.try ??= function attempt<T, Values extends unknown[]>(
  run: (...values: Values) => T | PromiseLike<T>,
  ...values: Values
): Promise<Awaited<T>> {
  return new GuestPromise<T>((resolve) => resolve(run(...values))) as Promise<Awaited<T>>;
};

/** The engine's own would give one of its own promises, which never settle here. */
Array.fromAsync = async function fromAsync(
  items: AsyncIterable<unknown> | Iterable<unknown> | ArrayLike<unknown>,
  map: (value: unknown, index: number) => unknown = (value) => value,
): Promise<unknown[]> {
  const made: unknown[] = [];
  const iterable = Symbol.asyncIterator in items || Symbol.iterator in items ? items : Array.from(items);
  for await (const item of iterable) made.push(await map(item, made.length));
  return made;
} as typeof Array.fromAsync;

globalThis.Promise = GuestPromise;
globalThis.queueMicrotask = enqueueMicrotask;
