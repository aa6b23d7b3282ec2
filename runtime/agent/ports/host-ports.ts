import { createSocket, type RemoteInfo, type Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { createServer, isIPv6, type Server, type Socket } from "node:net";
import { type Clock, describeError, errorCode, type Timer } from "@shallop/sdk/internal";
import { PodFault } from "../../pod/pod-runtime.ts";
import { dialAddress, type PodAddress } from "../tunnel.ts";
import type { HostPort } from "./host-port.ts";

/** Where what arrives goes to. */
export interface PortTarget {
  /** Joins a connection with the pod's port, to its end. */
  connect(client: Duplex, port: number): void;
  /** Where datagrams for the port go; undefined: nowhere. */
  datagramsTo(port: number): { readonly address: string; readonly port: number } | undefined;
}

/** A pod with an address of its own. A gate lets connections through, and no datagrams. */
export const addressTarget = (address: Omit<PodAddress, "port">): PortTarget => ({
  datagramsTo: (port) => (address.gate === undefined ? { address: address.host, port } : undefined),
  connect: (client, port) => {
    dialAddress({ ...address, port }).then(
      (pod) => {
        pod.on("error", () => client.destroy());
        if (client.destroyed) {
          pod.destroy();
          return;
        }
        endTogether(client, pod);
        endTogether(pod, client);
        client.pipe(pod).pipe(client);
      },
      () => client.destroy(),
    );
  },
});

/** Who breaks off takes the other along; who has said and heard all leaves the other to say the rest. */
export function endTogether(one: Duplex, other: Duplex): void {
  one.once("close", () => {
    if (!one.readableEnded || !one.writableFinished) other.destroy();
  });
}

// As many as a busy server keeps open, and a fifth of the files that a process may have.
const connectionsMax = 4096;
// Whoever asks over UDP is remembered so that answers find the way back: DNS and games ask again within this.
const sessionMsMax = 60_000;
const sessionsMax = 1024;

/** A socket of another network than this process's, where its address is. */
export type BoundSocket = (where: {
  readonly protocol: "TCP" | "UDP";
  readonly address: string;
  readonly port: number;
}) => Promise<number | undefined>;

interface Listener extends Disposable {
  readonly port: number;
}

/** The node's listeners of one pod. They end with it; connections go through this process, and end with it too. */
export class HostPorts implements Disposable {
  readonly #clock: Clock;
  readonly #listeners: Listener[] = [];
  readonly #boundSocket: BoundSocket;
  #target: PortTarget | undefined;

  private constructor(clock: Clock, boundSocket: BoundSocket) {
    this.#clock = clock;
    this.#boundSocket = boundSocket;
  }

  /** Takes the ports, all of them or none. @throws PodFault NO_CAPACITY when somebody else has one */
  static async open(
    ports: readonly HostPort[],
    clock: Clock,
    boundSocket: BoundSocket = () => Promise.resolve(undefined),
  ): Promise<HostPorts> {
    const opened = new HostPorts(clock, boundSocket);
    try {
      for (const port of ports) opened.#listeners.push(await opened.#listen(port));
      return opened;
    } catch (error) {
      opened[Symbol.dispose]();
      throw error;
    }
  }

  /** Where it listens, in the order in which ports were asked for; for those who asked for any. */
  get listening(): readonly number[] {
    return this.#listeners.map(({ port }) => port);
  }

  /** From now on there is somebody to talk to; before, who connects is sent away. */
  lead(target: PortTarget): void {
    this.#target = target;
  }

  [Symbol.dispose](): void {
    this.#target = undefined;
    for (const listener of this.#listeners.splice(0)) listener[Symbol.dispose]();
  }

  async #listen(port: HostPort): Promise<Listener> {
    try {
      return port.protocol === "TCP" ? await this.#listenTcp(port) : await this.#listenUdp(port);
    } catch (error) {
      const where = `${port.hostIp === "" ? "the node's" : port.hostIp} port ${String(port.hostPort)}/${port.protocol}`;
      const why = errorCode(error) === "EADDRINUSE" ? "another program has it" : describeError(error);
      throw new PodFault("NO_CAPACITY", `${where} cannot be given to the pod: ${why}`, {
        retryable: true,
        cause: error,
      });
    }
  }

  async #listenTcp({ hostIp, hostPort, containerPort }: HostPort): Promise<Listener> {
    const clients = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
      client.on("error", () => client.destroy());
      if (this.#target === undefined || clients.size >= connectionsMax) {
        client.destroy();
        return;
      }
      clients.add(client);
      client.once("close", () => clients.delete(client));
      this.#target.connect(client, containerPort);
    });
    const fd = await this.#boundSocket({ protocol: "TCP", address: hostIp, port: hostPort });
    if (fd === undefined) await listening(server, hostPort, hostIp);
    else await once(server.listen({ fd }), "listening");
    const bound = server.address();
    return {
      port: typeof bound === "object" && bound !== null ? bound.port : hostPort,
      [Symbol.dispose]: () => {
        server.close();
        for (const client of clients) client.destroy();
      },
    };
  }

  async #listenUdp({ hostIp, hostPort, containerPort }: HostPort): Promise<Listener> {
    const sessions = new Map<string, UdpSession>();
    const socket = createSocket(isIPv6(hostIp) ? "udp6" : "udp4");
    socket.on("message", (message, from) => {
      const target = this.#target?.datagramsTo(containerPort);
      if (target === undefined) return;
      const key = `${from.address} ${String(from.port)}`;
      let session = sessions.get(key);
      if (session === undefined) {
        if (sessions.size >= sessionsMax) return;
        session = new UdpSession(socket, from, { target, clock: this.#clock, ended: () => sessions.delete(key) });
        sessions.set(key, session);
      }
      session.send(message);
    });
    const fd = await this.#boundSocket({ protocol: "UDP", address: hostIp, port: hostPort });
    const bound = once(socket, "listening");
    const where = { port: hostPort, ...(hostIp === "" ? {} : { address: hostIp }) };
    socket.bind(fd === undefined ? where : { fd });
    await bound;
    // What cannot be delivered is lost, as datagrams are.
    socket.on("error", () => undefined).unref();
    return {
      port: socket.address().port,
      [Symbol.dispose]: () => {
        for (const session of sessions.values()) session[Symbol.dispose]();
        socket.close();
      },
    };
  }
}

