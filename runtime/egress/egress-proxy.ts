import { createServer, type Server, type Socket } from "node:net";
import { rm } from "node:fs/promises";
import { type Clock, describeError, errorCode } from "@shallop/sdk/internal";
import { type Egress, EgressFault, type Resolve, systemResolve } from "../component/egress/egress.ts";
import { ClusterServices } from "./cluster-services.ts";
import { DatagramRelay } from "./datagram-relay.ts";
import { dial } from "./dial.ts";
import type { EgressAnswer, EgressGrant, EgressRequest, ServiceDirectory } from "./egress-protocol.ts";
import { firstLine, line } from "./first-line.ts";
import { join } from "./join.ts";
import { NameResolver } from "./name-resolver.ts";
import { parseRequest } from "./parse-request.ts";
import { podEgress } from "./pod-egress.ts";

export interface EgressProxyBounds {
  /** Of one pod, of any kind. */
  readonly connectionsPerPodMax: number;
  readonly connectionsMax: number;
  /** From a connection to its request. */
  readonly requestTimeoutMs: number;
}

const egressProxyBounds: EgressProxyBounds = {
  // What a busy pod keeps open to its databases and services; each costs the node two descriptors and two buffers.
  connectionsPerPodMax: 512,
  connectionsMax: 8192,
  // Written before anything else, over a unix socket.
  requestTimeoutMs: 5000,
};

export interface EgressProxySettings {
  readonly clock: Clock;
  readonly resolve?: Resolve;
  readonly bounds?: EgressProxyBounds;
}

/** A pod's way out: its socket, and what it may reach. */
interface Pod {
  readonly server: Server;
  readonly connections: Set<Socket>;
  readonly names: NameResolver;
  /** Who it is, for those that share a network with it. */
  uid: string | undefined;
  egress: Egress;
  /** Datagrams reach nothing of the cluster. */
  datagrams: Egress;
}

/** The way out of all pods of a node. Which pod asks is known by the socket that it asks on. */
export class EgressProxy implements AsyncDisposable {
  readonly #settings: EgressProxySettings;
  readonly #bounds: EgressProxyBounds;
  readonly #pods = new Map<string, Pod>();
  readonly #services = new ClusterServices();
  #connections = 0;

  constructor(settings: EgressProxySettings) {
    this.#settings = settings;
    this.#bounds = settings.bounds ?? egressProxyBounds;
  }

  /** Listens at a path for one pod; again: changes what it may reach. */
  async open(path: string, grant: EgressGrant): Promise<void> {
    const known = this.#pods.get(path);
    const names = known?.names ?? new NameResolver(this.#settings.resolve ?? systemResolve, this.#settings.clock);
    const { egress, datagrams } = podEgress(grant, { names, services: this.#services });
    if (known !== undefined) {
      Object.assign(known, { egress, datagrams, uid: grant.pod });
      return;
    }
    await rm(path, { force: true });
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(pod, socket));
    const pod: Pod = { server, connections: new Set(), names, uid: grant.pod, egress, datagrams };
    this.#pods.set(path, pod);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
  }

  /** What of the cluster's Services pods find from now on. */
  lead(directory: ServiceDirectory): void {
    this.#services.lead(directory);
  }

  async close(path: string): Promise<void> {
    const pod = this.#pods.get(path);
    this.#pods.delete(path);
    if (pod === undefined) return;
    pod.server.close();
    for (const socket of pod.connections) socket.destroy();
    await rm(path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of this.#pods.keys()) await this.close(path);
  }

  #accept(pod: Pod, socket: Socket): void {
    const { connectionsPerPodMax, connectionsMax } = this.#bounds;
    // What goes wrong with it is seen by its close.
    socket.on("error", () => undefined);
    if (pod.connections.size >= connectionsPerPodMax || this.#connections >= connectionsMax) {
      const message = `a pod has ${connectionsPerPodMax} connections at once at most`;
      socket.end(line({ got: "refused", code: "LIMIT", message } satisfies EgressAnswer));
      return;
    }
    pod.connections.add(socket);
    this.#connections++;
    socket.once("close", () => {
      pod.connections.delete(socket);
      this.#connections--;
    });
    const late = this.#settings.clock.after(this.#bounds.requestTimeoutMs, () => socket.destroy());
    firstLine(socket, (value) => {
      late.cancel();
      const request = parseRequest(value);
      if (request === undefined) socket.destroy();
      else this.#serve(pod, socket, request).catch((error: unknown) => refuse(socket, error));
    });
  }

  async #serve({ egress, datagrams, uid }: Pod, socket: Socket, request: EgressRequest): Promise<void> {
    switch (request.want) {
      case "addresses": {
        const addresses = await egress.addressesOf(request.host);
        socket.end(line({ got: "addresses", addresses } satisfies EgressAnswer));
        socket.resume();
        break;
      }
      case "tcp": {
        const { connection, ends } = await dial(egress, request, { socket, services: this.#services, pod: uid });
        socket.write(line({ got: "tcp", ...ends } satisfies EgressAnswer));
        join(socket, connection);
        break;
      }
      case "udp": {
        const relay = DatagramRelay.open(datagrams, request.family, socket);
        socket.write(line({ got: "udp", local: relay.local } satisfies EgressAnswer));
        relay.start();
        break;
      }
    }
  }
}

function refuse(socket: Socket, error: unknown): void {
  const errno = errorCode(error instanceof EgressFault ? error.cause : error);
  const answer: EgressAnswer = {
    got: "refused",
    code: error instanceof EgressFault ? error.code : "SYSTEM",
    ...(errno === undefined ? {} : { errno }),
    message: describeError(error).slice(0, 400),
  };
  socket.end(line(answer));
  socket.resume();
}
