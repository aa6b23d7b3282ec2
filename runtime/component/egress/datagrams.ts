import { createSocket, type Socket } from "node:dgram";
import { isIPv4 } from "node:net";

export interface DatagramsBind {
  readonly family: 4 | 6;
  readonly host: string;
  readonly port: number;
}

export interface DatagramEnd {
  readonly address: string;
  readonly port: number;
}

export interface DatagramsHandlers {
  readonly arrived: (data: Uint8Array, from: DatagramEnd) => void;
  readonly failed: (error: unknown) => void;
}

/** A UDP socket. */
export interface Datagrams {
  /** Any address and port 0 while it is not known. */
  readonly local: DatagramEnd;
  /** Once, before anything else. */
  start(handlers: DatagramsHandlers): void;
  /** Calls `sent` when the system, or who is between, has taken it. */
  send(data: Uint8Array, to: DatagramEnd, sent: (error: unknown) => void): void;
  /** Undefined: as it is. @throws what the system says */
  setOptions(options: {
    readonly hopLimit: number;
    readonly receiveBytes: number | undefined;
    readonly sendBytes: number | undefined;
  }): void;
  /** Undefined: not known. */
  receiveBytes(): number | undefined;
  sendBytes(): number | undefined;
  close(): void;
}

/** Of this process itself. */
export class DirectDatagrams implements Datagrams {
  readonly local: DatagramEnd;
  readonly #socket: Socket;

  /** @throws what bind(2) says */
  constructor({ family, host, port }: DatagramsBind) {
    this.#socket = createSocket({
      type: family === 4 ? "udp4" : "udp6",
      ipv6Only: family === 6,
      // Every address that is sent to is one already: nothing is asked.
      lookup: (address, _options, answer) => answer(null, address, isIPv4(address) ? 4 : 6),
    });
    try {
      // It does not block.
      this.local = this.#socket.bindSync({ address: host, port });
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  start({ arrived, failed }: DatagramsHandlers): void {
    this.#socket.on("message", arrived);
    this.#socket.on("error", failed);
  }

  send(data: Uint8Array, { address, port }: DatagramEnd, sent: (error: unknown) => void): void {
    this.#socket.send(data, port, address, (error) => sent(error ?? undefined));
  }

  setOptions({ hopLimit, receiveBytes, sendBytes }: Parameters<Datagrams["setOptions"]>[0]): void {
    this.#socket.setTTL(hopLimit);
    if (receiveBytes !== undefined) this.#socket.setRecvBufferSize(receiveBytes);
    if (sendBytes !== undefined) this.#socket.setSendBufferSize(sendBytes);
  }

  receiveBytes(): number {
    return this.#socket.getRecvBufferSize();
  }

  sendBytes(): number {
    return this.#socket.getSendBufferSize();
  }

  close(): void {
    this.#socket.close();
  }
}
