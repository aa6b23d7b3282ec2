import { breachText, type Clock } from "@shallop/sdk/internal";
import type { RequestHead, StreamHandlers, WireFaultCode } from "@shallop/sdk/wire";
import type { GuestRequest, Instance } from "../component/engine.ts";
import { GuestFault, type GuestFaultCode } from "../component/guest-fault.ts";
import { ByteQueue } from "../component/wasi/byte-queue.ts";
import type { Expiring } from "./open-calls.ts";
import { type GuestStream, WireResponse } from "./wire-response.ts";

export interface GuestCallSettings {
  readonly clock: Clock;
  /** The pod's own limit; the gateway may ask for less. */
  readonly requestTimeoutMs: number;
  readonly memoryBytesMax: number;
  /** Told when the guest is at work for a request, and when it is not. */
  readonly running?: (call: GuestCall, isRunning: boolean) => void;
  readonly instances: InstanceSource;
  readonly instancesMax: number;
  /** The request has met a limit; the sentence says which. */
  readonly breached: (code: WireFaultCode, text: string) => void;
  /** A line for the pod's log, with the headers of the request that it is about. */
  readonly log: (text: string, requestHeaders: readonly string[]) => void;
  /** The call is over, however it ended. */
  readonly ended: (call: GuestCall) => void;
}

/** Where a request's instance comes from. */
export interface InstanceSource {
  /** One that is there and needs only to be taken; undefined when there is none, or when others wait for one already. */
  takeNow(wanted: () => boolean): Instance | undefined;
  /** Undefined when it is not `wanted` any more by the time there is one; `starting` is told while the guest starts. */
  take(wanted: () => boolean, starting: (isStarting: boolean) => void): Promise<Instance | undefined>;
}

let lastNumber = 0;

