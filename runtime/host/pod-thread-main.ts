// A worker thread that serves pods of one tenant, one after the other. It is started ahead of time, loads the engine, and waits
// to be told which pod it is. Wiring only; what a pod is, is in threaded-pod.ts.
import { once } from "node:events";
import { flushCompileCache } from "node:module";
import { getHeapStatistics } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { assert, systemClock } from "@shallop/sdk/internal";
import { guestWatch } from "../component/instance/guest-watch.ts";
import { boundMemories, collectMemories } from "../component/instance/memory-budget.ts";
import { parkAhead } from "./park-ahead.ts";
import { ParkedComponents } from "./parked-components.ts";
import { practise } from "./practice.ts";
import { PodListener } from "./pod-listener.ts";
import { ThreadBudget } from "./process-budget.ts";
import { StandbySockets } from "./standby-sockets.ts";
import { ThreadClaim } from "./thread-claim.ts";
import { slot, type ThreadCommand, type ThreadData, type ThreadEvent, type ThreadStart } from "./thread-protocol.ts";
import { ThreadedPod } from "./threaded-pod.ts";
import { threadClock } from "../sandbox/kernel/thread-clock.ts";
import { warmUp } from "./warm-up.ts";

const port = parentPort;
assert(port !== null, "pod-thread-main.ts runs in a worker thread");
const { shared, socketPath, flushes, budget: sharedBudget, claim } = workerData as ThreadData;
const slots = new Float64Array(shared);
slots[slot.thread] = threadClock?.ownThread() ?? 0;
const budget = new ThreadBudget(sharedBudget, slots);
const memories = {
  max: budget.max("memories"),
  take: (count: number) => budget.take("memories", count),
  give: (count: number) => budget.give("memories", count),
  used: () => budget.used("memories"),
  scarce: () => send({ type: "memories-scarce" }),
};
// Nobody knows this path: connections come once the pod's socket has been renamed to its own.
let listener = new PodListener();
const send = (event: ThreadEvent): void => port.postMessage(event);
let pod: ThreadedPod | undefined;
const parked = new ParkedComponents();
const standbys = new StandbySockets(new ThreadClaim(claim), systemClock, woken);

/** Somebody waits for the answer of a pod that this thread stood by for; the process hears of it meanwhile. */
function woken(start: ThreadStart, itsListener: PodListener): void {
  send({ type: "woken", uid: start.uid });
  standbys.leave(listener);
  listener = itsListener;
  boundMemories(memories);
  pod = new ThreadedPod({ start, listener, slots, budget, send, parked });
  // Its component is parked, with its modules.
  pod.serve({ type: "modules", modules: new Map() });
}

/** The pod is over: what it held is collected, and the thread listens for the next one. */
async function rest(at: string): Promise<void> {
  const isFit = pod?.end() === true;
  pod = undefined;
  // Or what watched over its guests would keep all of it.
  guestWatch.verdict = () => undefined;
  if (isFit) {
    listener = new PodListener();
    await once(listener.server.listen(at), "listening");
    collectMemories();
  }
  send({ type: "rested", parked: isFit ? parked.keys : undefined });
}

port.on("message", (command: ThreadCommand) => {
  switch (command.type) {
    case "start":
      standbys.closeAll();
      pod = new ThreadedPod({ start: command, listener, slots, budget, send, parked });
      break;
    case "park":
      boundMemories(memories);
      // One that does not come up now is found out by the pod that needs it.
      parkAhead({ ...command, parked, slots, clock: systemClock }).then(
        () => send({ type: "parked", parked: parked.keys }),
        () => undefined,
      );
      break;
    case "practise": {
      const component = parked.peek(command.start);
      if (component === undefined) break;
      void practise({ component, start: command.start, slots, clock: systemClock }).then(() =>
        send({ type: "parked", parked: parked.keys }),
      );
      break;
    }
    case "stand-by":
      // Nobody waits for it there if it cannot be: whoever wants the pod asks the node agent.
      standbys.listen(command).catch(() => standbys.close(command.start.uid));
      break;
    case "withdraw":
      standbys.close(command.uid);
      send({ type: "withdrawn", uid: command.uid });
      break;
    case "modules":
      // Not before: the few of the warm-up are nobody's, and counted until they are collected.
      boundMemories(memories);
      pod?.serve(command);
      break;
    case "collect":
      collectMemories();
      break;
    case "measure":
      send({ type: "memory", bytes: pod?.memoryBytes() ?? getHeapStatistics().used_heap_size });
      break;
    case "interrupted":
      pod?.interrupted(command);
      break;
    case "drain":
      void pod?.drain();
      break;
    case "rest":
      void rest(command.socketPath);
      break;
  }
});
// Bound when this returns: a thread that is needed at once becomes its pod before it is warm.
listener.server.listen(socketPath);
// One that fails costs the first request some milliseconds, nothing else.
await warmUp(`${socketPath}w`, systemClock).catch(() => undefined);
if (flushes) flushCompileCache();
send({ type: "spare" });
