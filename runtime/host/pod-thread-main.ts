// A worker thread that serves one pod. It is started ahead of time, loads the engine, and waits to be told which pod it
// is. Wiring only; what a pod is, is in pod-server.ts.
import { readFileSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { assert, describeError, systemClock } from "@shallop/sdk/internal";
import type { LoadedComponent } from "../component/engine.ts";
import { jcoEngine } from "../component/jco-engine.ts";
import { LogRelay } from "./log-relay.ts";
import { PodServer } from "./pod-server.ts";
import type { ThreadCommand, ThreadEvent, ThreadData, ThreadStart } from "./thread-protocol.ts";
import { warmUp } from "./warm-up.ts";

const port = parentPort;
assert(port !== null, "pod-thread-main.ts runs in a worker thread");
const { shared, socketPath } = workerData as ThreadData;
const deadline = new Float64Array(shared);
// Nobody knows this path: connections come once the pod's socket has been renamed to its own.
const listener = createServer();
const send = (event: ThreadEvent): void => port.postMessage(event);
const relay = new LogRelay(systemClock, (lines) => send({ type: "logged", lines }));

let start: ThreadStart | undefined;
let glue = "";
let diskCache: Uint8Array | undefined;
let server: PodServer | undefined;

function readGlue(directory: string): void {
  // The glue is ASCII: latin1 is read without being decoded.
  glue = readFileSync(join(directory, "glue.js"), "latin1");
  try {
    diskCache = readFileSync(join(directory, "glue.cache"));
  } catch {
    diskCache = undefined;
  }
}

function shareGlueCache(component: LoadedComponent): void {
  const cache = component.glueCache();
  const shared = new Uint8Array(new SharedArrayBuffer(cache.length));
  shared.set(cache);
  send({ type: "glue-cache", glueCache: shared });
}

function serve(modules: ReadonlyMap<string, WebAssembly.Module>, warmCache?: Uint8Array): void {
  assert(start !== undefined, "modules come after start");
  try {
    const component = jcoEngine.load({ glue, glueCache: warmCache ?? diskCache, modules });
    glue = "";
    diskCache = undefined;
    // A thread that had a warm cache has nothing to add to it.
    const warmed = (): void => (warmCache === undefined ? shareGlueCache(component) : undefined);
    server = new PodServer({ start, listener, component, clock: systemClock, relay, deadline, warmed });
    send({ type: "loaded" });
    server.warm();
  } catch (error) {
    send({ type: "failed", code: "EXITED", message: describeError(error) });
  }
}

port.on("message", (command: ThreadCommand) => {
  switch (command.type) {
    case "start":
      start = command;
      readGlue(command.preparedDir);
      break;
    case "modules":
      serve(command.modules, command.glueCache);
      break;
    case "drain":
      void server?.drain().then(async () => {
        await server?.close();
        relay.flush();
        send({ type: "drained" });
      });
      break;
  }
});
// Bound when this returns: a thread that is needed at once becomes its pod before it is warm.
listener.listen(socketPath);
// One that fails costs the first request some milliseconds, nothing else.
await warmUp(`${socketPath}w`, systemClock).catch(() => undefined);
send({ type: "spare" });
systemClock.after(500, flushCompileCache);
