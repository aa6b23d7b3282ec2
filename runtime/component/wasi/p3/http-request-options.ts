import type { Caller, GuestContext } from "../guest-context.ts";
import type { GuestTimeouts } from "../http-call-target.ts";
import { guestClass, Resource } from "../resource.ts";
import { done, err, type Result } from "../result.ts";

type Outcome = Result<undefined, { readonly tag: "immutable" }>;

const none: GuestTimeouts = { connectNs: undefined, firstByteNs: undefined, betweenBytesNs: undefined };

/** `wasi:http/types.request-options`. */
export class RequestOptions extends Resource {
  #timeouts: GuestTimeouts;
  readonly #isImmutable: boolean;

  constructor(context: GuestContext, timeouts = none, isImmutable = false) {
    super(context);
    this.#timeouts = timeouts;
    this.#isImmutable = isImmutable;
  }

  getConnectTimeout(): bigint | undefined {
    return this.#timeouts.connectNs;
  }

  setConnectTimeout(connectNs: bigint | undefined): Outcome {
    return this.#set({ connectNs });
  }

  getFirstByteTimeout(): bigint | undefined {
    return this.#timeouts.firstByteNs;
  }

  setFirstByteTimeout(firstByteNs: bigint | undefined): Outcome {
    return this.#set({ firstByteNs });
  }

  getBetweenBytesTimeout(): bigint | undefined {
    return this.#timeouts.betweenBytesNs;
  }

  setBetweenBytesTimeout(betweenBytesNs: bigint | undefined): Outcome {
    return this.#set({ betweenBytesNs });
  }

  clone(): RequestOptions {
    return new RequestOptions(this.context, this.#timeouts);
  }

  /** Another handle of the same, for `get-options`. */
  immutableCopy(): RequestOptions {
    return new RequestOptions(this.context, this.#timeouts, true);
  }

  /** A message's own, which no handle of the guest counts any more. */
  owned(): this {
    this[Symbol.dispose]();
    return this;
  }

  /** For the client. */
  get timeouts(): GuestTimeouts {
    return this.#timeouts;
  }

  #set(change: Partial<GuestTimeouts>): Outcome {
    if (this.#isImmutable) return err({ tag: "immutable" });
    this.#timeouts = { ...this.#timeouts, ...change };
    return done;
  }
}

/** The class as one instance sees it. */
export const requestOptionsClass = (caller: Caller): object =>
  guestClass(RequestOptions, () => new RequestOptions(caller.context), {});
