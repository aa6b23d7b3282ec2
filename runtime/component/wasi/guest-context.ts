import type { Clock, Random } from "@shallop/sdk/internal";
import type { Egress } from "../egress/egress.ts";
import { GuestFault } from "../guest-fault.ts";
import type { ByteQueue } from "./byte-queue.ts";

/** A directory of the node that a guest may use. */
export interface GrantedDirectory {
  /** Path on the node; absolute. */
  readonly host: string;
  /** What the guest calls it. */
  readonly guest: string;
  readonly writable: boolean;
}

export type StandardStream = "stdin" | "stdout" | "stderr";

/** All that an instance may see of the world. */
export interface GuestSettings {
  /** What `wasi:cli/environment` answers: the pod's own, and nothing of the node's. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** The program's arguments, its name first. */
  readonly arguments: readonly string[];
  readonly initialCwd: string | undefined;
  /** The only directories that there are. */
  readonly directories: readonly GrantedDirectory[];
  /** Standard input; undefined = at its end from the beginning. */
  readonly stdin: ByteQueue | undefined;
  /** Which standard streams are a terminal. */
  readonly terminals: readonly StandardStream[];
  readonly clock: Clock;
  readonly random: Random;
  readonly egress: Egress;
  /** Bytes that the guest wrote to its standard output or error. */
  readonly log: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
  /** The instance is over: no more output will come. */
  readonly ended: () => void;
  readonly bounds: GuestBounds;
}

/** What a guest gets that was granted nothing beside its environment; a launch writes its grants after it. */
export const noGrants = {
  arguments: [],
  initialCwd: undefined,
  directories: [],
  stdin: undefined,
  terminals: [],
} as const satisfies Partial<GuestSettings>;

/** What one instance may hold. */
export interface GuestBounds {
  readonly handlesMax: number;
  readonly fieldsMax: number;
  readonly fieldBytesMax: number;
  /** Bytes of one outgoing stream that may wait for their reader. */
  readonly bufferBytesMax: number;
  readonly outgoingRequestsMax: number;
  readonly openFilesMax: number;
  readonly socketsMax: number;
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
  // A process has 1,024 descriptors at least, often 20,000 and more; its pods share them.
  openFilesMax: 256,
  // As outgoing requests, with room for a pool of connections to a database.
  socketsMax: 64,
};

/** A number of things that may be held at once. */
export class Allowance {
  readonly #max: number;
  #held = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** False when all are held; otherwise one more is, until `give`. */
  take(): boolean {
    if (this.#held >= this.#max) return false;
    this.#held++;
    return true;
  }

  give(): void {
    this.#held--;
  }

  get held(): number {
    return this.#held;
  }
}

/** What one instance holds at this moment. */
export class GuestContext {
  readonly settings: GuestSettings;
  readonly openFiles: Allowance;
  readonly sockets: Allowance;
  readonly outgoingRequests: Allowance;
  readonly #endings = new Set<() => void>();
  #handles = 0;
  #ended = false;

  constructor(settings: GuestSettings) {
    this.settings = settings;
    this.openFiles = new Allowance(settings.bounds.openFilesMax);
    this.sockets = new Allowance(settings.bounds.socketsMax);
    this.outgoingRequests = new Allowance(settings.bounds.outgoingRequestsMax);
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