/** One client of a UDP port, with a socket of its own towards the pod. */
class UdpSession implements Disposable {
  readonly #socket = createSocket("udp4");
  readonly #target: NonNullable<ReturnType<PortTarget["datagramsTo"]>>;
  readonly #clock: Clock;
  readonly #ended: () => void;
  #timer: Timer | undefined;

  constructor(
    client: DatagramSocket,
    from: RemoteInfo,
    {
      target,
      clock,
      ended,
    }: {
      readonly target: NonNullable<ReturnType<PortTarget["datagramsTo"]>>;
      readonly clock: Clock;
      readonly ended: () => void;
    },
  ) {
    this.#target = target;
    this.#clock = clock;
    this.#ended = ended;
    this.#socket.on("error", () => undefined).unref();
    this.#socket.on("message", (message) => {
      this.#live();
      client.send(message, from.port, from.address);
    });
  }

  send(message: Uint8Array): void {
    this.#live();
    this.#socket.send(message, this.#target.port, this.#target.address);
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#socket.close();
    this.#ended();
  }

  #live(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(sessionMsMax, () => this[Symbol.dispose]());
  }
}

/** On every address where none is named: by one socket for both families, where the machine has both. */
async function listening(server: Server, port: number, address: string): Promise<void> {
  const listen = async (host: string): Promise<void> => {
    const ready = once(server, "listening");
    server.listen({ port, host });
    await ready;
  };
  try {
    await listen(address === "" ? "::" : address);
  } catch (error) {
    if (address !== "" || errorCode(error) === "EADDRINUSE") throw error;
    await listen("0.0.0.0");
  }
  // What cannot be accepted is the client's to try again.
  server.on("error", () => undefined).unref();
}
