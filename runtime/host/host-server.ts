import { createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { assert, type Clock, describeError, type Timer } from "@shallop/sdk/internal";
import { inDirectory } from "../component/prepared-files.ts";
import { ArtifactCache } from "./artifact-cache.ts";
import { BreachCounts } from "./breach-counts.ts";
import {
  controlLineCharsMax,
  type HostCommand,
  type HostMessage,
  type HostPod,
  type HostStatus,
  orphanTimeoutMs,
} from "./control-protocol.ts";
import { lookMs } from "./cpu-meter.ts";
import { HostedPod, StartFault, terminateTimeoutMs, threadStartOf } from "./hosted-pod.ts";
import { parkingKey } from "./parked-components.ts";
import type { HostUse } from "./host-use.ts";
import { JsonLines } from "./json-lines.ts";
import { MessageBacklog } from "./message-backlog.ts";
import { budgetFor, heldOf, type SharedBudget, shareBudget } from "./process-budget.ts";
import { PodThread } from "./pod-thread.ts";

export interface HostServerSettings {
  readonly socketPath: string;
  /** Directory with Node's compile cache of our own programs; empty = none. */
  readonly compileCache: string;
  readonly clock: Clock;
  /** Mappings that the process may have. */
  readonly mapsMax: number;
  /** Ends the process: `clean` when it is not wanted any more, `kill` when a thread of it cannot be stopped. */
  readonly end: (how: "clean" | "kill") => void;
}

type HostReply = Extract<HostMessage, { type: "reply" }>;

// One thread that is ready, so that no start waits for one (150 ms of processor); 14 MB each.
const spareThreads = 1;
// A thread whose pod is over has compiled what a pod runs, and parked its component: it waits for the next, unless as many wait as this.
const restingThreadsMax = 4;
// It collects what the pod has left, some ten milliseconds, on a busy machine longer.
const restTimeoutMs = 5_000;
// The next one is made when the request that took the last has its answer, and the gateway has passed it on: on a small machine
// all of them would want the same processor. Where no request comes with a start, it is made later.
const spareDelayMs = 25;
const spareDelayMsMax = 400;

const longestAtRest = (threads: readonly PodThread[]): PodThread | undefined =>
  threads.findLast(({ hasRested }) => hasRested);

/** The main thread of a host process: pods by their uid, spare threads, and the agent's commands. Guests never run here. */
export class HostServer implements AsyncDisposable {
  readonly #settings: HostServerSettings;
  readonly #server: Server;
  readonly #artifacts = new ArtifactCache();
  readonly #budget: SharedBudget;
  readonly #breaches: BreachCounts;
  readonly #pods = new Map<string, HostedPod>();
  /** Those that have served first, of them the one that did last. */
  #spare: PodThread[] = [];
  readonly #backlog = new MessageBacklog();
  readonly #watchdog: Timer;
  #spareTimer: Timer | undefined;
  /** What came up last: whoever is next is most likely one like it. */
  #latest: HostPod | undefined;
  #parksAhead = true;
  #threads = 0;
  #namespace: string | undefined;
  #agent: JsonLines | undefined;
  #orphanTimer: Timer | undefined;

  constructor(settings: HostServerSettings) {
    this.#settings = settings;
    this.#budget = shareBudget(budgetFor(settings.mapsMax));
    this.#breaches = new BreachCounts(this.#budget.breaches);
    this.#server = createServer((socket) => this.#accept(socket));
    this.#watchdog = settings.clock.every(lookMs, () => {
      for (const pod of this.#pods.values()) pod.check();
      this.#checkSpare();
    });
    this.#fillSpare();
    this.#armOrphanTimer();
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#settings.socketPath, () => resolve());
    });
  }

  /** Stops everything at once; for tests, where the end of the process does not do it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watchdog.cancel();
    this.#agent?.close();
    this.#orphanTimer?.cancel();
    this.#spareTimer?.cancel();
    this.#server.close();
    for (const pod of this.#pods.values()) await pod.stop(0);
    for (const thread of this.#spare.splice(0)) await thread.terminate(this.#settings.clock, terminateTimeoutMs);
  }

  /** One agent at a time: a new one has replaced the old. What was said meanwhile is said now. */
  #accept(socket: Socket): void {
    this.#agent?.close();
    this.#orphanTimer?.cancel();
    const agent = new JsonLines(socket, controlLineCharsMax, {
      message: (value) => void this.#command(value as HostCommand, agent),
      closed: () => {
        if (this.#agent !== agent) return;
        this.#agent = undefined;
        this.#armOrphanTimer();
      },
    });
    this.#agent = agent;
    for (const message of this.#backlog.take()) agent.send(message);
  }

  async #command(command: HostCommand, agent: JsonLines): Promise<void> {
    try {
      const reply = await this.#execute(command);
      agent.send({ type: "reply", id: command.id, ...reply } satisfies HostMessage);
      if (command.type === "exit" && this.#pods.size === 0) {
        await agent.flush();
        this.#end("clean");
      }
    } catch (error) {
      const code = error instanceof StartFault ? error.code : "EXITED";
      agent.send({ type: "refused", id: command.id, code, message: describeError(error) } satisfies HostMessage);
    }
  }

  async #execute(command: HostCommand): Promise<Pick<HostReply, "value" | "usage" | "process">> {
    switch (command.type) {
      case "start":
        await this.#start(command.pod);
        return {};
      case "stop":
        await this.#stop(command.uid, command.graceMs);
        return {};
      case "abandoned":
        this.#pods.get(command.uid)?.abandoned(command.requestIds);
        return {};
      case "list":
        return { value: this.#status() };
      case "usage": {
        const used = await Promise.all([...this.#pods.values()].map((pod) => pod.use()));
        return { usage: used.filter((use) => use !== undefined), process: this.#use() };
      }
      case "exit":
        return {};
      default:
        throw new Error("the agent sent an unknown command");
    }
  }

  async #start(pod: HostPod): Promise<void> {
    if (this.#pods.has(pod.uid)) return;
    this.#namespace ??= pod.namespace;
    // The wall between tenants: a second namespace in this process would be a bug of the agent.
    assert(this.#namespace === pod.namespace, `this process is of namespace ${this.#namespace}, not ${pod.namespace}`);
    const { threadsMax } = this.#budget.budget;
    if (this.#pods.size >= threadsMax) {
      throw new StartFault(
        "NO_CAPACITY",
        `namespace ${pod.namespace} has ${threadsMax} pods on this node, which is the most`,
      );
    }
    const hosted = new HostedPod({
      pod,
      clock: this.#settings.clock,
      artifacts: this.#artifacts,
      takeThread: (key) => this.#takeThread(key),
      restThread: (thread) => this.#restThread(thread),
      tell: (message) => this.#tell(message),
      served: () => this.#fillSpareIn(spareDelayMs),
      breached: (code) => this.#breaches.add(code),
      memoriesScarce: () => {
        for (const each of this.#pods.values()) each.collect();
      },
      ended: (uid) => this.#pods.delete(uid),
      wedged: (uid, message) => void this.#wedged(uid, message),
    });
    this.#pods.set(pod.uid, hosted);
    try {
      await hosted.start();
      this.#latest = pod;
    } catch (error) {
      this.#pods.delete(pod.uid);
      throw error;
    }
  }

  async #stop(uid: string, graceMs: number): Promise<void> {
    const hosted = this.#pods.get(uid);
    if (hosted === undefined) return;
    await hosted.stop(graceMs);
    this.#pods.delete(uid);
  }

  #use(): HostUse {
    const { user, system } = process.cpuUsage();
    const { memories, stacks } = heldOf(this.#budget);
    return {
      threads: this.#pods.size + this.#spare.length,
      instances: memories,
      requests: stacks,
      cpuMs: (user + system) / 1000,
      memoryBytes: process.memoryUsage.rss(),
      breaches: this.#breaches.all(),
    };
  }

  #status(): HostStatus {
    return {
      ...(this.#namespace === undefined ? {} : { namespace: this.#namespace }),
      pods: [...this.#pods.values()].map(({ pod }) => pod),
    };
  }

  /** Best one where the pod's component is parked; or else, of those that have served, the one whose last pod has been over for longest. */
  #takeThread(parkingKey: string): PodThread {
    const waiting = this.#spare.filter(({ isGone }) => !isGone);
    const thread = waiting.find((each) => each.hasParked(parkingKey)) ?? longestAtRest(waiting) ?? waiting[0];
    this.#spare = waiting.filter((each) => each !== thread);
    this.#fillSpareIn(spareDelayMsMax);
    return thread ?? this.#newThread();
  }

  async #restThread(thread: PodThread): Promise<boolean> {
    const { clock } = this.#settings;
    if (!(await thread.rest(this.#threadSocket(), clock, restTimeoutMs))) return false;
    this.#spare.unshift(thread);
    const resting = this.#spare.filter(({ hasRested }) => hasRested);
    const surplus = resting.length > restingThreadsMax ? resting.at(-1) : undefined;
    this.#spare = this.#spare.filter((each) => each !== surplus);
    await surplus?.terminate(clock, terminateTimeoutMs);
    return true;
  }

  #fillSpareIn(delayMs: number): void {
    this.#spareTimer?.cancel();
    this.#spareTimer = this.#settings.clock.after(delayMs, () => this.#fillSpare());
  }

  #fillSpare(): void {
    while (this.#spare.length < spareThreads) this.#spare.push(this.#newThread());
  }

  #newThread(): PodThread {
    const thread: PodThread = new PodThread(this.#threadSocket(), this.#settings.compileCache, {
      budget: this.#budget,
      spare: () => this.#parkAhead(thread),
    });
    return thread;
  }

  /** A thread that nobody needs yet is to have what is most likely asked of it, unless another one that waits has it. */
  #parkAhead(thread: PodThread): void {
    const pod = this.#latest;
    if (pod === undefined || !this.#parksAhead || this.#spare.some((each) => each.hasParked(parkingKey(pod)))) return;
    try {
      thread.park(
        threadStartOf(pod),
        this.#artifacts.modules(pod.componentDigest, inDirectory(pod.preparedDir), pod.limits),
      );
    } catch {
      // Its files are gone: no pod will be like it.
      this.#latest = undefined;
    }
  }

  /** A guest that came up once, and does not in a thread that waits, is not asked to again. */
  #checkSpare(): void {
    const stuck = this.#spare.filter((thread) => thread.running !== 0 && thread.overdueMs() > 0);
    if (stuck.length === 0) return;
    this.#parksAhead = false;
    this.#spare = this.#spare.filter((thread) => !stuck.includes(thread));
    for (const thread of stuck) void thread.terminate(this.#settings.clock, terminateTimeoutMs);
    this.#fillSpareIn(spareDelayMs);
  }

  /** A path that none has had. */
  #threadSocket(): string {
    this.#threads++;
    return join(dirname(this.#settings.socketPath), `t${this.#threads}`);
  }

  #tell(message: HostMessage): void {
    if (this.#agent === undefined || this.#agent.waitingBytes > controlLineCharsMax) this.#backlog.add(message);
    else {
      for (const kept of this.#backlog.take()) this.#agent.send(kept);
      this.#agent.send(message);
    }
  }

  async #wedged(uid: string, message: string): Promise<void> {
    this.#tell({ type: "wedged", uid, message });
    await Promise.race([this.#agent?.flush(), this.#settings.clock.sleep(50)]);
    this.#end("kill");
  }

  #armOrphanTimer(): void {
    this.#orphanTimer?.cancel();
    this.#orphanTimer = this.#settings.clock.after(orphanTimeoutMs, () => this.#end("clean"));
  }

  #end(how: "clean" | "kill"): void {
    this.#watchdog.cancel();
    this.#settings.end(how);
  }
}
