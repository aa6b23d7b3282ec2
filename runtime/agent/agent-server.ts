import { chmod, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { type Clock, describeError, type Log } from "@shallop/sdk/internal";
import { type Metrics, prometheusText, prometheusType } from "@shallop/sdk/internal/telemetry";
import type { AbandonedRequests, ActivateRequest, Activation, NodeUsage } from "@shallop/sdk/wire";
import { type LogGroup, readLogs } from "../pod/log-reader.ts";
import type { LogStore } from "../pod/log-store.ts";
import { activationBytesMax, parseActivation } from "./activation-request.ts";
import { AgentFault, faultAnswer } from "./fault-status.ts";
import { parseLogQuery } from "./log-query.ts";
import { agentPod, type NodePods, podChecks } from "./node-pods.ts";
import { PodStreams } from "./streams/pod-streams.ts";
import { asksForTunnel, dialPod, runTunnel } from "./tunnel.ts";

export interface AgentServerSettings {
  readonly clock: Clock;
  readonly log: Log;
  readonly pods: NodePods;
  readonly logs: LogStore;
  activate(request: ActivateRequest): Promise<Activation>;
  usage(): Promise<NodeUsage>;
  readonly metrics: Metrics;
}

/** What the port shows, and whom it believes. PEM. */
export interface ServerIdentity {
  readonly key: string;
  readonly certificate: string;
  readonly authority: string;
}

// A thousand UUIDs in JSON.
const abandonedBytesMax = 40_000;
// A gateway on another machine opens one for each pod it talks to, and some for native ones; this is many gateways.
const tunnelsMax = 4096;
// Each costs a file handle or two for each pod that it shows.
const logReadersMax = 256;
// Whoever may use the port: certificates of the cluster's authority with one of these as organisation.
const organisations: readonly string[] = ["shallop:gateway", "shallop:control-plane"];
// Nodes, too, where their pods connect to what is behind a Service.
const portOrganisations: readonly string[] = [...organisations, "system:nodes"];
// Connections that wait to be accepted; a burst of activations must not be refused. Linux' own maximum is the same.
const backlogMax = 4096;
// A request to the agent is small and comes from a program.
const requestTimeoutMs = 10_000;

/** The agent's own HTTP: the same routes on a unix socket for this machine and owner, and on a port over mutual TLS. */
export class AgentServer {
  readonly #settings: AgentServerSettings;
  readonly #servers: (Server | TlsServer)[] = [];
  readonly #sockets = new Set<Duplex>();
  readonly #closing = new AbortController();
  readonly #podStreams: PodStreams;
  #tls: TlsServer | undefined;
  #tunnels = 0;
  #logReaders = 0;

  constructor(settings: AgentServerSettings) {
    this.#settings = settings;
    this.#podStreams = new PodStreams(settings);
  }

  /** Serves on a unix socket, which only this process's owner may use. */
  async listenSocket(path: string): Promise<void> {
    // Left by an agent that was killed.
    await rm(path, { force: true });
    const server = createServer();
    await this.#listen(server, { path });
    await chmod(path, 0o600);
  }

  /** Serves on a port; returns the port. */
  async listenPort(host: string, port: number, identity: ServerIdentity): Promise<number> {
    const server = createTlsServer({
      ...tlsOptions(identity),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.3",
      allowHalfOpen: true,
    });
    await this.#listen(server, { host, port });
    this.#tls = server;
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  /** A new certificate; connections that are open go on with the old one. */
  renew(identity: ServerIdentity): void {
    this.#tls?.setSecureContext(tlsOptions(identity));
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the node agent is stopping"));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      this.#servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeAllConnections();
          }),
      ),
    );
  }

  #listen(
    server: Server | TlsServer,
    address: { readonly path: string } | { readonly host: string; readonly port: number },
  ): Promise<void> {
    server.requestTimeout = requestTimeoutMs;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response).catch((error: unknown) => this.#refuse(request, response, error));
    });
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, first: Buffer) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      // Until the tunnel has its own.
      socket.on("error", () => socket.destroy());
      this.#tunnel(request, socket, first).catch((error: unknown) => refuseUpgrade(socket, error));
    });
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ ...address, backlog: backlogMax }, () => {
        server.removeListener("error", reject);
        server.on("error", (error) => this.#settings.log.error("the agent's server failed", error));
        resolve();
      });
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    checkPeer(request);
    // A request waits for it: nothing else is looked at before.
    if (request.url === "/v1/activate") {
      expectMethod(request, "POST");
      const activation = await this.#settings.activate(parseActivation(await readBody(request)));
      return sendJson(response, 200, activation);
    }
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://agent");
    const abandoned = /^\/v1\/pods\/([^/]+)\/abandoned$/.exec(pathname)?.[1];
    if (abandoned !== undefined) {
      expectMethod(request, "POST");
      const { requestIds } = parseAbandoned(await readBody(request, abandonedBytesMax));
      await this.#settings.pods.byUid(decoded(abandoned))?.abandoned(requestIds);
      return void response.writeHead(204).end();
    }
    expectMethod(request, "GET");
    // For a gateway that wants to know whether the way to this node still leads anywhere.
    if (pathname === "/v1/pulse") return void response.writeHead(204).end();
    // As a kubelet: who can ask for it has found the agent well.
    if (pathname === "/healthz") return void response.writeHead(200, { "content-type": "text/plain" }).end("ok");
    if (pathname === "/v1/pods") return sendJson(response, 200, this.#settings.pods.all.map(agentPod));
    const checked = /^\/v1\/pods\/([^/]+)\/checks$/.exec(pathname)?.[1];
    if (checked !== undefined) return sendJson(response, 200, podChecks(this.#settings.pods.byUid(decoded(checked))));
    if (pathname === "/v1/usage") return sendJson(response, 200, await this.#settings.usage());
    if (pathname === "/metrics") {
      const text = prometheusText(await this.#settings.metrics.collect());
      return void response.writeHead(200, { "content-type": prometheusType }).end(text);
    }
    if (pathname === "/v1/logs") return this.#serviceLogs(searchParams, response);
    const [, containerLogs, namespace, pod, container, ...rest] = pathname.split("/").map(decoded);
    if (containerLogs === "containerLogs" && rest.length === 0 && namespace && pod && container) {
      return this.#containerLogs({ namespace, pod, container }, searchParams, response);
    }
    throw new AgentFault("NOT_FOUND", `the agent has no ${pathname.slice(0, 200)}`);
  }

  #containerLogs(
    of: { readonly namespace: string; readonly pod: string; readonly container: string },
    query: URLSearchParams,
    response: ServerResponse,
  ): Promise<void> {
    const { logs } = this.#settings;
    const log = logs.find(of.namespace, of.pod, of.container);
    if (log === undefined) {
      const what = logs.find(of.namespace, of.pod) === undefined ? "no such pod" : `no container ${of.container}`;
      throw new AgentFault("NOT_FOUND", `this node has no log of pod ${of.namespace}/${of.pod}: ${what}`);
    }
    return this.#sendLogs({ logs: [log] }, query, response);
  }

  #serviceLogs(query: URLSearchParams, response: ServerResponse): Promise<void> {
    const namespace = query.get("namespace");
    const service = query.get("service");
    if (!namespace || !service) throw new AgentFault("BAD_REQUEST", "logs of a service need ?namespace= and &service=");
    return this.#sendLogs(this.#settings.logs.ofService(namespace, service), query, response);
  }

  async #sendLogs(group: LogGroup, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const options = parseLogQuery(query, this.#settings.clock.wallMs());
    if (this.#logReaders >= logReadersMax)
      throw new AgentFault("TOO_MANY", "too many logs are being read", { retryable: true });
    this.#logReaders++;
    const gone = new AbortController();
    response.once("close", () => gone.abort(new Error("the reader left")));
    try {
      response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
      response.flushHeaders();
      for await (const chunk of readLogs(group, options, AbortSignal.any([gone.signal, this.#closing.signal]))) {
        if (!response.write(chunk)) await drained(response);
      }
      response.end();
    } finally {
      this.#logReaders--;
    }
  }

  async #tunnel(request: IncomingMessage, socket: Duplex, first: Buffer): Promise<void> {
    const [, uid, tunnel, port] =
      /^\/v1\/pods\/([^/?]+)\/(tunnel|ports\/([1-9]\d{0,4}))$/.exec(request.url ?? "") ?? [];
    checkPeer(request, port === undefined ? organisations : portOrganisations);
    if (this.#podStreams.isFor(request)) return this.#podStreams.serve(request, { socket, first });
    if (uid === undefined || !asksForTunnel(request)) {
      const paths = "/v1/pods/{uid}/tunnel and /v1/pods/{uid}/ports/{port}";
      throw new AgentFault("NOT_FOUND", `the agent upgrades only ${paths} to shallop-tunnel`);
    }
    const pod = this.#settings.pods.byUid(decoded(uid));
    if (pod?.run === undefined)
      throw new AgentFault("NOT_FOUND", `no pod ${decoded(uid).slice(0, 64)} is ready on this node`);
    const { run, ports } = pod;
    if (this.#tunnels >= tunnelsMax) throw new AgentFault("TOO_MANY", "too many tunnels are open", { retryable: true });
    this.#tunnels++;
    try {
      const other = tunnel === "tunnel" ? await dialPod(run.endpoint) : await ports?.dial(Number(port));
      if (other === undefined) throw new AgentFault("POD_UNREACHABLE", `pod ${pod.key} has ended`);
      this.#sockets.add(other);
      other.once("close", () => this.#sockets.delete(other));
      await runTunnel(socket, first, other, this.#settings.log);
    } finally {
      this.#tunnels--;
    }
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const answer = faultAnswer(error);
    if (answer.status === 500) this.#settings.log.error("a request to the agent failed", error, { url: request.url });
    if (response.headersSent) response.destroy();
    else sendJson(response, answer.status, answer.body);
  }
}

/** One data directory, one agent. @throws AgentFault IN_USE when one answers on its socket */
export async function refuseSecondAgent(socketPath: string): Promise<void> {
  if (!(await answers(socketPath))) return;
  throw new AgentFault(
    "IN_USE",
    `another node agent runs on this data directory: it answers on ${socketPath}; stop it, or give another --data`,
  );
}

const answers = (socketPath: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect({ path: socketPath });
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });

const tlsOptions = ({ key, certificate, authority }: ServerIdentity) => ({ key, cert: certificate, ca: authority });

/** The unix socket's mode has let through only its owner; on the port the certificate says who it is. */
function checkPeer(request: IncomingMessage, allowed = organisations): void {
  const { socket } = request;
  if (!(socket instanceof TLSSocket)) return;
  const organisation: unknown = socket.getPeerCertificate().subject?.O;
  const names: unknown[] = Array.isArray(organisation) ? organisation : [organisation];
  if (socket.authorized && names.some((name) => typeof name === "string" && allowed.includes(name))) return;
  throw new AgentFault("FORBIDDEN", `the agent serves only certificates of ${allowed.join(" and ")}`);
}

function expectMethod(request: IncomingMessage, method: string): void {
  if (request.method !== method) throw new AgentFault("METHOD_NOT_ALLOWED", `this is for ${method} only`);
}

/** By events: whoever asks for an activation has a request that waits, and to walk a stream takes more turns of the event loop. */
function readBody(request: IncomingMessage, bytesMax = activationBytesMax): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bytesMax) chunks.push(chunk);
      else reject(new AgentFault("BODY_TOO_LARGE", `a body here is at most ${String(bytesMax)} bytes`));
    });
    request.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.once("error", reject);
    request.once("close", () => {
      if (!request.complete) reject(new AgentFault("BAD_REQUEST", "the body was cut off"));
    });
  });
}

