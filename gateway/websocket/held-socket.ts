import type { Duplex } from "node:stream";
import { type Clock, describeError, type Timer } from "@shallop/sdk/internal";
import { type WebSocketAction, type WebSocketData, webSocketStateBytesMax, webSocketType } from "@shallop/sdk/wire";
import { WebSocket } from "ws";
import type { GatewayLimits } from "../limits.ts";
import { headerValue } from "../route/predicates.ts";
import { ActionReader, lineBytesMaxFor, sentData } from "./actions.ts";
import type { CallSink } from "./call-end.ts";

/** What the function is told of a connection. */
export type SocketEvent =
  | { readonly kind: "message"; readonly data: Buffer; readonly isBinary: boolean }
  | { readonly kind: "close"; readonly code: number; readonly reason: Buffer };

/** What a connection asks of those around it. */
export interface SocketOwner {
  readonly clock: Clock;
  readonly limits: GatewayLimits;
  /** Calls the function; `sink` hears of the answer's end once, whatever becomes of the call. */
  call(socket: HeldSocket, event: SocketEvent, sink: CallSink): void;
  send(from: HeldSocket, data: WebSocketData, to: Addressee): void;
  subscribe(socket: HeldSocket, topic: string): void;
  unsubscribe(socket: HeldSocket, topic: string): void;
  /** The function gave an answer that is none. */
  complain(socket: HeldSocket, reason: string): void;
  /** It is closed, and its function has been told. */
  over(socket: HeldSocket): void;
}

export interface Addressee {
  readonly id: string | undefined;
  readonly topic: string | undefined;
}

export interface HeldSocketOptions {
  readonly id: string;
  readonly owner: SocketOwner;
  readonly webSocket: WebSocket;
  /** What the frames are on. */
  readonly stream: Duplex;
  /** Longest silence of both sides; 0 = any. */
  readonly idleTimeoutMs: number;
  readonly events: ReadonlySet<string>;
}

// A window in which messages are counted.
const rateWindowMs = 1_000;
// Topics of one connection; each costs about 100 bytes.
const topicsMax = 100;
// A reason in a close frame (RFC 6455, 5.5): 125 bytes, two of which are the code.
const reasonBytesMax = 123;

// The first round may have begun within half of itself of what was heard, and has no ping.
const silentRoundsMax = 2;

/**
 * One WebSocket of a client that the gateway holds for a component. What the client says is told to the function in order, one
 * call at a time; what waits is bounded, and then the client is not read.
 */
export class HeldSocket {
  readonly id: string;
  readonly #owner: SocketOwner;
  readonly #webSocket: WebSocket;
  readonly #stream: Duplex;
  readonly #idleTimeoutMs: number;
  readonly #events: ReadonlySet<string>;
  readonly topics = new Set<string>();
  /** JSON in ASCII. */
  state: string | undefined;
  #queue: SocketEvent[] = [];
  #queuedBytes = 0;
  /** The call of `open` is under way. */
  #isBusy = true;
  #isClosing = false;
  #isDraining = false;
  #windowMs = 0;
  #windowCount = 0;
  #rateTimer: Timer | undefined;
  #lastMessageMs: number;
  #lastHeardMs: number;
  /** Rounds of `sweep` since then; those in which nobody reads, or has no processor to read, are none. */
  #silentRounds = 0;
  #drained: (() => void) | undefined;

