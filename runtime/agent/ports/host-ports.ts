import { once } from "node:events";
import type { Duplex } from "node:stream";
import { createServer, type Server, type Socket } from "node:net";
import { type Clock, describeError, errorCode } from "@shallop/sdk/internal";
import { PodFault } from "../../pod/pod-runtime.ts";
import { dialAddress, type PodAddress } from "../tunnel.ts";
import { DatagramPort } from "./datagram-port.ts";
import { type DatagramTarget, datagramTarget } from "./datagram-target.ts";
import type { HostPort } from "./host-port.ts";

/** Where what arrives goes to. */
export interface PortTarget {
  /** Joins a connection with the pod's port, to its end. */
  connect(client: Duplex, port: number): void;
  /** Where datagrams for the port go; undefined: nowhere. */
  datagramsTo(port: number): DatagramTarget | undefined;
}

/** A pod with an address of its own. */
export const addressTarget = (address: Omit<PodAddress, "port">): PortTarget => ({
  datagramsTo: (port) => datagramTarget({ ...address, port }),
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

/** A socket of another network than this process's, where its address is. */
export type BoundSocket = (where: {
  readonly protocol: "TCP" | "UDP";
  readonly address: string;
  readonly port: number;
}) => Promise<number | undefined>;

interface Listener extends Disposable {
  readonly port: number;
  /** Who was led to an earlier target is so no more; connections end with that by themselves. */
  forget?(): void;
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
    if (target === this.#target) return;
    this.#target = target;
    for (const listener of this.#listeners) listener.forget?.();
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
    const fd = await this.#boundSocket({ protocol: "UDP", address: hostIp, port: hostPort });
    const target = (): DatagramTarget | undefined => this.#target?.datagramsTo(containerPort);
    return DatagramPort.open({ hostIp, hostPort, fd, target, clock: this.#clock });
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
