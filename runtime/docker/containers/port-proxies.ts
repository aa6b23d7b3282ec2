import { once } from "node:events";
import { connect, createServer, type ListenOptions, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import type { Duplex } from "node:stream";
import { annotation, type Pod } from "@shallop/sdk/api";
import { type Credentials, forwardPort } from "@shallop/sdk/client";
import { type Clock, errorCode, type Log } from "@shallop/sdk/internal";
import { DatagramPort } from "../../agent/ports/datagram-port.ts";
import { type DatagramTarget, datagramTarget } from "../../agent/ports/datagram-target.ts";
import { DockerFault } from "../http/docker-fault.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { DockerContainer } from "./containers.ts";
import { parseCreateBody, type PortBinding } from "./create-body.ts";
import { dockerNamespace } from "./pod-spec.ts";

/** Of one published port at a time; a server that is busier has a gateway before it. */
const connectionsMax = 4096;

type HostPorts = ContainerRecord["hostPorts"];

export interface PortProxiesSettings {
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly log: Log;
}

interface Listener extends Disposable {
  readonly port: number;
}

/** Published ports: what this machine listens on for containers. */
export class PortProxies {
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners = new Map<string, readonly Listener[]>();

  constructor({ credentials, clock, log }: PortProxiesSettings) {
    this.#credentials = credentials;
    this.#clock = clock;
    this.#log = log;
  }

  /** Begins to listen for a container. @returns which ports it has got @throws DockerFault CONFLICT, UNSUPPORTED */
  async open(container: DockerContainer): Promise<HostPorts> {
    this.close(container);
    const { record } = container;
    const listeners: Listener[] = [];
    const given: Record<string, { readonly hostIp: string; readonly hostPort: number }[]> = {};
    try {
      for (const binding of parseCreateBody(record.body).ports) {
        const key = `${String(binding.containerPort)}/${binding.protocol}`;
        // A port that was chosen before stays, so that a restart moves nothing.
        const before = record.hostPorts[key]?.[given[key]?.length ?? 0]?.hostPort;
        const hostPort = binding.hostPort === 0 && before !== undefined ? before : binding.hostPort;
        const listener = await this.#listen(container, { ...binding, hostPort });
        listeners.push(listener);
        (given[key] ??= []).push({ hostIp: binding.hostIp, hostPort: listener.port });
      }
    } catch (error) {
      for (const listener of listeners) listener[Symbol.dispose]();
      throw error;
    }
    this.#listeners.set(record.id, listeners);
    return given;
  }

  isOpen({ record }: DockerContainer): boolean {
    return this.#listeners.has(record.id);
  }

  close({ record }: DockerContainer): void {
    for (const listener of this.#listeners.get(record.id) ?? []) listener[Symbol.dispose]();
    this.#listeners.delete(record.id);
  }

  async #listen(container: DockerContainer, binding: PortBinding): Promise<Listener> {
    const { containerPort, protocol, hostPort } = binding;
    const hostIp = binding.hostIp === "" ? "0.0.0.0" : binding.hostIp;
    const where = `${hostIp}:${String(hostPort)}`;
    try {
      switch (protocol) {
        case "tcp":
          return await this.#listenTcp(container, containerPort, { host: hostIp, port: hostPort });
        case "udp": {
          const target = (): DatagramTarget | undefined => datagramsTo(container, containerPort);
          return await DatagramPort.open({ hostIp, hostPort, target, clock: this.#clock });
        }
        default:
          throw new DockerFault(
            "UNSUPPORTED",
            `-p ${String(hostPort)}:${String(containerPort)}/${protocol}: only tcp and udp are published`,
          );
      }
    } catch (error) {
      if (error instanceof DockerFault) throw error;
      if (errorCode(error) !== "EADDRINUSE") {
        throw new DockerFault("BAD_REQUEST", `cannot listen on ${where}`, { cause: error });
      }
      throw new DockerFault("CONFLICT", `Bind for ${where} failed: port is already allocated`, { cause: error });
    }
  }

  async #listenTcp(container: DockerContainer, port: number, address: ListenOptions): Promise<Listener> {
    const server = createServer({ allowHalfOpen: true }, (socket) => void this.#serve(container, port, socket));
    server.maxConnections = connectionsMax;
    await once(server.listen(address), "listening");
    const bound = server.address();
    return {
      port: typeof bound === "object" && bound !== null ? bound.port : 0,
      [Symbol.dispose]: () => void server.close(),
    };
  }

  /** A native pod has an address; a component, and a pod whose address is behind a gate, is reached through its node. */
  async #serve({ pod }: DockerContainer, port: number, client: Socket): Promise<void> {
    client.on("error", () => client.destroy());
    if (pod === undefined) return void client.destroy();
    const { name } = pod.metadata;
    const { podIP } = pod.status ?? {};
    const peer: Duplex =
      podIP === undefined || podIP === "" || gateOf(pod) !== undefined
        ? forwardPort(this.#credentials, { namespace: dockerNamespace, pod: name, port })
        : connect({ host: podIP, port, allowHalfOpen: true });
    peer.on("error", (error) => {
      this.#log.debug("a published port did not answer", { pod: name, port, code: errorCode(error) });
      client.destroy();
    });
    client.once("close", () => peer.destroy());
    await Promise.allSettled([pipeline(client, peer, { end: true }), pipeline(peer, client, { end: true })]);
  }
}

/** A component has no port for datagrams. */
function datagramsTo({ pod }: DockerContainer, port: number): DatagramTarget | undefined {
  const host = pod?.status?.podIP ?? "";
  if (pod === undefined || host === "") return undefined;
  const gate = gateOf(pod);
  return datagramTarget({ host, port, ...(gate === undefined ? {} : { gate }) });
}

/** What is between this machine's network and the pod's, where that is an ordinary user's. Its node has written it. */
function gateOf({ metadata }: Pod): string | undefined {
  const text = metadata.annotations?.[annotation.endpoint];
  const { gate } = JSON.parse(text ?? "{}") as { readonly gate?: unknown };
  return typeof gate === "string" ? gate : undefined;
}
