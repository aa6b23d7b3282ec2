import type { IncomingMessage } from "node:http";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { Fault } from "@shallop/sdk/internal";
import { Metrics } from "@shallop/sdk/internal/telemetry";
import { AgentLink } from "./agent-link.ts";
import { AgentPodLogs } from "./agent-pod-logs.ts";
import { expireEvents } from "./event-expiry.ts";
import { createApp } from "./http/app.ts";
import { PodStreamProxy } from "./http/pod-stream-proxy.ts";
import type { BuiltinRegistry } from "./http/registry-proxy.ts";
import type { Explainer, LoadSink } from "./http/shallop-routes.ts";
import type { Machinery } from "./machinery.ts";
import { FixedTokens, NodeCredentials } from "./node-credentials.ts";
import type { ClusterMaterial } from "./pki/cluster-material.ts";
import type { PodLogs } from "./pod-logs.ts";
import { adminUser, gatewayUser } from "./user.ts";

type ApiServerFaultCode =
  /** Another process listens there. */
  | "ADDRESS_IN_USE"
  /** The address is not this machine's, or the port is a privileged one. */
  | "ADDRESS_UNUSABLE";

class ApiServerFault extends Fault<ApiServerFaultCode> {}

export interface ApiServerOptions {
  readonly material: ClusterMaterial;
  /** `127.0.0.1`, `0.0.0.0`. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly loads: LoadSink;
  readonly explainer: Explainer;
  /** The built-in registry, for `/v2/`. Absent: not served. */
  readonly registry?: BuiltinRegistry;
  /** Host of the built-in registry in image references, for agents that join: `127.0.0.1:5000`. */
  readonly builtinRegistry: string;
  /** Default: asks the agents over mutual TLS. */
  readonly podLogs?: PodLogs;
  readonly metrics?: Metrics;
}

export interface ApiServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** As clients on this machine reach it: `https://127.0.0.1:6443`. */
  readonly url: string;
}

// Go's default, which clients are used to; each watch of a client is one.
const concurrentStreamsMax = 250;

/**
 * Serves the API over HTTPS: HTTP/2 and HTTP/1.1. Wiring, in `scheduler/main.ts`:
 *
 *   const api = await createApi({ store, clock, random, log });
 *   const client = inProcessClient(api, controllersUser);                     // for the controllers
 *   const material = await ensureClusterMaterial({ dataDir, advertise, clock, random });
 *   await using server = await createApiServer(api, { material, host, port, loads, explainer, … });
 *   await material.writeCredentials(server.url);
 *
 * The store is closed by whoever opened it, after the server.
 * @throws ApiServerFault ADDRESS_IN_USE, ADDRESS_UNUSABLE
 */
export async function createApiServer(api: Machinery, options: ApiServerOptions): Promise<ApiServer> {
  const { material } = options;
  const closing = new AbortController();
  const nodes = new NodeCredentials(api.objects.store);
  const fixed = new FixedTokens([
    [material.tokens.admin, adminUser],
    [material.tokens.gateway, gatewayUser],
  ]);
  const authenticator = { authenticate: (token: string) => fixed.authenticate(token) ?? nodes.authenticate(token) };
  using agents = new DisposableStack();
  const link = agents.use(new AgentLink({ authority: material.authority.certificate, ...material.controlPlane }));
  const streams = agents.use(new PodStreamProxy({ machinery: api, authenticator, link, log: api.log }));
  const app = createApp({
    machinery: api,
    authenticator,
    join: {
      authority: material.authority,
      joinToken: material.joinToken,
      builtinRegistry: options.builtinRegistry,
      nodes,
      clock: api.clock,
      random: api.random,
    },
    link,
    podLogs: options.podLogs ?? new AgentPodLogs(link),
    loads: options.loads,
    explainer: options.explainer,
    registry: options.registry,
    random: api.random,
    metrics: options.metrics ?? new Metrics(),
    closing: closing.signal,
  });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createSecureServer(
    {
      allowHTTP1: true,
      cert: material.server.certificate,
      key: material.server.key,
      minVersion: "TLSv1.2",
      settings: { maxConcurrentStreams: concurrentStreamsMax },
    },
    (request, response) => void listener(request, response),
  );
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, first: Buffer) => {
    streams.serve(request, socket, first);
  });
  const connections = new Connections(server);
  await listen(server, options);
  const address = server.address() as AddressInfo;
  const expiry = expireEvents(api);
  // From here on the server owns it.
  const owned = agents.move();
  return {
    host: options.host,
    port: address.port,
    url: `https://${reachable(options.host)}:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      expiry.cancel();
      closing.abort(new Error("the API server stops"));
      await connections.close();
      owned.dispose();
    },
  };
}

/** The host by which clients of this machine reach a server that listens on `host`. */
function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

function listen(server: Http2SecureServer, { host, port }: ApiServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const code = error.code === "EADDRINUSE" ? "ADDRESS_IN_USE" : "ADDRESS_UNUSABLE";
      const why = code === "ADDRESS_IN_USE" ? "another process listens there; choose another --port" : error.message;
      reject(new ApiServerFault(code, `the API server cannot listen on ${host}:${port}: ${why}`, { cause: error }));
    });
    server.listen(port, host, () => resolve());
  });
}

/** Every connection of a server, so that it can be closed though clients would keep theirs open. */
class Connections {
  readonly #server: Http2SecureServer;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #sockets = new Set<Socket>();

  constructor(server: Http2SecureServer) {
    this.#server = server;
    server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("error", () => session.destroy());
      session.once("close", () => this.#sessions.delete(session));
    });
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    // Clients that speak no TLS, or trust another authority: theirs to fix, and no reason to log each time.
    server.on("tlsClientError", () => undefined);
  }

  /** Lets answers that are under way be sent, then ends every connection. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions) session.close();
    // Streams were told to end; one turn is enough to write their last frame.
    setImmediate(() => {
      for (const session of this.#sessions) session.destroy();
      for (const socket of this.#sockets) socket.destroy();
    });
    return closed;
  }
}
