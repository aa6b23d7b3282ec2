import type { Duplex } from "node:stream";
import type { ParsedResponse } from "@shallop/sdk/http1";
import { describeError } from "@shallop/sdk/internal";
import { type AnswerHandlers, AnswerReader } from "./answer-reader.ts";
import { GatewayFault } from "./fault-status.ts";

/** A request that is on a connection, and takes its answer. */
export interface PodExchange extends AnswerHandlers {
  readonly method: string;
  /** All of the request has left. */
  readonly isSent: boolean;
  /** The connection is there: the request may leave. */
  begin(connection: PodConnection): void;
  /** The pod takes more. */
  drained(): void;
  /** Nothing is called after it. */
  failed(fault: GatewayFault): void;
}

export interface PodConnectionOwner {
  /** The answer is complete: the connection is free again, or over. */
  readonly free: (connection: PodConnection) => void;
  readonly closed: (connection: PodConnection) => void;
}

/** One connection to a native pod, which speaks HTTP/1.1: a request at a time. */
export class PodConnection implements AnswerHandlers {
  readonly #socket: Duplex;
  readonly #owner: PodConnectionOwner;
  readonly #reader: AnswerReader;
  #exchange: PodExchange | undefined;
  #isOver = false;
  #hasEnded = false;
  /** When it became free. */
  idleSinceMs = 0;

  /** @param socket is connected */
  constructor(socket: Duplex, owner: PodConnectionOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#reader = new AnswerReader(this);
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.on("drain", () => this.#exchange?.drained());
    socket.on("error", (error) => this.#end(error));
    socket.once("end", () => this.#end(undefined));
    socket.once("close", () => this.#end(undefined));
  }

  /** It takes a request. */
  get isUsable(): boolean {
    return !this.#isOver && this.#exchange === undefined;
  }

  begin(exchange: PodExchange): void {
    this.#exchange = exchange;
    this.#reader.expect(exchange.method);
    exchange.begin(this);
  }

  /** All of `chunk` is taken; false asks for a pause until `drained`. */
  write(chunk: Buffer | string): boolean {
    return typeof chunk === "string" ? this.#socket.write(chunk, "latin1") : this.#socket.write(chunk);
  }

  /** What is written until `uncork` leaves as one. */
  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  /** After a 101: our side of what is spoken then is over. */
  finish(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Whoever has it hears no more of it. */
  destroy(): void {
    this.#exchange = undefined;
    this.#isOver = true;
    this.#socket.destroy();
  }

  informed(head: ParsedResponse): void {
    this.#exchange?.informed(head);
  }

  answered(head: ParsedResponse): void {
    this.#exchange?.answered(head);
  }

  received(bytes: Buffer): void {
    this.#exchange?.received(bytes);
  }

  ended(trailers: readonly string[]): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    this.#exchange = undefined;
    // The pod has ended its side: what has been written leaves, and then the connection is closed.
    if (this.#hasEnded) this.#isOver = true;
    // One that answered without reading all has no use for the rest, nor anybody for the connection.
    else if (!this.#reader.isPersistent || !exchange.isSent) this.destroy();
    else this.resume();
    // Free before it is told: who waits for this answer's slot may have it at once.
    this.#owner.free(this);
    exchange.ended(trailers);
  }

  #read(bytes: Buffer): void {
    // A pod has nothing to say that nobody has asked.
    if (this.#exchange === undefined) return this.destroy();
    const problem = this.#reader.push(bytes);
    if (problem !== undefined) this.#fail(new GatewayFault("ANSWER_INVALID", `the pod sent ${problem}`));
  }

  #end(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#hasEnded = true;
    if (error === undefined && this.#exchange !== undefined && this.#reader.connectionEnded()) return;
    this.#fail(lost(error ?? new Error("the pod ended the connection before its answer was complete")));
    this.#owner.closed(this);
  }

  #fail(fault: GatewayFault): void {
    const exchange = this.#exchange;
    this.destroy();
    exchange?.failed(fault);
  }
}

const lost = (cause: Error): GatewayFault => new GatewayFault("CONNECTION_LOST", describeError(cause), { cause });
