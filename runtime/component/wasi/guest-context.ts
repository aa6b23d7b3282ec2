import { breachText, type Clock, guestLimitDefaults, type GuestLimits, type Random } from "@shallop/sdk/internal";
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
  readonly log: GuestOutput["write"];
  /** The instance is over: no more output will come. */
  readonly ended: () => void;
  readonly bounds: GuestBounds;
  /** Several calls may be in the instance at once, or come one after the other. */
  readonly isShared: boolean;
}

/** What a guest gets that was granted nothing beside its environment; a launch writes its grants after it. */
export const noGrants = {
  arguments: [],
  initialCwd: undefined,
  directories: [],
  stdin: undefined,
  terminals: [],
  isShared: false,
} as const satisfies Partial<GuestSettings>;

/** Where the output of one instance goes. */
export interface GuestOutput {
  /** `requestHeaders`: of the request that the instance serves, where there is no doubt which. */
  write(stream: "stdout" | "stderr", bytes: Uint8Array, requestHeaders?: readonly string[]): void;
  /** The instance is over. */
  end(): void;
}

/** Settings for one instance of many that differ in nothing but their output. */
export function withLog(settings: Omit<GuestSettings, "log" | "ended">, output: GuestOutput): GuestSettings {
  // Field by field: this is done for every request, and costs a tenth of what copying by `...` does.
  return {
    environment: settings.environment,
    arguments: settings.arguments,
    initialCwd: settings.initialCwd,
    directories: settings.directories,
    stdin: settings.stdin,
    terminals: settings.terminals,
    clock: settings.clock,
    random: settings.random,
    egress: settings.egress,
    log: (stream, bytes, requestHeaders) => output.write(stream, bytes, requestHeaders),
    ended: () => output.end(),
    bounds: settings.bounds,
    isShared: settings.isShared,
  };
}

/** What one instance may hold. */
export interface GuestBounds extends Pick<
  GuestLimits,
  "handlesMax" | "tableEntriesMax" | "headersMax" | "headerBytesMax" | "bufferBytesMax" | "connectionsMax"
> {
  readonly openFilesMax: number;
}

// A process has 1,024 descriptors at least, often 20,000 and more; its instances share them.
const openFilesMax = 256;

export const guestBoundsOf = (limits: GuestLimits): GuestBounds => ({ ...limits, openFilesMax });

/** Of a guest for which nobody has said otherwise. */
export const guestBounds: GuestBounds = guestBoundsOf(guestLimitDefaults);

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

/** Who calls the host's functions: one instance, or at each request another one that is made of the same fork. */
export interface Caller {
  readonly context: GuestContext;
}

/** What one instance holds at this moment. */
export class GuestContext {
  readonly settings: GuestSettings;
  /** What the guest waits for is there; it is told in this turn of the event loop. */
  isWoken = false;
  /** A limit that the guest has met and may have survived. */
  breach: GuestFault | undefined;
  /** Headers of the request that it serves; undefined while it serves several: what it calls out for, or says, is then nobody's. */
  requestHeaders: readonly string[] | undefined;
  // Made when they are first needed: most requests open nothing and wait for nothing.
  #openFiles: Allowance | undefined;
  #connections: Allowance | undefined;
  #endings: Set<() => void> | undefined;
  #handles = 0;
  #ended = false;

  constructor(settings: GuestSettings) {
    this.settings = settings;
  }

  get openFiles(): Allowance {
    return (this.#openFiles ??= new Allowance(this.settings.bounds.openFilesMax));
  }

  /** Of sockets and outgoing requests. */
  get connections(): Allowance {
    return (this.#connections ??= new Allowance(this.settings.bounds.connectionsMax));
  }

  get handleCount(): number {
    return this.#handles;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** @throws GuestFault GUEST_HANDLES */
  acquireHandle(): void {
    const { handlesMax } = this.settings.bounds;
    if (this.#handles >= handlesMax) throw new GuestFault("GUEST_HANDLES", breachText("handlesMax", handlesMax));
    this.#handles++;
  }

  releaseHandle(): void {
    this.#handles--;
  }

  /**
   * One connection more. When there are as many as may be the guest is told so by an error of the interface, which it may
   * survive: what it was told is kept, for the case that it does not.
   */
  takeConnection(): boolean {
    if (this.connections.take()) return true;
    this.breach ??= new GuestFault(
      "GUEST_CONNECTIONS",
      breachText("connectionsMax", this.settings.bounds.connectionsMax),
    );
    return false;
  }

  /** Calls `run` when the instance ends. Returns how to take it back. */
  onEnd(run: () => void): () => void {
    if (this.#ended) {
      run();
      return () => undefined;
    }
    const endings = (this.#endings ??= new Set());
    endings.add(run);
    return () => endings.delete(run);
  }

  /** The instance is over: timers and connections are closed, nobody is woken. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const endings = this.#endings;
    this.#endings = undefined;
    if (endings !== undefined) for (const ending of [...endings]) ending();
    this.settings.ended();
  }
}
