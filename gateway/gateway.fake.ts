import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { annotation, label, type Node, type ObjectMeta, type Pod, type PodEndpoint } from "@shallop/sdk/api";
import type { Revision, RevisionSpec, Route, TrafficTarget } from "@shallop/sdk/api";
import { silentLog, systemClock } from "@shallop/sdk/internal";
import { seededRandom } from "@shallop/sdk/internal/testing";
import {
  type Activation,
  type ConnectionHandlers,
  type LoadReport,
  type RequestHead,
  type StreamHandlers,
  WireConnection,
  type WireStream,
  type RequestStory,
} from "@shallop/sdk/wire";
import type { NodeAgents } from "./activate/dispatcher.ts";
import { Gateway, type GatewayOptions } from "./gateway.ts";
import { defaultLimits, type GatewayLimits } from "./limits.ts";

/** The cluster around a gateway under test: objects, pods with real sockets, and node agents that do as they are told. */

const meta = (name: string, more: Partial<ObjectMeta> = {}): ObjectMeta => ({
  name,
  namespace: "default",
  uid: `uid-${name}`,
  resourceVersion: "1",
  generation: 1,
  creationTimestamp: "2026-01-01T00:00:00Z",
  ...more,
});

export const fakeRoute = (name: string, traffic: readonly TrafficTarget[]): Route => ({
  apiVersion: "serving.knative.dev/v1",
  kind: "Route",
  metadata: meta(name),
  spec: { traffic },
  status: { traffic },
});

export const fakeRevision = (name: string, spec: Partial<RevisionSpec> = {}, homes: string[] = ["n1"]): Revision => ({
  apiVersion: "serving.knative.dev/v1",
  kind: "Revision",
  metadata: meta(name),
  spec: { containers: [{ image: "x" }], ...spec },
  status: {
    homeNodes: homes,
    scaling: { maxScale: 0, concurrencyPerPod: Math.max(1, Math.floor((spec.containerConcurrency || 100) * 0.7)) },
  },
});

export const fakeNode = (name: string, annotations: Readonly<Record<string, string>> = {}): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: meta(name, { annotations: { [annotation.machine]: "here", ...annotations } }),
});

export interface FakePodOptions {
  readonly endpoint?: PodEndpoint;
  readonly ready?: boolean;
  readonly node?: string;
  readonly deleting?: boolean;
}

export const fakePod = (name: string, revision: string, options: FakePodOptions = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: meta(name, {
    labels: { [label.revision]: revision },
    ...(options.endpoint === undefined
      ? {}
      : { annotations: { [annotation.endpoint]: JSON.stringify(options.endpoint) } }),
    ...(options.deleting === true ? { deletionTimestamp: "2026-01-01T00:00:01Z" } : {}),
  }),
  spec: { containers: [{ image: "x" }], nodeName: options.node ?? "n1" },
  status: { phase: "Running", conditions: [{ type: "Ready", status: options.ready === false ? "False" : "True" }] },
});

export type WireHandler = NonNullable<ConnectionHandlers["request"]>;

/** Answers every request with a text, when it is complete. */
export const saying =
  (text: string, status = 200): WireHandler =>
  (_head, stream) => ({
    data: (chunk) => stream.consumed(chunk.length),
    end: () => {
      stream.respond({ status, headers: ["content-type", "text/plain"] });
      stream.write(Buffer.from(text));
      stream.end();
    },
    failed: () => undefined,
  });

/** Answers with what the guest sees of the request, as JSON. */
export const reflecting: WireHandler = (head: RequestHead, stream: WireStream): StreamHandlers => {
  const chunks: Buffer[] = [];
  return {
    data: (chunk) => {
      chunks.push(chunk);
      stream.consumed(chunk.length);
    },
    end: () => {
      stream.respond({ status: 200, headers: ["content-type", "application/json"] });
      stream.write(Buffer.from(JSON.stringify({ ...head, body: Buffer.concat(chunks).toString() })));
      stream.end();
    },
    failed: () => undefined,
  };
};

/** A wasm pod: a unix socket with our end of the wire. */
export interface FakeWirePod {
  readonly endpoint: PodEndpoint;
  readonly connections: readonly WireConnection[];
  readonly seen: readonly RequestHead[];
  /** Breaks every connection, and takes no more. */
  kill(): void;
}

