import type { Socket } from "node:net";
import type { ByteSink, SinkFailure } from "../byte-sink.ts";
import { Listeners } from "../waitable.ts";
import type { NetworkErrorCode } from "./network-error.ts";

/** What a guest sends through a connection. Takes more while less than `bufferBytesMax` wait for the system. */
export class TcpSink implements ByteSink {
  readonly #socket: Socket;
  readonly #bufferBytesMax: number;
  readonly #listeners = new Listeners();
  #failure: SinkFailure | undefined;

  constructor(socket: Socket, bufferBytesMax: number) {
    this.#socket = socket;
    this.#bufferBytesMax = bufferBytesMax;
  }

  capacity(): number {
    return this.#failure === undefined ? Math.max(0, this.#bufferBytesMax - this.#socket.writableLength) : 0;
  }

  write(bytes: Uint8Array): void {
    // The listeners look after what `writableLength` is by then.
    this.#socket.write(bytes, () => this.#listeners.notify());
  }

  flushed(): boolean {
    return this.#socket.writableLength === 0;
  }

  failure(): SinkFailure | undefined {
    return this.#failure;
  }

  ready(): boolean {
    return this.#failure !== undefined || this.capacity() > 0;
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** No more is written. */
  finish(): void {
    if (this.#failure !== undefined) return;
    this.#failure = { kind: "closed" };
    this.#socket.end();
    this.#listeners.notify();
  }

  fail(code: NetworkErrorCode): void {
    this.#failure ??= { kind: "broken", message: `the connection failed: ${code}`, cause: { kind: "network", code } };
    this.#listeners.notify();
  }
}
