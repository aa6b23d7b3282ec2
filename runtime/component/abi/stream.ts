/**
 * Streams, futures and error contexts as the host's functions have them (Concurrency.md, "Streams and Futures"). A function
 * of the host is given readers for the `stream<T>` and `future<T>` among its arguments, and gives readers where its result has
 * them; so does whoever calls a guest's export.
 */

/** Items of one read: a typed array of a `stream<u8>` and other integers, an array of all else. Never empty. */
export type Items<T> = ArrayLike<T>;

/** The readable end of a stream, wherever its writer is: the host's own, or a guest's. One read at a time. */
export interface StreamReader<T = unknown> {
  /**
   * Up to `countMax` (at least 1) items; undefined when the writer has dropped its end and nothing is left. A promise only
   * when it has to be waited for. What is returned belongs to the caller: the guest's memory has been copied.
   * A reader of the host's own must not reject: a stream says how it ended by what is in it, or by a future beside it.
   * One that does ends the guest that reads it.
   * @throws GuestFault when the guest that writes has failed
   */
  read(countMax: number): Items<T> | undefined | Promise<Items<T> | undefined>;
  /** Nothing more will be read. Ends a read under way: it resolves with undefined. Safe to call twice. */
  drop(): void;
}

/**
 * The readable end of a future. Where the host gives one to a guest a promise will do; it must not reject, as for streams.
 */
export interface FutureReader<T = unknown> {
  /** The value; a promise only when it has to be waited for. Once. @throws GuestFault when the guest that writes has failed */
  read(): T | Promise<T>;
  /** The value is not wanted. Safe to call twice, and after `read`. */
  drop(): void;
}

/** `error-context`. */
export class ErrorContext {
  /** For people; a host may shorten it. */
  readonly debugMessage: string;

  constructor(debugMessage: string) {
    this.debugMessage = debugMessage;
  }
}

/**
 * What a function of the host does when the guest cancels its call (`subtask.cancel`).
 *
 * An async function of the host returns its value, or a promise of it. One that can be called off returns
 * `cancellable(promise, cancel)`: then a guest that cancels has its answer at once, `cancel` is called, and what the promise
 * comes to is dropped (its `Symbol.dispose` is called, if it has one). A plain promise cannot be called off: the guest that
 * cancels waits for its end.
 */
export function cancellable<T>(promise: Promise<T>, cancel: () => void): Promise<T> {
  return Object.assign(promise, { [callOff]: cancel });
}

const callOff = Symbol("call off");

/** How a call of the host is called off; undefined when it cannot be. */
export function cancelOf(promise: Promise<unknown>): (() => void) | undefined {
  return (promise as { readonly [callOff]?: () => void })[callOff];
}

/** A call of a guest's async export that has begun. `LiveInstance.call` is the same for who wants the answer only. */
export interface GuestCall {
  /** The result, when the guest has called `task.return`. Rejects with a GuestFault, or with `CallCancelled`. */
  readonly returned: Promise<unknown>;
  /** Resolves when the task has ended, with all that it does after its return. Rejects with a GuestFault. */
  readonly ended: Promise<void>;
  /** Asks the guest to stop. It need not: `returned` says how it went. */
  cancel(): void;
}

/** The guest ended a call because it was asked to. */
export class CallCancelled extends Error {
  override readonly name = "CallCancelled";
}