/** A gateway with all that it needs; everything is closed with it. */
export class FakeCluster implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly reports: LoadReport[] = [];
  readonly stories: RequestStory[] = [];
  /** What the node agents were told of: node, pod and requests. */
  readonly abandoned: string[][] = [];
  /** What the node agents were asked: `NODE NAMESPACE/REVISION`, and the pods beside which another is wanted. */
  readonly asked: string[] = [];
  /** What they do; replaced by tests. */
  activate: (node: string, revision: string, signal: AbortSignal) => Promise<Activation> = () =>
    Promise.reject(new Error("no agent in this test"));
  /** What they have answered ahead; replaced by tests. */
  standby: (node: string, revision: string) => Activation | undefined = () => undefined;
  readonly folder: string;
  port = 0;
  readonly #cleanups: (() => void)[] = [];
  #sockets = 0;

  private constructor(folder: string, limits: Partial<GatewayLimits>, options: Partial<GatewayOptions>) {
    this.folder = folder;
    const agents: NodeAgents = {
      standby: (node, target) => this.standby(node.name, target.key),
      activate: (node, target, { signal, beside }) => {
        this.asked.push([node.name, target.key, ...(beside ?? [])].join(" "));
        return this.activate(node.name, target.key, signal);
      },
    };
    this.gateway = new Gateway({
      clock: systemClock,
      random: seededRandom(1),
      log: silentLog,
      limits: { ...defaultLimits, ...limits },
      serverTiming: "cold",
      domain: "localhost",
      machine: "here",
      tls: undefined,
      agents,
      tellAbandoned: (node, podUid, requestIds) => this.abandoned.push([node.name, podUid, ...requestIds]),
      sendStories: (stories) => {
        this.stories.push(...stories);
        return Promise.resolve();
      },
      sendReport: (report) => {
        this.reports.push(report);
        return Promise.resolve(undefined);
      },
      sendToPeer: () => Promise.reject(new Error("no other gateway in this test")),
      ...options,
    });
    this.gateway.cluster.set("nodes", fakeNode("n1"));
    this.gateway.cluster.complete = true;
  }

  static async start(limits: Partial<GatewayLimits> = {}, options: Partial<GatewayOptions> = {}): Promise<FakeCluster> {
    const cluster = new FakeCluster(await mkdtemp(join(tmpdir(), "gateway-")), limits, options);
    cluster.port = (await cluster.gateway.listen({ host: "127.0.0.1", port: 0 })).port;
    return cluster;
  }

  /** A service of one revision, `NAME-00001`, with no pods. */
  service(name: string, spec: Partial<RevisionSpec> = {}, homes?: string[]): void {
    const revision = `${name}-00001`;
    this.gateway.cluster.set("revisions", fakeRevision(revision, spec, homes));
    this.gateway.cluster.set("routes", fakeRoute(name, [{ revisionName: revision, percent: 100 }]));
  }

  /** A service with one wasm pod. */
  async wireService(name: string, handler: WireHandler, spec: Partial<RevisionSpec> = {}): Promise<FakeWirePod> {
    this.service(name, spec);
    const pod = await this.wirePod(handler);
    this.gateway.cluster.set("pods", fakePod(`${name}-00001-a`, `${name}-00001`, { endpoint: pod.endpoint }));
    return pod;
  }

  /** A service with one native pod. */
  async nativeService(name: string, listener: RequestListener, spec: Partial<RevisionSpec> = {}): Promise<Server> {
    this.service(name, spec);
    const { server, endpoint } = await this.nativePod(listener);
    this.gateway.cluster.set("pods", fakePod(`${name}-00001-a`, `${name}-00001`, { endpoint }));
    return server;
  }

  async wirePod(handler: WireHandler): Promise<FakeWirePod> {
    const socket = join(this.folder, `${this.#sockets++}.sock`);
    const connections: WireConnection[] = [];
    const seen: RequestHead[] = [];
    const request: WireHandler = (head, stream) => {
      seen.push(head);
      return handler(head, stream);
    };
    const server = createServer((accepted) =>
      connections.push(new WireConnection(accepted, { request, closed: () => undefined })),
    );
    await new Promise<void>((resolve) => void server.listen(socket, resolve));
    const kill = (): void => {
      server.close();
      for (const connection of connections) connection.destroy();
    };
    this.#cleanups.push(kill);
    return { endpoint: { protocol: "wire", socket }, connections, seen, kill };
  }

  /** A wasm pod that ends each connection before it has said a word. */
  async leavingPod(): Promise<{ readonly endpoint: PodEndpoint; readonly dialled: () => number }> {
    const socket = join(this.folder, `${this.#sockets++}.sock`);
    let dialled = 0;
    const server = createServer((accepted) => {
      dialled++;
      accepted.destroy();
    });
    await new Promise<void>((resolve) => void server.listen(socket, resolve));
    this.#cleanups.push(() => server.close());
    return { endpoint: { protocol: "wire", socket }, dialled: () => dialled };
  }

  async nativePod(listener: RequestListener): Promise<{ readonly server: Server; readonly endpoint: PodEndpoint }> {
    const server = createHttpServer(listener);
    return { server, endpoint: await this.listening(server) };
  }

  /** Bytes to and from a server that knows no HTTP. */
  async rawPod(connected: (socket: Socket) => void): Promise<PodEndpoint> {
    return this.listening(createServer(connected));
  }

  async listening(server: Server): Promise<PodEndpoint> {
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    const sockets = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
    });
    this.#cleanups.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return { protocol: "http1", host: "127.0.0.1", port: (server.address() as AddressInfo).port };
  }

  /** A raw connection to the gateway. */
  connect(): RawClient {
    const client = new RawClient(connect(this.port, "127.0.0.1"));
    this.#cleanups.push(() => client.socket.destroy());
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cleanup of this.#cleanups) cleanup();
    await this.gateway.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A client that sends what it likes. */
export class RawClient {
  readonly socket: Socket;
  text = "";
  closed = false;
  readonly #watchers = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    const changed = (): void => {
      for (const watcher of this.#watchers) watcher();
    };
    socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      changed();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.closed = true;
      changed();
    });
  }

  send(text: string): this {
    this.socket.write(Buffer.from(text, "latin1"));
    return this;
  }

  /** All that came, once `pattern` is in it or the connection is closed. */
  until(pattern: RegExp): Promise<string> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!this.closed && !pattern.test(this.text)) return;
        this.#watchers.delete(look);
        resolve(this.text);
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** All that came until the gateway closed the connection. */
  ended(): Promise<string> {
    return this.until(/(?!)/);
  }
}

/** An activation that gives this endpoint. */
export const activation = (name: string, endpoint: PodEndpoint, started = true): Activation => ({
  podName: name,
  podUid: `uid-${name}`,
  endpoint,
  started,
  phasesMs: { prepare: 0, start: 5 },
});
