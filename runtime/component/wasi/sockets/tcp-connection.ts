import type { Socket } from "node:net";
import type { OutgoingTcp } from "../../egress/outgoing-tcp.ts";
import { ByteQueue } from "../byte-queue.ts";
import type { GuestContext } from "../guest-context.ts";
import { Listeners } from "../waitable.ts";
import { type IpSocketAddress, socketAddress } from "./ip-address.ts";
import { type NetworkErrorCode, networkErrorOf } from "./network-error.ts";
import type { SocketSlot } from "./socket-slot.ts";
import { TcpSink } from "./tcp-sink.ts";

// What a guest has written before it dropped its socket or ended still goes out, as after close(2); this long at most.
const lingerMs = 10_000;

/** The two ends of an open connection. */
export interface TcpEnds {
  readonly local: IpSocketAddress;
  readonly remote: IpSocketAddress;
}

/** A TCP connection and its two ways. Closed when the socket and the users of both are gone, or the instance ends. */
export class TcpConnection {
  readonly socket: Socket;
  readonly #context: GuestContext;
  readonly #listeners = new Listeners();
  readonly #queue: ByteQueue;
  readonly #sink: TcpSink;
  readonly #undoEnd: () => void;
  #unreadBytes = 0;
  #users = 1;
  #closing = false;
  #failure: NetworkErrorCode | undefined;
  #ends: TcpEnds | undefined;

  constructor(context: GuestContext, socket: Socket, slot: SocketSlot) {
    this.socket = socket;
    this.#context = context;
    this.#queue = new ByteQueue((byteCount) => this.#consumed(byteCount));
    this.#sink = new TcpSink(socket, context.settings.bounds.bufferBytesMax);
    socket.once("error", (error) => this.#fail(networkErrorOf(error)));
    socket.once("close", () => {
      this.#undoEnd();
      this.#fail("connection-aborted");
      slot.release();
    });
    this.#undoEnd = context.onEnd(() => this.#closeSoon());
  }

  get failure(): NetworkErrorCode | undefined {
    return this.#failure;
  }

  /** Once it is open, also after it has been closed. */
  get ends(): TcpEnds | undefined {
    return this.#ends;
  }

  /** Calls `listener` when it has opened or failed. */
  onSettled(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Waits for an outgoing connection to open. */
  expectOpen(outgoing: OutgoingTcp): void {
    outgoing.onOpen(({ local, remote }) => {
      this.#ends = {
        local: socketAddress(local.address, local.port),
        remote: socketAddress(remote.address, remote.port),
      };
      this.#listeners.notify();
    });
  }

  /** The connection is open: bytes may come. Call once, before the two ways are used. */
  begin(): void {
    if (this.#ends === undefined) this.#opened();
    const { socket } = this;
    socket.on("data", (chunk: Buffer) => {
      this.#unreadBytes += chunk.length;
      if (this.#unreadBytes >= this.#context.settings.bounds.bufferBytesMax) socket.pause();
      this.#queue.push(chunk);
    });
    socket.once("end", () => this.#queue.end());
    socket.resume();
  }

  /** What the other end sends, for one more user of the connection, who calls `drop` in the end. */
  incoming(): { readonly source: ByteQueue; readonly drop: () => void } {
    this.#users++;
    const drop = (): void => {
      this.#queue.discard();
      this.release();
    };
    return { source: this.#queue, drop };
  }

  /** The way to the other end, for one more user of the connection, who calls `drop` in the end. */
  outgoing(): { readonly sink: TcpSink; readonly drop: () => void } {
    this.#users++;
    return { sink: this.#sink, drop: () => this.release() };
  }

  /** What comes from now on is thrown away. Node has no shutdown(SHUT_RD), and all that it does is this. */
  stopReceiving(): void {
    this.#queue.end();
    this.#queue.discard();
  }

  /** The other end is told that no more will come, once it has got what was written. */
  stopSending(): void {
    this.#sink.finish();
  }

  /** The socket is dropped, or a user of one of the ways has gone. */
  release(): void {
    if (--this.#users === 0) this.#closeSoon();
  }

  #opened(): void {
    const { localAddress, localPort, remoteAddress, remotePort } = this.socket;
    // An accepted connection may be over before it is looked at; it has no addresses then.
    if (localAddress === undefined || remoteAddress === undefined) return;
    this.#ends = {
      local: socketAddress(localAddress, localPort ?? 0),
      remote: socketAddress(remoteAddress, remotePort ?? 0),
    };
  }

  #consumed(byteCount: number): void {
    this.#unreadBytes -= byteCount;
    if (this.#unreadBytes < this.#context.settings.bounds.bufferBytesMax && this.socket.isPaused())
      this.socket.resume();
  }

  #fail(code: NetworkErrorCode): void {
    this.#failure ??= code;
    this.#queue.fail(`the connection failed: ${code}`, { kind: "network", code });
    this.#sink.fail(code);
    this.#listeners.notify();
  }

  #closeSoon(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#undoEnd();
    const { socket } = this;
    if (socket.connecting || socket.writableLength === 0) {
      // Says that no more comes, and is gone: what was written is with the system, which sends it.
      socket.destroy();
      return;
    }
    const timer = this.#context.settings.clock.after(lingerMs, () => socket.destroy());
    socket.once("close", () => timer.cancel());
    socket.destroySoon();
  }
}