  constructor({ id, owner, webSocket, stream, idleTimeoutMs, events }: HeldSocketOptions) {
    this.id = id;
    this.#owner = owner;
    this.#webSocket = webSocket;
    this.#stream = stream;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#events = events;
    this.#lastMessageMs = owner.clock.nowMs();
    this.#lastHeardMs = this.#lastMessageMs;
    webSocket.on("message", (data, isBinary) => this.#message(data as Buffer, isBinary));
    webSocket.on("ping", this.#heard);
    webSocket.on("pong", this.#heard);
    // The library has told the client why, by 1002, 1007 or 1009; its close is what matters here.
    webSocket.on("error", () => undefined);
    webSocket.once("close", (code, reason) => this.#closed(code, reason));
  }

  /** Where the answer of a call goes: its lines are carried out as they come. */
  sink(): CallSink {
    const reader = this.#reader();
    let status = 0;
    let isOurs = false;
    return {
      head: (given, headers) => {
        status = given;
        isOurs = given === 200 && headerValue(headers, "content-type") === webSocketType;
      },
      data: (chunk) => !isOurs || this.#take(reader, chunk),
      onceDrained: (listener) => this.#onceDrained(listener),
      end: (isWhole) => {
        if (isWhole && isOurs) this.#try(() => reader.end());
        // Who is told to come later may; who is told that the function failed need not.
        else this.close(status === 429 || status === 503 ? 1013 : 1011, "the function failed");
        this.called();
      },
    };
  }

  act(action: WebSocketAction): void {
    if ("send" in action) this.#send(action.send, { to: undefined, topic: undefined, ...action });
    else if ("subscribe" in action) this.#subscribe(action.subscribe);
    else if ("unsubscribe" in action) {
      this.topics.delete(action.unsubscribe);
      this.#owner.unsubscribe(this, action.unsubscribe);
    } else if ("state" in action) this.#setState(action.state);
    else if ("close" in action) this.close(action.close, action.reason);
    else throw new Error("accept is the first line of the answer to open, and of no other");
  }

  /** The call under way is over. */
  called(): void {
    this.#isBusy = false;
    this.#next();
  }

  /** Another connection's function, or another call, has something for this client. One that does not read is given up. */
  deliver(data: Buffer | string, isBinary: boolean): void {
    if (this.#webSocket.readyState !== WebSocket.OPEN) return;
    this.#lastMessageMs = this.#owner.clock.nowMs();
    this.#webSocket.send(data, { binary: isBinary });
    if (this.#isBehind()) this.#giveUp();
  }

  /** Closes it; a reason that is too long is cut. */
  close(code: number, reason = ""): void {
    this.#isClosing = true;
    this.#queue = this.#queue.filter(({ kind }) => kind === "close");
    this.#queuedBytes = 0;
    this.#webSocket.close(code, cut(reason));
    this.#pauseOrResume();
  }

  /** The gateway stops: what has come is told to the function, and then the client is to come back. */
  drain(): void {
    this.#isDraining = true;
    this.#pauseOrResume();
    this.#next();
  }

  /** Asks whether the client is there, and ends what has been silent for too long. Called every `pingMs`. */
  sweep(nowMs: number, pingMs: number): void {
    const { readyState } = this.#webSocket;
    if (readyState !== WebSocket.OPEN) return;
    if (this.#idleTimeoutMs > 0 && nowMs - this.#lastMessageMs >= this.#idleTimeoutMs)
      return this.close(1001, "nothing was said for too long");
    if (this.#webSocket.isPaused) return;
    // A ping has had a whole round for its answer.
    if (++this.#silentRounds > silentRoundsMax) return this.#webSocket.terminate();
    if (nowMs - this.#lastHeardMs >= pingMs / 2) this.#webSocket.ping();
  }

  #reader(): ActionReader {
    return new ActionReader(lineBytesMaxFor(this.#owner.limits.webSocketMessageBytesMax), (action) => this.act(action));
  }

  /** @returns false when the client is to read first */
  #take(reader: ActionReader, chunk: Buffer): boolean {
    if (!this.#isClosing) this.#try(() => reader.take(chunk));
    return this.#isClosing || !this.#stream.writableNeedDrain;
  }

  #try(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#owner.complain(this, describeError(error));
      this.close(1011, "the function gave an answer that is none");
    }
  }

  #onceDrained(listener: () => void): void {
    if (this.#webSocket.readyState === WebSocket.CLOSED) return process.nextTick(listener);
    const once = (): void => {
      if (this.#drained !== once) return;
      this.#drained = undefined;
      listener();
    };
    this.#drained = once;
    this.#stream.once("drain", once);
  }

  #send(given: WebSocketData, { to, topic }: Pick<Addressee, "topic"> & { readonly to: string | undefined }): void {
    if (to !== undefined || topic !== undefined) return this.#owner.send(this, given, { id: to, topic });
    const { data, isBinary } = sentData(given);
    if (this.#webSocket.readyState !== WebSocket.OPEN) return;
    this.#lastMessageMs = this.#owner.clock.nowMs();
    this.#webSocket.send(data, { binary: isBinary });
  }

  #subscribe(topic: string): void {
    if (this.#webSocket.readyState !== WebSocket.OPEN) return;
    if (this.topics.size >= topicsMax) throw new Error(`a connection has at most ${topicsMax} topics`);
    this.topics.add(topic);
    this.#owner.subscribe(this, topic);
  }

  #setState(value: unknown): void {
    const text = JSON.stringify(value) ?? "null";
    const ascii = text.replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
    if (ascii.length > webSocketStateBytesMax)
      throw new Error(`the state is larger than ${webSocketStateBytesMax} bytes`);
    this.state = ascii;
  }

  readonly #heard = (): void => {
    this.#lastHeardMs = this.#owner.clock.nowMs();
    this.#silentRounds = 0;
    // A client that pings and does not read makes the gateway keep its pongs.
    if (this.#isBehind()) this.#giveUp();
  };

  #message(data: Buffer, isBinary: boolean): void {
    if (this.#isClosing) return;
    const nowMs = this.#owner.clock.nowMs();
    this.#lastHeardMs = nowMs;
    this.#silentRounds = 0;
    this.#lastMessageMs = nowMs;
    this.#count(nowMs);
    if (!this.#events.has("message")) return;
    this.#queue.push({ kind: "message", data, isBinary });
    this.#queuedBytes += data.length;
    this.#next();
    this.#pauseOrResume();
  }

  /** A client that says more than it may a second is not read until the next. */
  #count(nowMs: number): void {
    if (nowMs - this.#windowMs >= rateWindowMs) {
      this.#windowMs = nowMs;
      this.#windowCount = 0;
    }
    this.#windowCount++;
    if (this.#windowCount < this.#owner.limits.webSocketMessagesPerSecondMax) return;
    this.#rateTimer ??= this.#owner.clock.after(this.#windowMs + rateWindowMs - nowMs, () => {
      this.#rateTimer = undefined;
      this.#pauseOrResume();
    });
  }

  #closed(code: number, reason: Buffer): void {
    this.#isClosing = true;
    this.#rateTimer?.cancel();
    this.#drained?.();
    for (const topic of this.topics) this.#owner.unsubscribe(this, topic);
    this.topics.clear();
    this.#queue.push({ kind: "close", code, reason });
    this.#next();
  }

  #next(): void {
    if (this.#isBusy) return;
    const event = this.#queue.shift();
    if (event === undefined) {
      if (this.#isDraining && !this.#isClosing) this.close(1012, "the gateway starts again; connect once more");
      return;
    }
    if (event.kind === "message") this.#queuedBytes -= event.data.length;
    else if (!this.#events.has("close")) return this.#owner.over(this);
    this.#isBusy = true;
    const sink = this.sink();
    const isLast = event.kind === "close";
    this.#owner.call(this, event, isLast ? { ...sink, end: () => this.#owner.over(this) } : sink);
    this.#pauseOrResume();
  }

  #pauseOrResume(): void {
    const webSocket = this.#webSocket;
    const { webSocketQueueMax, webSocketMessageBytesMax } = this.#owner.limits;
    const isFull = this.#queue.length >= webSocketQueueMax || this.#queuedBytes >= webSocketMessageBytesMax;
    // The answer to a close frame has to be read.
    const shouldPause = !this.#isClosing && (isFull || this.#isDraining || this.#rateTimer !== undefined);
    if (shouldPause === webSocket.isPaused) return;
    if (shouldPause) webSocket.pause();
    else webSocket.resume();
  }

  #isBehind(): boolean {
    return this.#webSocket.bufferedAmount > this.#owner.limits.webSocketBehindBytesMax;
  }

  /** It has not read for long: the close frame stands behind all that it has not read, so that only an end is left. */
  #giveUp(): void {
    this.close(1013, "too slow");
    this.#webSocket.terminate();
  }
}

/** At most as many bytes as a close frame has room for, and no half character. */
function cut(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= reasonBytesMax) return reason;
  let end = reasonBytesMax;
  // UTF-8: a byte that continues a character begins with 10.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}
