import { createSocket, type Socket as Datagrams } from "node:dgram";
import { isIPv4, type Socket } from "node:net";
import { errorCode } from "@shallop/sdk/internal";
import type { Egress } from "../component/egress/egress.ts";
import { type DatagramOptions, encodeFrame, FrameReader } from "./datagram-frames.ts";
import type { EgressEnd } from "./egress-protocol.ts";

// Ends that a guest has sent to and whose answers it gets. One who asks more of them at once waits for none for long.
const peersMax = 1024;
// On their way to the system. It takes them at once, unless its own buffer is full.
const sendingMax = 64;
// Of answers that the host process has not read: beyond it they are lost, as datagrams are.
const waitingBytesMax = 1024 * 1024;

/** A UDP socket for a guest: it sends to judged addresses, and hears those alone that it has sent to. */
export class DatagramRelay {
  readonly local: EgressEnd;
  readonly #egress: Egress;
  readonly #datagrams: Datagrams;
  readonly #socket: Socket;
  readonly #peers = new Set<string>();
  #sending = 0;

  private constructor(egress: Egress, datagrams: Datagrams, socket: Socket) {
    this.#egress = egress;
    this.#datagrams = datagrams;
    this.#socket = socket;
    this.local = datagrams.address();
  }

  /** @throws what the system says */
  static open(egress: Egress, family: 4 | 6, socket: Socket): DatagramRelay {
    const datagrams = createSocket({
      type: family === 4 ? "udp4" : "udp6",
      ipv6Only: family === 6,
      // Every address that is sent to is one already: nothing is asked.
      lookup: (address, _options, answer) => answer(null, address, isIPv4(address) ? 4 : 6),
    });
    try {
      // It does not block.
      datagrams.bindSync({ address: family === 4 ? "0.0.0.0" : "::", port: 0 });
    } catch (error) {
      datagrams.close();
      throw error;
    }
    return new DatagramRelay(egress, datagrams, socket);
  }

  /** From now on what comes is frames. */
  start(): void {
    const reader = new FrameReader((frame) => {
      if (frame?.kind === "datagram") this.#send(frame);
      else if (frame?.kind === "options") this.#apply(frame.options);
      else this.#socket.destroy();
    });
    this.#datagrams.on("message", (data, { address, port }) => {
      if (!this.#peers.has(`${address} ${port}`) || this.#socket.writableLength > waitingBytesMax) return;
      this.#socket.write(encodeFrame({ kind: "datagram", address, port, data }));
    });
    this.#datagrams.on("error", (error) => this.#failed(error));
    this.#socket.on("data", (chunk: Buffer) => reader.push(chunk));
    this.#socket.once("end", () => this.#socket.destroy());
    this.#socket.once("close", () => this.#datagrams.close());
    this.#socket.resume();
  }

  #send({ address, port, data }: { readonly address: string; readonly port: number; readonly data: Uint8Array }): void {
    if (!this.#egress.allows(address) || port === 0) {
      this.#socket.write(encodeFrame({ kind: "failed", errno: "EACCES" }));
      return;
    }
    this.#meet(`${address} ${port}`);
    if (++this.#sending >= sendingMax) this.#socket.pause();
    this.#datagrams.send(data, port, address, (error) => {
      if (--this.#sending < sendingMax) this.#socket.resume();
      if (error !== null) this.#failed(error);
    });
  }

  #meet(key: string): void {
    this.#peers.delete(key);
    this.#peers.add(key);
    const [oldest] = this.#peers;
    if (this.#peers.size > peersMax && oldest !== undefined) this.#peers.delete(oldest);
  }

  #apply({ hopLimit, receiveBytes, sendBytes }: DatagramOptions): void {
    try {
      if (hopLimit !== undefined) this.#datagrams.setTTL(hopLimit);
      if (receiveBytes !== undefined) this.#datagrams.setRecvBufferSize(receiveBytes);
      if (sendBytes !== undefined) this.#datagrams.setSendBufferSize(sendBytes);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(encodeFrame({ kind: "failed", errno: errorCode(error) ?? "EIO" }));
  }
}
