import type { CoreValue } from "../abi/codec.ts";
import { GuestFault } from "../guest-fault.ts";
import type { LiveInstance, LiveTurn } from "./live-instance.ts";

/** A call out of a guest whose answer is not there. */
export interface PendingCall {
  readonly answer: Promise<unknown>;
  /** Hands the answer over, when the guest runs again. @returns the core function's own result @throws GuestFault */
  readonly finish: (answer: unknown) => CoreValue | void;
}

/** How the guests of the synchronous ABI wait: what the waiting shim asks and tells. */
export class Waits {
  /** 1: the call is not over, and what the core function has returned is of no meaning. */
  readonly pending = new WebAssembly.Global({ value: "i32", mutable: true }, 0);
  readonly #live: LiveInstance;
  /** The call that the shim is about to wait for. */
  #call: PendingCall | undefined;
  /** Calls whose answer is there: one for each component that called another, and the last of them the host. */
  readonly #answered = new Map<number, AnsweredCall>();
  #ids = 0;
  /** Since the last `reset`. */
  #isUsed = false;

  constructor(live: LiveInstance) {
    this.#live = live;
  }

  /** The call is not over: the shim shall wait for it. */
  suspend(call: PendingCall): void {
    // Where the guest cannot be suspended nobody waits for the answer, and nobody is to be told how it ended.
    call.answer.catch(() => undefined);
    this.#isUsed = true;
    this.#call = call;
    this.pending.value = 1;
    // Until the shim has come to wait the guest is over: it can catch that it cannot be suspended, and must not go on.
    this.#live.guest.fault ??= cannotWait;
  }

  /** The shim's `wait`. */
  readonly wait = async (): Promise<number> => {
    const live = this.#live;
    const call = this.#call;
    if (call === undefined) throw new TypeError("a guest waits for nothing");
    if (live.guest.fault === cannotWait) live.guest.fault = undefined;
    this.#call = undefined;
    this.pending.value = 0;
    const { turn, running } = live;
    if (turn !== undefined) turn.isSuspended = true;
    running?.(false);
    const finish = await answered(call);
    // Its memory is another's, who must not meet what it would still do.
    if (turn?.isLeft === true) return new Promise<never>(() => undefined);
    const id = ++this.#ids;
    this.#answered.set(id, { turn, finish });
    running?.(true);
    return id;
  };

  /** The shim's `finish`: the guest runs again. */
  readonly finish = (id: number): CoreValue | void => {
    const live = this.#live;
    const call = this.#answered.get(id);
    if (call === undefined) throw new TypeError("a guest went on by itself");
    this.#answered.delete(id);
    const { turn, finish } = call;
    turn?.begin();
    // It may have ended while this call was waited for.
    if (live.guest.fault !== undefined) throw live.guest.fault;
    try {
      return finish();
    } catch (error) {
      throw live.ended(error);
    }
  };

  reset(): void {
    // Most requests wait for nothing. A map that is cleared all the same keeps alive what follows: see ../../host/linked-list.ts.
    if (!this.#isUsed) return;
    this.#isUsed = false;
    this.#call = undefined;
    this.pending.value = 0;
    this.#answered.clear();
  }
}

interface AnsweredCall {
  /** Whose call it was. */
  readonly turn: LiveTurn | undefined;
  readonly finish: () => CoreValue | void;
}

/**
 * What is to be done when the guest runs again. It is told there, and not by a promise that is rejected, that its call has failed: what
 * a guest then catches it does in its own memory.
 */
async function answered(call: PendingCall): Promise<() => CoreValue | void> {
  try {
    const answer = await call.answer;
    return () => call.finish(answer);
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** JSPI suspends what was entered so that it can be: a start function that was left in its module is not. */
const cannotWait = new GuestFault("GUEST_FAILED", "the guest had to wait where it cannot be suspended");
