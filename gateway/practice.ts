import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { annotation, type Node, type ObjectMeta, type Revision, type Route } from "@shallop/sdk/api";
import { silentLog } from "@shallop/sdk/internal";
import {
  type Activation,
  type RequestHead,
  standbyDirectoryName,
  standbyFileName,
  type StreamHandlers,
  WireConnection,
  type WireStream,
} from "@shallop/sdk/wire";
import { AgentClient } from "./activate/agent-client.ts";
import { Gateway, type GatewayOptions } from "./gateway.ts";

export interface PracticeOptions extends Pick<GatewayOptions, "clock" | "random" | "limits" | "serverTiming"> {
  /** Somebody asks the real one for something: it learns from that. */
  readonly isBusy: () => boolean;
}

// As often as it takes until V8 has compiled what a request calls; some milliseconds at first, a fraction of one at the end.
const functions = 120;
const requestsOfEach = 3;
const machine = "practice";
const namespace = "practice";
const domain = "localhost";

/**
 * Requests that nobody has made, through a second gateway in this process: to functions at zero that a pod of ours stands by for. V8
 * compiles code when it has been called for a while; a gateway that is new has time for it until somebody asks, and then not.
 */
export async function practise(options: PracticeOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "shallop-practice-"));
  try {
    await practiseIn(folder, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function practiseIn(folder: string, options: PracticeOptions): Promise<void> {
  const pod = await PracticePod.listen(join(folder, "pod"));
  const gateway = practiceGateway(options);
  try {
    gateway.cluster.set("nodes", node(join(folder, "agent")));
    await mkdir(join(folder, standbyDirectoryName));
    const { port } = await gateway.listen({ host: "127.0.0.1", port: 0 });
    for (let count = 0; count < functions && !options.isBusy(); count++) {
      const name = `practice-${count}`;
      await standBy(name, folder);
      gateway.cluster.set("revisions", revision(name));
      gateway.cluster.set("routes", route(name));
      await ask(port, `${name}.${namespace}.${domain}`);
    }
  } finally {
    await gateway.close();
    pod.close();
  }
}

function practiceGateway({ clock, random, limits, serverTiming }: PracticeOptions): Gateway {
  const gateway = new Gateway({
    ...{ clock, random, limits, serverTiming, log: silentLog, domain, machine, tls: undefined },
    agents: new AgentClient({ clock, machine, tls: undefined }),
    tellAbandoned: () => undefined,
    sendStories: async () => undefined,
    sendReport: async () => undefined,
    sendToPeer: async () => undefined,
  });
  gateway.cluster.complete = true;
  return gateway;
}

/** A new client, and a few requests of it, one after the other. @throws when one is not answered as it should be */
async function ask(port: number, host: string): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  try {
    await once(socket, "connect");
    for (let count = 0; count < requestsOfEach; count++) {
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nAccept: */*\r\nUser-Agent: shallop-practice\r\n\r\n`);
      const [bytes] = (await once(socket, "data")) as [Buffer];
      const [status = ""] = bytes.toString("latin1").split("\r\n", 1);
      if (status !== "HTTP/1.1 200 OK") throw new Error(`practice was answered with ${status}`);
    }
  } finally {
    socket.destroy();
  }
}

/** A pod that answers at once. */
class PracticePod {
  readonly #server: Server;
  readonly #connections: Set<WireConnection>;

  private constructor(server: Server, connections: Set<WireConnection>) {
    this.#server = server;
    this.#connections = connections;
  }

  static async listen(path: string): Promise<PracticePod> {
    const connections = new Set<WireConnection>();
    const server = createServer((socket) => {
      const connection = new WireConnection(socket, { request: answer, closed: () => connections.delete(connection) });
      connections.add(connection);
    });
    await once(server.listen(path), "listening");
    return new PracticePod(server, connections);
  }

  close(): void {
    this.#server.close();
    for (const connection of this.#connections) connection.destroy();
  }
}

function answer(_: RequestHead, stream: WireStream): StreamHandlers {
  return {
    data: (chunk) => stream.consumed(chunk.length),
    end: () => {
      stream.respond({ status: 200, headers: ["content-type", "text/plain"] });
      stream.write(Buffer.from("hello"));
      stream.end();
    },
    failed: () => undefined,
  };
}

async function standBy(name: string, folder: string): Promise<void> {
  const activation: Activation = {
    podName: name,
    podUid: name,
    endpoint: { protocol: "wire", socket: join(folder, "pod") },
    started: true,
    phasesMs: { prepare: 0, start: 0 },
  };
  const file = standbyFileName({ namespace, revision: name });
  await writeFile(join(folder, standbyDirectoryName, file), JSON.stringify(activation));
}

const meta = (name: string): ObjectMeta => ({
  ...{ name, namespace, uid: name, resourceVersion: "1", generation: 1 },
  creationTimestamp: "1970-01-01T00:00:00Z",
});

const node = (activationSocket: string): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: {
    ...meta(machine),
    annotations: { [annotation.machine]: machine, [annotation.activationSocket]: activationSocket },
  },
});

const revision = (name: string): Revision => ({
  apiVersion: "serving.knative.dev/v1",
  kind: "Revision",
  metadata: meta(name),
  spec: { containers: [{ image: "practice" }] },
  status: { homeNodes: [machine], scaling: { maxScale: 0, concurrencyPerPod: 70 } },
});

const route = (name: string): Route => {
  const traffic = [{ revisionName: name, percent: 100 }];
  return {
    apiVersion: "serving.knative.dev/v1",
    kind: "Route",
    metadata: meta(name),
    spec: { traffic },
    status: { traffic },
  };
};