/** One request on its way through one instance. Ends exactly once: answered, failed, too late, or its client gone. */
export class GuestCall implements Expiring<GuestCall>, StreamHandlers {
  /** Of this call, in its thread; a request that comes twice has two. */
  readonly number = ++lastNumber;
  readonly deadlineMs: number;
  /** For the list of those that are open. */
  previous: GuestCall | undefined;
  next: GuestCall | undefined;
  readonly #head: RequestHead;
  readonly #stream: GuestStream;
  readonly #settings: GuestCallSettings;
  readonly #body: ByteQueue;
  readonly #response: WireResponse;
  readonly #timeoutMs: number;
  readonly #startedMs: number;
  #instantiatedMs: number;
  #instance: Instance | undefined;
  /** Of an instance; the one before may still come. */
  #tries = 0;
  #isAtWork = false;
  readonly #running = (isRunning: boolean): void => {
    this.#isAtWork = isRunning;
    this.#settings.running?.(this, isRunning);
  };
  #over = false;
  #trailers: readonly string[] = [];
  readonly #trailersOf = (): readonly string[] => this.#trailers;

  constructor(head: RequestHead, stream: GuestStream, settings: GuestCallSettings) {
    this.#head = head;
    this.#stream = stream;
    this.#settings = settings;
    this.#startedMs = settings.clock.nowMs();
    this.#instantiatedMs = this.#startedMs;
    this.#timeoutMs = Math.max(0, Math.min(settings.requestTimeoutMs, head.timeoutMs));
    this.deadlineMs = this.#startedMs + this.#timeoutMs;
    this.#body = new ByteQueue((byteCount) => stream.consumed(byteCount));
    this.#response = new WireResponse(stream, () => this.#phases());
  }

  /** For its stream: bytes of the request's body. */
  data(chunk: Uint8Array): void {
    this.#body.push(chunk);
  }

  /** For its stream: the request is complete. */
  end(trailers: readonly string[] = []): void {
    this.#trailers = trailers;
    this.#body.end();
  }

  /** For its stream: nobody waits for the answer any more. */
  failed(): void {
    this.#end();
  }

  /** For its stream: what was written has left. */
  writable(): void {
    this.#response.writable();
  }

  /**
   * Begins, in a microtask: a guest that is taken off the thread takes along whatever called it, which shall be no parser of
   * a connection. Not by `queueMicrotask`, which Node counts as it does timers.
   */
  run(): void {
    const tries = ++this.#tries;
    const wanted = (): boolean => !this.#over && tries === this.#tries;
    void Promise.resolve().then(() => (wanted() ? this.#begin(wanted) : undefined));
  }

  async #begin(wanted: () => boolean): Promise<void> {
    const { instances, clock } = this.#settings;
    try {
      const instance = instances.takeNow(wanted) ?? (await instances.take(wanted, this.#running));
      if (instance === undefined) return;
      if (!wanted()) return instance.dispose();
      this.#instance = instance;
      this.#instantiatedMs = clock.nowMs();
      const handled = instance.handle(this.#request(), this.#response);
      // The guest has returned, or it waits.
      this.#stream.uncork?.();
      await handled;
      this.#returned();
    } catch (error) {
      // One that was lost with an interrupted guest, and begun again, is none of this one's.
      if (this.#instance !== undefined || wanted()) this.#failedWith(error);
    }
  }

  #request(): GuestRequest {
    const { method, target, scheme, authority, headers } = this.#head;
    return {
      method,
      target,
      scheme,
      authority,
      headers,
      body: this.#body,
      running: this.#running,
      trailers: this.#trailersOf,
    };
  }

  /** A guest is at work for it; between two turns of the event loop: one was, and was taken off the thread. */
  get isAtWork(): boolean {
    return this.#isAtWork;
  }

  /** The guest was taken off the thread. Nothing of it will be heard again. */
  interrupted(code: WireFaultCode, message: string): void {
    this.#isAtWork = false;
    if (code === "CANCELLED") this.#fail(code, message);
    else this.#breach(code, message);
  }

  /**
   * Another guest was taken off the thread, with all that was to follow in the same turn of the event loop: an instance on
   * its way here, or a guest that was just to go on, which nothing will wake again.
   */
  goOn(): void {
    if (this.#over) return;
    if (this.#instance === undefined) return this.run();
    if (!this.#isAtWork && !this.#instance.isWoken()) return;
    if (this.#response.outcome !== undefined) return this.#end();
    this.#fail("CONNECTION_LOST", "it was lost when another request of the pod was stopped");
  }

  /** Ends the call now. */
  abort(code: WireFaultCode, message: string): void {
    this.#fail(code, message);
  }

  get requestId(): string {
    return this.#head.requestId;
  }

  get stream(): GuestStream {
    return this.#stream;
  }

  #returned(): void {
    // A guest of WASI 0.3 comes to its end after it was given up.
    if (this.#over) return;
    const { outcome } = this.#response;
    if (outcome === undefined) {
      this.#fail("GUEST_FAILED", "the guest returned before its answer was complete");
    } else {
      if (outcome.failure !== undefined) this.#logFailure(outcome.failure);
      this.#end();
    }
  }

  #failedWith(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    // What the guest has answered completely before it trapped has been answered.
    if (this.#response.outcome !== undefined) {
      if (!this.#over) this.#logFailure(this.#response.outcome.failure ?? message);
      return this.#end();
    }
    if (error instanceof GuestFault && limitCodes.has(error.code)) return this.#breach(error.code, message);
    if (this.#isOutOfMemory(error, message)) {
      return this.#breach("GUEST_MEMORY", breachText("memoryBytes", this.#settings.memoryBytesMax), message);
    }
    const met = this.#instance?.breach();
    if (met !== undefined) return this.#breach(met.code, met.message, message);
    this.#fail("GUEST_FAILED", message);
  }

  /** One that no instance was free for has not begun. */
  late(): void {
    const { instancesMax } = this.#settings;
    const hasBegun = this.#instance !== undefined || this.#isAtWork;
    if (hasBegun) this.#breach("GUEST_TIMEOUT", breachText("requestTimeoutMs", this.#timeoutMs));
    else this.#breach("REFUSED", breachText("instancesMax", instancesMax), "it waited for an instance");
  }

  /** A limit was met. `text` is for the caller and the pod's event, `detail` for the log. */
  #breach(code: WireFaultCode, text: string, detail?: string): void {
    if (!this.#over) this.#settings.breached(code, text);
    this.#fail(code, text, detail);
  }

  /**
   * A guest that gets no more memory ends in whatever way its language has: a trap, a message, an exit. It was memory
   * when the instance is near its cap, or says so itself.
   */
  #isOutOfMemory(error: unknown, message: string): boolean {
    if (error instanceof GuestFault && error.code === "GUEST_MEMORY") return true;
    const usedBytes = this.#instance?.memoryBytes() ?? 0;
    return (
      usedBytes >= this.#settings.memoryBytesMax * 0.75 || /out of memory|allocation of \d+ bytes failed/i.test(message)
    );
  }

  #fail(code: WireFaultCode, message: string, detail?: string): void {
    if (this.#over) return;
    this.#logFailure(detail === undefined ? message : `${message} (${detail})`);
    this.#stream.abort(code, message);
    this.#end();
  }

  #logFailure(message: string): void {
    this.#settings.log(`shallop: request ${this.#head.requestId} failed: ${message}`, this.#head.headers);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#instance?.dispose();
    this.#settings.ended(this);
  }

  #phases(): Readonly<Record<string, number>> {
    const nowMs = this.#settings.clock.nowMs();
    return {
      instantiate: round(this.#instantiatedMs - this.#startedMs),
      handle: round(nowMs - this.#instantiatedMs),
    };
  }
}

const limitCodes: ReadonlySet<string> = new Set<GuestFaultCode>([
  "REFUSED",
  "GUEST_CPU",
  "GUEST_TIMEOUT",
  "GUEST_TABLE",
  "GUEST_HANDLES",
  "GUEST_CONNECTIONS",
  "GUEST_HEADERS",
  "GUEST_LIMIT",
]);

const round = (milliseconds: number): number => Math.round(milliseconds * 1000) / 1000;
