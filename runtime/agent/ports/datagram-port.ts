import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import type { Clock, Timer } from "@shallop/sdk/internal";
import type { DatagramPath, DatagramTarget } from "./datagram-target.ts";

// Whoever asks over UDP is remembered so that answers find the way back: DNS and games ask again within this.
const sessionMsMax = 60_000;
const sessionsMax = 1024;

export interface DatagramPortSettings {
  /** Empty: every address. */
  readonly hostIp: string;
  /** 0: any. */
  readonly hostPort: number;
  /** A socket that is bound already, by its descriptor. */
  readonly fd?: number | undefined;
  /** Where a client's datagrams go; undefined: nowhere. */
  readonly target: () => DatagramTarget | undefined;
  readonly clock: Clock;
}

/** A UDP port of the node that leads to one of a pod, with a way of its own for each client. */
export class DatagramPort implements Disposable {
  readonly #socket: Socket;
  readonly #settings: DatagramPortSettings;
  readonly #sessions = new Map<string, Session>();

  private constructor(socket: Socket, settings: DatagramPortSettings) {
    this.#socket = socket;
    this.#settings = settings;
    socket.on("message", (datagram, from) => this.#take(datagram, from));
    // What cannot be delivered is lost, as datagrams are.
    socket.on("error", () => undefined).unref();
  }

  /** @throws Error with the code of the system when it cannot be listened on */
  static async open(settings: DatagramPortSettings): Promise<DatagramPort> {
    const { hostIp, hostPort, fd } = settings;
    const socket = createSocket(isIPv6(hostIp) ? "udp6" : "udp4");
    const bound = once(socket, "listening");
    socket.bind(fd === undefined ? { port: hostPort, ...(hostIp === "" ? {} : { address: hostIp }) } : { fd });
    await bound;
    return new DatagramPort(socket, settings);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Who asks next is led anew. */
  forget(): void {
    for (const session of this.#sessions.values()) session[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.forget();
    this.#socket.close();
  }

  #take(datagram: Uint8Array, from: RemoteInfo): void {
    const key = `${from.address} ${String(from.port)}`;
    let session = this.#sessions.get(key);
    if (session === undefined) {
      const target = this.#sessions.size >= sessionsMax ? undefined : this.#settings.target();
      if (target === undefined) return;
      session = new Session(target, {
        clock: this.#settings.clock,
        received: (answer) => this.#socket.send(answer, from.port, from.address),
        ended: () => this.#sessions.delete(key),
      });
      this.#sessions.set(key, session);
    }
    session.send(datagram);
  }
}

/** One client, as long as it or the pod says something. */
class Session implements Disposable {
  readonly #path: DatagramPath;
  readonly #clock: Clock;
  readonly #ended: () => void;
  #timer: Timer | undefined;

  constructor(
    target: DatagramTarget,
    {
      clock,
      received,
      ended,
    }: { readonly clock: Clock; readonly received: (datagram: Uint8Array) => void; readonly ended: () => void },
  ) {
    this.#clock = clock;
    this.#ended = ended;
    this.#path = target({
      received: (datagram) => {
        this.#live();
        received(datagram);
      },
      ended: () => this.#end(),
    });
  }

  send(datagram: Uint8Array): void {
    this.#live();
    this.#path.send(datagram);
  }

  [Symbol.dispose](): void {
    this.#end();
    this.#path[Symbol.dispose]();
  }

  #end(): void {
    this.#timer?.cancel();
    this.#ended();
  }

  #live(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(sessionMsMax, () => this[Symbol.dispose]());
  }
}
