import { Session } from "node:inspector";
import type { Worker } from "node:worker_threads";

/**
 * Ends what a thread runs at this moment, up to its event loop, and not the thread: V8's own debugger can
 * (`Runtime.terminateExecution`), and its session is there for this moment only. A guest that spins is over with it,
 * and every connection of the thread is still there. A thread that runs nothing loses what it runs next: call it only for one that is
 * stuck. It has no effect on a single instruction that takes long.
 *
 * A guest in its own code is over with no harm to others; one that was in a function of the host may leave half done what all
 * share: `guestWatch` knows. What waits in the queue of microtasks is lost with it. And it must have been called from there: Node counts who called a
 * callback of `setImmediate`, a timer or `nextTick`, and ends the process when one of these does not come back.
 */
export function interruptThread(worker: Worker): void {
  const session = new Session();
  session.connect();
  session.on("NodeWorker.attachedToWorker", ({ params: { sessionId, workerInfo } }) => {
    // `workerId` only counts what this session has seen; the title has the thread's own number.
    if (!workerInfo.title.startsWith(`[worker ${worker.threadId}]`)) return;
    const message = JSON.stringify({ id: 1, method: "Runtime.terminateExecution" });
    session.post("NodeWorker.sendMessageToWorker", { sessionId, message });
  });
  // Not from inside the event: the session is still at work there.
  session.once("NodeWorker.receivedMessageFromWorker", () => void setImmediate(() => session.disconnect()));
  session.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
}
