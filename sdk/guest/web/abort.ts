import { setTimer } from "../wasi/loop.ts";

type Listener = ((event: Event) => void) | { handleEvent(event: Event): void };

/** https://dom.spec.whatwg.org/#event */
export class Event {
  readonly type: string;
  readonly cancelable: boolean;
  defaultPrevented = false;
  target: EventTarget | null = null;
  #stopped = false;

  constructor(type: string, init: { readonly cancelable?: boolean } = {}) {
    this.type = type;
    this.cancelable = init.cancelable ?? false;
  }

  preventDefault(): void {
    if (this.cancelable) this.defaultPrevented = true;
  }

  /** No further listener is called. */
  stopImmediatePropagation(): void {
    this.#stopped = true;
  }

  static isStopped(event: Event): boolean {
    return event.#stopped;
  }
}

/** https://dom.spec.whatwg.org/#customevent */
export class CustomEvent<T = unknown> extends Event {
  readonly detail: T | null;

  constructor(type: string, init: { readonly cancelable?: boolean; readonly detail?: T } = {}) {
    super(type, init);
    this.detail = init.detail ?? null;
  }
}

interface ListenerOptions {
  readonly once?: boolean;
  /** Takes the listener away when it is aborted. */
  readonly signal?: AbortSignal;
}

/** https://dom.spec.whatwg.org/#eventtarget, without a tree. */
export class EventTarget {
  readonly #listeners = new Map<string, { listener: Listener; once: boolean }[]>();

  addEventListener(type: string, listener: Listener | null, options: boolean | ListenerOptions = {}): void {
    const { once = false, signal } = typeof options === "object" ? options : {};
    if (listener === null || signal?.aborted === true) return;
    const listeners = this.#listeners.get(type) ?? [];
    if (listeners.some((entry) => entry.listener === listener)) return;
    listeners.push({ listener, once });
    this.#listeners.set(type, listeners);
    signal?.addEventListener("abort", () => this.removeEventListener(type, listener));
  }

  removeEventListener(type: string, listener: Listener | null): void {
    const listeners = this.#listeners.get(type) ?? [];
    this.#listeners.set(
      type,
      listeners.filter((entry) => entry.listener !== listener),
    );
  }

  dispatchEvent(event: Event): boolean {
    event.target = this;
    for (const { listener, once } of this.#listeners.get(event.type)?.slice() ?? []) {
      if (Event.isStopped(event)) break;
      if (once) this.removeEventListener(event.type, listener);
      this.#call(listener, event);
    }
    return !event.defaultPrevented;
  }

  /** What a listener throws is printed; the others are called all the same. */
  #call(listener: Listener, event: Event): void {
    try {
      if (typeof listener === "function") listener.call(this, event);
      else listener.handleEvent(event);
    } catch (error) {
      globalThis.console.error("uncaught:", error);
    }
  }
}

/** https://dom.spec.whatwg.org/#interface-AbortSignal */
export class AbortSignal extends EventTarget {
  aborted = false;
  reason: unknown = undefined;
  onabort: ((event: Event) => void) | null = null;

  static abort(reason?: unknown): AbortSignal {
    const signal = new AbortSignal();
    abortSignal(signal, reason);
    return signal;
  }

  static timeout(delayMs: number): AbortSignal {
    const signal = new AbortSignal();
    setTimer(delayMs, () => abortSignal(signal, new DOMException(`no answer within ${delayMs} ms`, "TimeoutError")));
    return signal;
  }

  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const all = new AbortSignal();
    for (const signal of signals) {
      if (signal.aborted) abortSignal(all, signal.reason);
      else signal.addEventListener("abort", () => abortSignal(all, signal.reason));
    }
    return all;
  }

  throwIfAborted(): void {
    // oxlint-disable-next-line typescript/only-throw-error -- the standard throws whatever reason was given
    if (this.aborted) throw this.reason;
  }
}

function abortSignal(signal: AbortSignal, reason: unknown): void {
  if (signal.aborted) return;
  signal.aborted = true;
  signal.reason = reason ?? new DOMException("aborted", "AbortError");
  const event = new Event("abort");
  signal.onabort?.(event);
  signal.dispatchEvent(event);
}

export class AbortController {
  readonly signal = new AbortSignal();

  abort(reason?: unknown): void {
    abortSignal(this.signal, reason);
  }
}
