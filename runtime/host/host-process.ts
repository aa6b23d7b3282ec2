import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { type Clock, guestV8Flags, processCpuMs, whenOutOfTime } from "@shallop/sdk/internal";
import { PodFault } from "../pod/pod-runtime.ts";
import type { Cells } from "../sandbox/cell/cells.ts";
import { cellPid, type CellProcess } from "../sandbox/kernel/cell.ts";
import { processStart } from "../sandbox/kernel/process-start.ts";
import { processesOfUser } from "../sandbox/kernel/processes-of-user.ts";
import {
  controlLineCharsMax,
  type HostCommand,
  type HostMessage,
  type HostPod,
  type HostStatus,
} from "./control-protocol.ts";
import type { CellMount } from "../sandbox/kernel/cell-spec.ts";
import type { HostPlace } from "./host-place.ts";
import type { HostUse } from "./host-use.ts";
import { JsonLines } from "./json-lines.ts";
import type { PodUse } from "./pod-use.ts";
import { connectStarting, connectUnix } from "./unix-connect.ts";

const program = fileURLToPath(new URL("host-main.ts", import.meta.url));

/** Node's flags of a host process, beside V8's for guests. */
const hostNodeFlags: readonly string[] = [
  ...guestV8Flags,
  // SIGUSR1 would open the inspector's port.
  "--disable-sigusr1",
  "--no-addons",
  "--no-warnings",
];

export interface SpawnOptions {
  readonly place: HostPlace;
  readonly cells: Cells;
  /** Directory for Node's compile cache of our own programs. */
  readonly compileCache: string;
  /** What of the machine its one pod has, where the process is that pod's own. */
  readonly volumes?: readonly CellMount[];
  /** Mappings that the machine lets a process have. */
  readonly mapsMax: number;
  readonly clock: Clock;
}

export interface HostProcessHandlers {
  message(message: HostMessage): void;
  /** The process is gone. `lastWords`: what it wrote before, if anything. */
  exited(lastWords: string): void;
}

type Reply = Extract<HostMessage, { type: "reply" | "refused" }>;
interface PendingReply {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}
// `Omit` alone would merge the members of the union.
type WithoutId<Command> = Command extends HostCommand ? Omit<Command, "id"> : never;

// Guests never run on the thread that answers: one that is this slow hangs, unless the process is starved.
const adoptTimeoutMs = 5000;
// Writing the compile cache takes milliseconds, on a busy disk longer.
const exitTimeoutMs = 2000;
const exitPauseMs = 5;

/** The agent's end of one host process, started by this agent or by one before it. */
export class HostProcess {
  readonly socketPath: string;
  readonly pid: number;
  readonly #lines: JsonLines;
  readonly #handlers: HostProcessHandlers;
  readonly #waiting = new Map<number, PendingReply>();
  #nextId = 1;
  #isGone = false;
  #isForgotten = false;

  /** What it wrote before it died; nothing of one that an earlier agent started. */
  #lastWords: () => string = () => "";

