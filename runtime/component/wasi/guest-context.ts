import type { Clock, Random } from "@shallop/sdk/internal";
import type { Egress } from "../egress/egress.ts";
import { GuestFault } from "../guest-fault.ts";

/** All that an instance may see of the world. */
export interface GuestSettings {
  /** What `wasi:cli/environment` answers: the pod's own, and nothing of the node's. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly clock: Clock;
  readonly random: Random;
  readonly egress: Egress;
  /** Bytes that the guest wrote to its standard output or error. */
  readonly log: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
  /** The instance is over: no more output will come. */
  readonly ended: () => void;
  readonly bounds: GuestBounds;
}

/** What one instance may hold. */
export interface GuestBounds {
  readonly handlesMax: number;
  readonly fieldsMax: number;
  readonly fieldBytesMax: number;
  /** Bytes of one outgoing stream that may wait for their reader. */
  readonly bufferBytesMax: number;
  readonly outgoingRequestsMax: number;
}

export const guestBounds: GuestBounds = {
  // A guest that streams needs a dozen; one that makes a million must not fill the thread's heap (100 bytes each).
  handlesMax: 10_000,
  // Above what any server accepts (100 to 256), below what makes copying slow.
  fieldsMax: 512,
  // What the gateway takes in a response head, with room for JSON.
  fieldBytesMax: 64 * 1024,
  // One frame of the wire protocol.
  bufferBytesMax: 64 * 1024,
  // Browsers use 6 a host; a fan-out of 32 is generous, and bounds the sockets of a pod with 100 requests to 3,200.
  outgoingRequestsMax: 32,
};

/** What one instance holds at this moment. */
export class GuestContext {
  readonly settings: GuestSettings;
  readonly #endings = new Set<() => void>();
  #handles = 0;
  #ended = false;

  constructor(settings: GuestSettings) {
    this.settings = settings;
  }

  get handleCount(): number {
    return this.#handles;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** @throws GuestFault GUEST_LIMIT */
  acquireHandle(): void {
    if (this.#handles >= this.settings.bounds.handlesMax) {
      throw new GuestFault("GUEST_LIMIT", `the guest holds ${this.#handles} handles and asked for one more`);
    }
    this.#handles++;
  }

  releaseHandle(): void {
    this.#handles--;
  }

  /** Calls `run` when the instance ends. Returns how to take it back. */
  onEnd(run: () => void): () => void {
    if (this.#ended) {
      run();
      return () => undefined;
    }
    this.#endings.add(run);
    return () => this.#endings.delete(run);
  }

  /** The instance is over: timers and connections are closed, nobody is woken. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const endings = [...this.#endings];
    this.#endings.clear();
    for (const ending of endings) ending();
    this.settings.ended();
  }
}
