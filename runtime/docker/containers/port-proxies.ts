import { connect, createServer, type Server, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import type { Duplex } from "node:stream";
import { annotation } from "@shallop/sdk/api";
import { type Credentials, forwardPort } from "@shallop/sdk/client";
import { errorCode, type Log } from "@shallop/sdk/internal";
import { DockerFault } from "../http/docker-fault.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { DockerContainer } from "./containers.ts";
import { parseCreateBody, type PortBinding } from "./create-body.ts";
import { dockerNamespace } from "./pod-spec.ts";

/** Of one published port at a time; a server that is busier has a gateway before it. */
const connectionsMax = 4096;

type HostPorts = ContainerRecord["hostPorts"];

/** Published ports: what this machine listens on for containers. */
export class PortProxies {
  readonly #credentials: Credentials;
  readonly #log: Log;
  readonly #servers = new Map<string, readonly Server[]>();

  constructor(credentials: Credentials, log: Log) {
    this.#credentials = credentials;
    this.#log = log;
  }

  /** Begins to listen for a container. @returns which ports it has got @throws DockerFault CONFLICT, UNSUPPORTED */
  async open(container: DockerContainer): Promise<HostPorts> {
    this.close(container);
    const { record } = container;
    const servers: Server[] = [];
    const given: Record<string, { readonly hostIp: string; readonly hostPort: number }[]> = {};
    try {
      for (const binding of parseCreateBody(record.body).ports) {
        const key = `${String(binding.containerPort)}/${binding.protocol}`;
        // A port that was chosen before stays, so that a restart moves nothing.
        const before = record.hostPorts[key]?.[given[key]?.length ?? 0]?.hostPort;
        const hostPort = binding.hostPort === 0 && before !== undefined ? before : binding.hostPort;
        const server = await this.#listen(container, { ...binding, hostPort });
        servers.push(server);
        const address = server.address();
        const port = typeof address === "object" && address !== null ? address.port : hostPort;
        (given[key] ??= []).push({ hostIp: binding.hostIp, hostPort: port });
      }
    } catch (error) {
      for (const server of servers) server.close();
      throw error;
    }
    this.#servers.set(record.id, servers);
    return given;
  }

  isOpen({ record }: DockerContainer): boolean {
    return this.#servers.has(record.id);
  }

  close({ record }: DockerContainer): void {
    for (const server of this.#servers.get(record.id) ?? []) server.close();
    this.#servers.delete(record.id);
  }

  #listen(container: DockerContainer, { containerPort, protocol, hostIp, hostPort }: PortBinding): Promise<Server> {
    if (protocol !== "tcp") {
      throw new DockerFault(
        "UNSUPPORTED",
        `-p ${String(hostPort)}:${String(containerPort)}/${protocol}: only tcp is published`,
      );
    }
    const server = createServer(
      { allowHalfOpen: true },
      (socket) => void this.#serve(container, containerPort, socket),
    );
    server.maxConnections = connectionsMax;
    return new Promise((resolve, reject) => {
      server.once("error", (error) => {
        const isTaken = errorCode(error) === "EADDRINUSE";
        const where = `${hostIp === "" ? "0.0.0.0" : hostIp}:${String(hostPort)}`;
        reject(
          isTaken
            ? new DockerFault("CONFLICT", `Bind for ${where} failed: port is already allocated`, { cause: error })
            : new DockerFault("BAD_REQUEST", `cannot listen on ${where}`, { cause: error }),
        );
      });
      server.listen({ port: hostPort, host: hostIp === "" ? "0.0.0.0" : hostIp }, () => resolve(server));
    });
  }

  /** A native pod has an address; a component, and a pod whose address is behind a gate, is reached through its node. */
  async #serve({ pod }: DockerContainer, port: number, client: Socket): Promise<void> {
    client.on("error", () => client.destroy());
    if (pod === undefined) return void client.destroy();
    const { podIP } = pod.status ?? {};
    const { name, annotations = {} } = pod.metadata;
    const isGated = annotations[annotation.endpoint]?.includes('"gate"') === true;
    const peer: Duplex =
      podIP === undefined || podIP === "" || isGated
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
