import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import type { ListenOptions, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Clock, describeError, errorCode } from "@shallop/sdk/internal";
import { EgressFault, type EgressFaultCode, type Resolve, systemResolve } from "../component/egress/egress.ts";
import { ClusterServices } from "./cluster-services.ts";
import { dial } from "./dial.ts";
import type { EgressEnd, ServiceDirectory } from "./egress-protocol.ts";
import { join } from "./join.ts";
import { NameResolver } from "./name-resolver.ts";
import { podEgress } from "./pod-egress.ts";

/** Whom the proxy knows by an address. */
export interface ProxiedPod {
  readonly namespace: string;
  readonly uid: string;
}

export interface HttpProxySettings {
  /** Special networks that pods reach nevertheless. */
  readonly allowed: readonly string[];
  /** The pod with an address; undefined: there is none, and it reaches nothing. */
  readonly podOf: (address: string) => ProxiedPod | undefined;
  /** By which native pods are reached, where their network is not the machine's. */
  readonly gate?: string | undefined;
  readonly clock: Clock;
  /** Tests pass their own. */
  readonly resolve?: Resolve;
}

// As many as a component has.
const connectionsPerPodMax = 512;

const statuses: Readonly<Record<EgressFaultCode, number>> = { PROHIBITED: 403, DNS: 502, LIMIT: 429 };

/** RFC 9110, 7.6.1: what a connection is told, and not who is behind it. */
const hopHeaders = new Set(["connection", "keep-alive", "te", "upgrade"]);

/**
 * The way out of native pods whose packets nothing can judge: an HTTP proxy (RFC 9110, 9.3.6 and 3.7) at the address
 * of the node's bridge. A pod is known by its address, and reaches what a component of its namespace would.
 */
export class HttpProxy implements AsyncDisposable {
  readonly #settings: HttpProxySettings;
  readonly #server: Server;
  readonly #services = new ClusterServices();
  /** By address, as many as a bridge has ports: what a pod may ask is counted over all its connections. */
  readonly #names = new Map<string, NameResolver>();
  readonly #connections = new Map<string, number>();

  private constructor(settings: HttpProxySettings) {
    this.#settings = settings;
    // No end of a request's time: an upload takes what it takes, and holds nothing but its own connection.
    this.#server = createServer({ requestTimeout: 0 });
    this.#server.on("connection", (socket: Socket) => this.#count(socket));
    this.#server.on("connect", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#tunnel(request, socket as Socket, head).catch((error: unknown) => {
        const { status, text } = refusal(error);
        socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n${text}\n`);
      });
    });
    this.#server.on("request", (request, response) => {
      this.#forward(request, response).catch((error: unknown) => {
        const { status, text } = refusal(error);
        if (response.headersSent) response.destroy();
        else response.writeHead(status, { "content-type": "text/plain", connection: "close" }).end(`${text}\n`);
      });
    });
    this.#server.on("clientError", (_, socket) => socket.destroy());
  }

  /** @throws Error when it cannot listen there */
  static async open(settings: HttpProxySettings, where: ListenOptions | { readonly fd: number }): Promise<HttpProxy> {
    const proxy = new HttpProxy(settings);
    await once(proxy.#server.listen(where), "listening");
    return proxy;
  }

  /** What of the cluster's Services pods find from now on. */
  lead(directory: ServiceDirectory): void {
    this.#services.lead(directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    for (const socket of this.#tunnels) socket.destroy();
    await closed;
  }

  readonly #tunnels = new Set<Socket>();

  #count(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    const address = addressOf(socket);
    const count = this.#connections.get(address) ?? 0;
    if (count >= connectionsPerPodMax || this.#settings.podOf(address) === undefined) {
      socket.destroy();
      return;
    }
    this.#connections.set(address, count + 1);
    socket.once("close", () => {
      this.#connections.set(address, (this.#connections.get(address) ?? 1) - 1);
      this.#tunnels.delete(socket);
    });
  }

  async #tunnel(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    this.#tunnels.add(socket);
    const [, bracketed, plain, port = "443"] =
      /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(request.url ?? "") ?? [];
    const connection = await this.#dial(socket, { address: bracketed ?? plain ?? "", port: Number(port) });
    socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    if (head.length > 0) connection.write(head);
    join(socket, connection);
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = URL.canParse(request.url ?? "") ? new URL(request.url ?? "") : undefined;
    if (url?.protocol !== "http:")
      throw new EgressFault("PROHIBITED", "this is a proxy: ask it for http://… or CONNECT");
    const { socket } = request;
    const connection = await this.#dial(socket, { address: url.hostname, port: Number(url.port || 80) });
    const onward = httpRequest({
      createConnection: () => connection,
      method: request.method,
      path: `${url.pathname}${url.search}`,
      headers: { ...endToEnd(request), host: url.host },
    });
    // One that came by a gate rests until there is somebody to read it.
    onward.once("socket", () => connection.resume());
    onward.on("error", (error) => response.destroy(error));
    response.once("close", () => connection.destroy());
    request.pipe(onward);
    const [answer] = (await once(onward, "response")) as [IncomingMessage];
    response.writeHead(answer.statusCode ?? 502, endToEnd(answer));
    answer.on("error", () => response.destroy());
    answer.pipe(response);
  }

  async #dial(socket: Socket, { address: host, port }: EgressEnd): Promise<Socket> {
    if (host === "" || port < 1 || port > 65_535) throw new EgressFault("DNS", "that is no host with a port");
    const { allowed, clock, podOf, gate, resolve = systemResolve } = this.#settings;
    const from = addressOf(socket);
    const owner = podOf(from);
    if (owner === undefined) throw new EgressFault("PROHIBITED", `no pod has ${from}`);
    const names = this.#names.get(from) ?? new NameResolver(resolve, clock);
    this.#names.set(from, names);
    const services = this.#services;
    const { namespace, uid: pod } = owner;
    const { egress } = podEgress({ allowed, namespace, pod }, { names, services });
    const { connection } = await dial(egress, { want: "tcp", host, port }, { socket, services, pod, gate });
    return connection;
  }
}

const addressOf = (socket: Socket): string => (socket.remoteAddress ?? "").replace(/^::ffff:/, "");

function endToEnd({ headers, headersDistinct }: IncomingMessage): OutgoingHttpHeaders {
  const named = (headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase());
  const kept = Object.entries(headersDistinct).filter(
    ([name]) => !hopHeaders.has(name) && !name.startsWith("proxy-") && !named.includes(name),
  );
  return Object.fromEntries(kept);
}

function refusal(error: unknown): { readonly status: number; readonly text: string } {
  if (error instanceof EgressFault) return { status: statuses[error.code], text: error.message };
  return { status: errorCode(error) === "ETIMEDOUT" ? 504 : 502, text: describeError(error).slice(0, 400) };
}
