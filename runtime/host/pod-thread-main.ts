// A worker thread that serves one pod. It is started ahead of time, loads the engine, and waits to be told which pod it
// is. Wiring only; what a pod is, is in pod-server.ts.
import { flushCompileCache } from "node:module";
import { createServer } from "node:net";
import { getHeapStatistics } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { assert, breachText, describeError, systemClock } from "@shallop/sdk/internal";
import { componentEngine } from "../component/component-engine.ts";
import { artifactOf, inDirectory, type PreparedFiles, readPreparedFiles } from "../component/prepared-files.ts";
import { boundMemories, collectMemories } from "../component/instance/memory-budget.ts";
import { BreachNotices } from "./breach-notices.ts";
import { LogRelay } from "./log-relay.ts";
import { PodServer } from "./pod-server.ts";
import { ThreadBudget } from "./process-budget.ts";
import type { ThreadCommand, ThreadEvent, ThreadData, ThreadStart } from "./thread-protocol.ts";
import { warmUp } from "./warm-up.ts";

const port = parentPort;
assert(port !== null, "pod-thread-main.ts runs in a worker thread");
const { shared, socketPath, flushes, budget: sharedBudget } = workerData as ThreadData;
const slots = new Float64Array(shared);
const budget = new ThreadBudget(sharedBudget, slots);
const memories = {
  max: budget.max("memories"),
  take: (count: number) => budget.take("memories", count),
  give: (count: number) => budget.give("memories", count),
  used: () => budget.used("memories"),
  scarce: () => send({ type: "memories-scarce" }),
};
// Nobody knows this path: connections come once the pod's socket has been renamed to its own.
const listener = createServer();
const send = (event: ThreadEvent): void => port.postMessage(event);
const notices = new BreachNotices(systemClock, (reason, message) => send({ type: "noticed", reason, message }));
const relay = new LogRelay({
  clock: systemClock,
  send: (lines) => send({ type: "logged", lines }),
  lossy: () => {
    if (start !== undefined) notices.met("LOG_RATE", breachText("logBytesPerS", start.limits.logBytesPerS));
  },
});

let start: ThreadStart | undefined;
let files: PreparedFiles | undefined;
let server: PodServer | undefined;

function shareGlueCache(cache: Uint8Array): void {
  const shared = new Uint8Array(new SharedArrayBuffer(cache.length));
  shared.set(cache);
  send({ type: "glue-cache", glueCache: shared });
}

function serve(modules: ReadonlyMap<string, WebAssembly.Module>, warmCache?: Uint8Array): void {
  assert(start !== undefined, "modules come after start");
  // Not before: the few of the warm-up are nobody's, and counted until they are collected.
  boundMemories(memories);
  try {
    files ??= readPreparedFiles(inDirectory(start.preparedDir));
    const component = componentEngine.load(artifactOf(files, modules, warmCache));
    files = undefined;
    const warmed = (): void => {
      // A thread that had a warm cache has nothing to add to it.
      if (warmCache === undefined && component.glueCache !== undefined) shareGlueCache(component.glueCache());
    };
    server = new PodServer({
      ...{ start, listener, component, clock: systemClock, relay, slots, budget, warmed },
      served: () => send({ type: "served" }),
      breached: (code, text) => notices.met(code, text),
    });
    send({ type: "loaded" });
    server.warm();
  } catch (error) {
    send({ type: "failed", code: "EXITED", message: describeError(error) });
  }
}

function interrupted(command: Extract<ThreadCommand, { type: "interrupted" }>): void {
  const isWell = server?.interrupted(command) ?? false;
  // After what the request that was ended is told has left.
  setImmediate(() => send({ type: "interrupted", isWell }));
}

port.on("message", (command: ThreadCommand) => {
  switch (command.type) {
    case "start":
      start = command;
      relay.limit(command.limits.logBytesPerS);
      // While the main thread compiles. What cannot be read is told of when the modules are there.
      try {
        files = readPreparedFiles(inDirectory(command.preparedDir));
      } catch {
        files = undefined;
      }
      break;
    case "modules":
      serve(command.modules, command.glueCache);
      break;
    case "collect":
      collectMemories();
      break;
    case "measure":
      send({ type: "memory", bytes: getHeapStatistics().used_heap_size + (server?.memoryBytes() ?? 0) });
      break;
    case "interrupted":
      interrupted(command);
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
if (flushes) flushCompileCache();
send({ type: "spare" });