// Ids of gateways are UUIDs; as many as they tell of at once.
const abandonedMax = 1_000;

function parseAbandoned(body: string): AbandonedRequests {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null && "requestIds" in parsed) {
      const { requestIds } = parsed;
      if (Array.isArray(requestIds) && requestIds.length <= abandonedMax && requestIds.every(isText)) {
        return { requestIds };
      }
    }
  } catch (error) {
    throw new AgentFault("BAD_REQUEST", `abandoned requests are JSON: ${describeError(error)}`);
  }
  throw new AgentFault("BAD_REQUEST", 'abandoned requests are {"requestIds":[…]}');
}

const isText = (value: unknown): value is string => typeof value === "string";

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AgentFault("BAD_REQUEST", "the path is not percent-encoded UTF-8");
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

function refuseUpgrade(socket: Duplex, error: unknown): void {
  const { status, body } = faultAnswer(error);
  const text = JSON.stringify(body);
  const head = `HTTP/1.1 ${String(status)} Refused\r\nContent-Type: application/json\r\nContent-Length: ${String(Buffer.byteLength(text))}\r\nConnection: close\r\n\r\n`;
  socket.end(head + text);
}

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      response.removeListener("drain", done);
      response.removeListener("close", done);
      resolve();
    };
    response.once("drain", done);
    response.once("close", done);
  });
