import { type Clock, describeError, type Log, type Timer } from "@shallop/sdk/internal";
import type { LiveGateway, PeerMessage } from "@shallop/sdk/wire";

// What waits for a gateway that is slow or away. Topics are for what is of interest now: the oldest goes first.
const waitingMax = 10_000;
const waitingBytesMax = 8 * 1024 * 1024;
// One question; a message that is larger goes alone.
export const batchBytesMax = 1024 * 1024;
// Between tries while it is away.
const pauseMs = 1_000;
const sendTimeoutMs = 5_000;

export interface PeerGatewaysOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** This gateway's own name. */
  readonly name: string;
  readonly send: (address: string, messages: readonly PeerMessage[], signal: AbortSignal) => Promise<void>;
  /** So many messages have not reached another gateway, or nobody knows whether they have. */
  readonly lost: (count: number) => void;
}

/**
 * The cluster's other gateways, as the control plane has last named them. While that is away, the last word holds. What is said to them
 * arrives once or not at all, in the order in which it was said.
 */
export class PeerGateways {
  readonly #options: PeerGatewaysOptions;
  readonly #wayByAddress = new Map<string, PeerWay>();
  #count = 1;

  constructor(options: PeerGatewaysOptions) {
    this.#options = options;
  }

  /** How many gateways the cluster has, with this one. */
  get count(): number {
    return this.#count;
  }

  get isEmpty(): boolean {
    return this.#wayByAddress.size === 0;
  }

  /** All that live by the control plane's word, this one among them or not. */
  know(gateways: readonly LiveGateway[]): void {
    const others = gateways.filter(({ name }) => name !== this.#options.name);
    this.#count = others.length + 1;
    const addresses = new Set(others.flatMap(({ peerAddress }) => peerAddress ?? []));
    for (const [address, way] of this.#wayByAddress) {
      if (addresses.has(address)) continue;
      way.close();
      this.#wayByAddress.delete(address);
    }
    for (const address of addresses) {
      if (!this.#wayByAddress.has(address)) this.#wayByAddress.set(address, new PeerWay(address, this.#options));
    }
  }

  tell(message: PeerMessage): void {
    for (const way of this.#wayByAddress.values()) way.tell(message);
  }

  close(): void {
    for (const way of this.#wayByAddress.values()) way.close();
    this.#wayByAddress.clear();
  }
}

interface Waiting {
  readonly message: PeerMessage;
  readonly bytes: number;
}

/** What is on its way to one gateway: a question at a time, and what has gathered meanwhile is the next one. */
class PeerWay {
  readonly #address: string;
  readonly #options: PeerGatewaysOptions;
  readonly #closed = new AbortController();
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #isSending = false;
  #pause: Timer | undefined;
  #isAway = false;

  constructor(address: string, options: PeerGatewaysOptions) {
    this.#address = address;
    this.#options = options;
  }

  tell(message: PeerMessage): void {
    const { data } = message;
    const bytes = typeof data === "string" ? data.length : data.base64.length;
    this.#waiting.push({ message, bytes });
    this.#waitingBytes += bytes;
    while (this.#waiting.length > waitingMax || (this.#waitingBytes > waitingBytesMax && this.#waiting.length > 1))
      this.#waitingBytes -= this.#dropOldest();
    if (!this.#isSending && this.#pause === undefined) void this.#send();
  }

  close(): void {
    this.#closed.abort(new Error("the gateway is gone"));
    this.#pause?.cancel();
    this.#lose(this.#waiting.length);
    this.#waiting = [];
  }

  /** @returns its bytes */
  #dropOldest(): number {
    this.#lose(1);
    return this.#waiting.shift()?.bytes ?? 0;
  }

  #lose(count: number): void {
    if (count > 0) this.#options.lost(count);
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    const { clock, log, send } = this.#options;
    const gateway = this.#address;
    while (this.#waiting.length > 0 && this.#pause === undefined) {
      const late = new AbortController();
      const timer = clock.after(sendTimeoutMs, () => late.abort(new Error("it did not answer in time")));
      const batch = this.#batch();
      try {
        await send(gateway, batch, AbortSignal.any([late.signal, this.#closed.signal]));
        if (this.#isAway) log.info("a gateway hears messages for WebSockets again", { gateway });
        this.#isAway = false;
      } catch (error) {
        // It may have heard them: nothing is said twice.
        this.#lose(batch.length);
        if (!this.#isAway && !this.#closed.signal.aborted)
          log.warn("messages for WebSockets of another gateway are lost", { gateway, reason: describeError(error) });
        this.#isAway = true;
        if (!this.#closed.signal.aborted) this.#pause = clock.after(pauseMs, () => this.#resume());
      } finally {
        timer.cancel();
      }
    }
    this.#isSending = false;
  }

  #resume(): void {
    this.#pause = undefined;
    if (!this.#isSending) void this.#send();
  }

  #batch(): readonly PeerMessage[] {
    let count = 0;
    let bytes = 0;
    for (const one of this.#waiting) {
      if (count > 0 && bytes + one.bytes > batchBytesMax) break;
      bytes += one.bytes;
      count++;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count).map(({ message }) => message);
  }
}
