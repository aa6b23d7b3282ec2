import { once } from "node:events";
import { createConnection, createServer } from "node:net";
import type { Clock } from "@shallop/sdk/internal";
import { WireConnection } from "@shallop/sdk/wire";
import type { Instance, LoadedComponent } from "../component/engine.ts";
import { LogRelay } from "./log-relay.ts";
import { PodServer } from "./pod-server.ts";
import type { ThreadStart } from "./thread-protocol.ts";

const start: ThreadStart = {
  type: "start",
  uid: "",
  preparedDir: "",
  env: [],
  limits: { memoryBytes: 0, cpu: 1, pidsMax: 0, requestTimeoutMs: 1000, concurrencyMax: 0, startTimeoutMs: 1000 },
  egressAllowed: [],
};

/** Answers as a guest would, without one. */
const instance: Instance = {
  handle: async (_request, response) => {
    response.respond(200, ["content-type", "text/plain"]);
    response.body.write(Buffer.from("ok"));
    response.finish();
  },
  memoryBytes: () => 0,
  dispose: () => undefined,
};
const component: LoadedComponent = {
  instantiate: () => Promise.resolve(instance),
  glueCache: () => new Uint8Array(),
};

/**
 * One request over a real socket through the whole of this thread's code, which V8 compiles on its first use: a spare
 * thread has the time for it, the first request of a pod has not.
 */
export async function warmUp(socketPath: string, clock: Clock): Promise<void> {
  const listener = createServer();
  await once(listener.listen(socketPath), "listening");
  const relay = new LogRelay(clock, () => undefined);
  const deadline = new Float64Array(1);
  const server = new PodServer({ start, listener, component, clock, relay, deadline, warmed: () => undefined });
  try {
    const socket = createConnection(socketPath);
    await once(socket, "connect");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const connection = new WireConnection(socket, { closed: () => undefined });
    const stream = connection.request(
      { method: "GET", target: "/", scheme: "http", authority: "warm-up", headers: [], requestId: "", timeoutMs: 1000 },
      { data: (chunk) => stream.consumed(chunk.length), end: resolve, failed: reject },
    );
    stream.end();
    await promise;
    connection.destroy();
  } finally {
    await server.close();
  }
}