  private constructor(socketPath: string, pid: number, socket: Socket, handlers: HostProcessHandlers) {
    this.socketPath = socketPath;
    this.pid = pid;
    this.#handlers = handlers;
    this.#lines = new JsonLines(socket, controlLineCharsMax, {
      message: (value) => this.#receive(value as HostMessage),
      closed: () => this.#closed(),
    });
  }

  /** Starts a blank process: nothing of our environment, a session of its own so that it outlives the agent. */
  static async spawn(options: SpawnOptions, handlers: HostProcessHandlers): Promise<HostProcess> {
    const { place, cells, compileCache, mapsMax, clock, volumes = [] } = options;
    const { socketPath } = place;
    const child = cells.start({
      nodeArguments: [
        ...[
          ...hostNodeFlags,
          program,
          "--socket",
          socketPath,
          "--compile-cache",
          compileCache,
          "--maps-max",
          `${mapsMax}`,
        ],
        ...(cells.ability.closesCalls ? ["--close-calls"] : []),
        ...(volumes.some(({ writable }) => writable) ? ["--writes-files"] : []),
      ],
      // Guests never see it; see WASI's environment.
      environment: place.environment,
      mounts: [...(await place.mounts()), ...volumes],
      uid: place.uid,
      network: "none",
      detached: true,
      // A pipe and no file: what a process writes that was taken over must not fill a disk.
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.unref();
    const lastWords = keepLastWords(child);
    const failed = new Promise<never>((_, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) =>
        reject(new Error(`the host process ended with ${String(code ?? signal)}: ${lastWords()}`)),
      );
    });
    const socket = await connectStarting(socketPath, clock, failed);
    const pid = (await cellPid(child)) ?? 0;
    await place.remember({ pid, namespace: undefined });
    const host = new HostProcess(socketPath, pid, socket, handlers);
    host.#lastWords = lastWords;
    return host;
  }

  /** Takes over a process that runs already. @throws when nobody listens there */
  static async adopt(
    place: HostPlace,
    clock: Clock,
    handlers: HostProcessHandlers,
  ): Promise<{ readonly host: HostProcess; readonly status: HostStatus; readonly ownPod: string | undefined }> {
    const { socketPath } = place;
    const socket = await connectUnix(socketPath);
    const early: HostMessage[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<HostStatus>();
    // A first, short conversation on a connection of its own.
    const lines = new JsonLines(socket, controlLineCharsMax, {
      message: (value) => {
        const message = value as HostMessage;
        if (message.type === "reply" && message.value !== undefined) resolve(message.value);
        else early.push(message);
      },
      closed: () => reject(new Error("the host process closed the connection")),
    });
    lines.send({ type: "list", id: 0 } satisfies HostCommand);
    // It may be gone before it is waited for.
    promise.catch(() => undefined);
    const record = await place.recorded();
    const usedMs = (): number | undefined => (record === undefined ? undefined : processCpuMs(record.pid));
    const timer = whenOutOfTime({ clock, timeoutMs: adoptTimeoutMs, usedMs }, () => lines.close());
    const status = await promise;
    timer.cancel();
    if (record === undefined) throw new Error("nobody remembers which process it is");
    const host = new HostProcess(socketPath, record.pid, await connectUnix(socketPath), handlers);
    lines.close();
    for (const message of early) handlers.message(message);
    // What it says of itself may be a lie: whose it is, the agent that gave it away has written down.
    const { ownPod } = record;
    const isIts = (pod: HostPod): boolean =>
      pod.namespace === record.namespace && isUid(pod.uid) && (ownPod === undefined || pod.uid === ownPod);
    const pods = status.pods.filter(isIts);
    return {
      host,
      ownPod,
      status: { ...(record.namespace === undefined ? {} : { namespace: record.namespace }), pods },
    };
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** @throws PodFault */
  async start(pod: HostPod): Promise<void> {
    const reply = await this.#request({ type: "start", pod });
    if (reply.type === "refused") throw new PodFault(reply.code, reply.message);
  }

  /** Has a pod come up by itself when somebody connects; it tells then that it is `woken`. @throws PodFault */
  async standBy(pod: HostPod): Promise<void> {
    const reply = await this.#request({ type: "stand-by", pod });
    if (reply.type === "refused") throw new PodFault(reply.code, reply.message);
  }

  /** Resolves when it does not any more. @throws PodFault */
  async withdraw(uid: string): Promise<void> {
    await this.#request({ type: "withdraw", uid });
  }

  async stop(uid: string, graceMs: number): Promise<void> {
    await this.#request({ type: "stop", uid, graceMs });
  }

  /** What its pods and it itself have used, as it says itself. @throws PodFault */
  async usage(): Promise<{ readonly pods: readonly PodUse[]; readonly process: HostUse | undefined }> {
    const reply = await this.#request({ type: "usage" });
    return reply.type === "reply"
      ? { pods: reply.usage ?? [], process: reply.process }
      : { pods: [], process: undefined };
  }

  async abandoned(uid: string, requestIds: readonly string[]): Promise<void> {
    await this.#request({ type: "abandoned", uid, requestIds });
  }

  /** Ends the process, which has no pods, and resolves when it is gone and writes nothing any more. */
  async exit(clock: Clock): Promise<void> {
    this.#isForgotten = true;
    await this.#request({ type: "exit" }).catch(() => undefined);
    this.#lines.close();
    await this.gone(clock);
  }

  /** Resolves when the process is gone; one that does not go is killed. */
  async gone(clock: Clock): Promise<void> {
    const startedMs = clock.nowMs();
    while (isAlive(this.pid)) {
      if (clock.nowMs() - startedMs > exitTimeoutMs) this.kill();
      await clock.sleep(exitPauseMs);
    }
  }

  /** Leaves the process alone: it goes on without us. */
  forget(): void {
    this.#isForgotten = true;
    this.#lines.close();
  }

  kill(): void {
    signal(this.pid, "SIGKILL");
  }

  #request(command: WithoutId<HostCommand>): Promise<Reply> {
    if (this.#isGone) return Promise.reject(new PodFault("EXITED", "the host process is gone", { retryable: true }));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#lines.send({ ...command, id });
    });
  }

  #receive(message: HostMessage): void {
    if (message.type !== "reply" && message.type !== "refused") return this.#handlers.message(message);
    this.#waiting.get(message.id)?.resolve(message);
    this.#waiting.delete(message.id);
  }

  #closed(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const fault = new PodFault("EXITED", "the host process ended", { retryable: true });
    for (const { reject } of this.#waiting.values()) reject(fault);
    this.#waiting.clear();
    if (!this.#isForgotten) this.#handlers.exited(this.#lastWords());
  }
}

/** Becomes part of paths. */
const isUid = (uid: string): boolean => /^[\w-][\w.-]*$/.test(uid);

/**
 * Nobody answers there. A process that is there nevertheless is none that anybody knows of. Its agent may have ended before
 * it had written it down: then it is known by its user, whom a process of this agent may have, too, and by its age.
 */
export async function clearPlace(place: HostPlace, clock: Clock, agentStart?: number): Promise<void> {
  const record = await place.recorded();
  if (record !== undefined) await killProcess(record.pid, clock);
  if (place.uid !== undefined) {
    const start = agentStart ?? Number(await processStart(process.pid));
    for (const pid of await processesOfUser(place.uid, start)) await killProcess(pid, clock);
  }
  await place.remove();
}

/** Kills a process, and resolves when it is gone. */
async function killProcess(pid: number, clock: Clock): Promise<void> {
  while (signal(pid, "SIGKILL")) await clock.sleep(exitPauseMs);
}

const isAlive = (pid: number): boolean => signal(pid, 0);

/** False when there is no such process. */
function signal(pid: number, which: "SIGKILL" | 0): boolean {
  try {
    return pid !== 0 && process.kill(pid, which);
  } catch {
    return false;
  }
}

// What a process says that dies; V8 prints pages about the state of its heap.
const lastWordsCharsMax = 2000;

function keepLastWords({ stderr }: CellProcess): () => string {
  let said = "";
  stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-lastWordsCharsMax);
  });
  // An agent that ends does not wait for it.
  if (stderr !== null && "unref" in stderr) (stderr as Socket).unref();
  return () => said.trim();
}
