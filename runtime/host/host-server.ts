import { createServer, type Server, type Socket } from "node:net";
import { availableParallelism } from "node:os";
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
import { HostedPod, StartFault } from "./hosted-pod.ts";
import type { HostUse } from "./host-use.ts";
import { JsonLines } from "./json-lines.ts";
import { MessageBacklog } from "./message-backlog.ts";
import { budgetFor, heldOf, type SharedBudget, shareBudget } from "./process-budget.ts";
import { PodThread } from "./pod-thread.ts";
import { SpareThreads } from "./spare-threads.ts";
import { Standbys } from "./standbys.ts";
import { StartTurns } from "./start-turns.ts";

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

// So many looks at threads of which none was at work, and there are none until there is something to look at: a process whose
// functions are all at zero wakes nobody up.
const idleLooks = 400;

// Whoever has connected waits for an answer, on a small machine for the processor, too: the agent has some milliseconds of work with a pod.
const wokenDelayMs = 50;

/** So many requests in flight in the process leave no processor for what nobody waits for. */
const crowd = 64;

type HostReply = Extract<HostMessage, { type: "reply" }>;

/** The main thread of a host process: pods by their uid, spare threads, and the agent's commands. Guests never run here. */
export class HostServer implements AsyncDisposable {
  readonly #settings: HostServerSettings;
  readonly #server: Server;
  readonly #artifacts = new ArtifactCache();
  readonly #budget: SharedBudget;
  readonly #breaches: BreachCounts;
  readonly #pods = new Map<string, HostedPod>();
  readonly #spare: SpareThreads;
  readonly #starts: StartTurns;
  readonly #standbys: Standbys;
  readonly #backlog = new MessageBacklog();
  #watchdog: Timer | undefined;
  #idleLooks = 0;
  #threads = 0;
  /** Pods that have come up by themselves, and of which the agent has not been told. */
  readonly #untold: string[] = [];
  #namespace: string | undefined;
  #agent: JsonLines | undefined;
  #orphanTimer: Timer | undefined;

  constructor(settings: HostServerSettings) {
    this.#settings = settings;
    this.#budget = shareBudget(budgetFor(settings.mapsMax));
    this.#breaches = new BreachCounts(this.#budget.breaches);
    this.#spare = new SpareThreads({
      clock: settings.clock,
      make: (ready) => this.#makeThread(ready),
      socketPath: () => this.#threadSocket(),
      isCrowded: () => heldOf(this.#budget).stacks >= crowd,
      changed: () => this.#standbys.spread(),
      modules: ({ componentDigest, preparedDir, limits }) =>
        this.#artifacts.modules(componentDigest, inDirectory(preparedDir), limits),
    });
    this.#starts = new StartTurns({ clock: settings.clock, atOnce: availableParallelism() });
    this.#standbys = new Standbys({ spare: this.#spare, socketPath: () => this.#threadSocket() });
    this.#server = createServer((socket) => this.#accept(socket));
    this.#spare.fill();
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
    this.#watchdog?.cancel();
    this.#agent?.close();
    this.#orphanTimer?.cancel();
    this.#server.close();
    for (const pod of this.#pods.values()) await pod.stop(0);
    await this.#spare.close();
  }

  /** One agent at a time: a new one has replaced the old. What was said meanwhile is said now. */
  #accept(socket: Socket): void {
    this.#agent?.close();
    this.#orphanTimer?.cancel();
    // It knows of none.
    void this.#standbys.clear();
    const agent = new JsonLines(socket, controlLineCharsMax, {
      message: (value) => void this.#command(value as HostCommand, agent),
      closed: () => {
        if (this.#agent !== agent) return;
        this.#agent = undefined;
        void this.#standbys.clear();
        this.#armOrphanTimer();
      },
    });
    this.#agent = agent;
    for (const message of this.#backlog.take()) agent.send(message);
  }

  async #command(command: HostCommand, agent: JsonLines): Promise<void> {
    try {
      const reply = await this.#execute(command);
      this.#tellWoken();
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
      case "stand-by":
        this.#belong(command.pod);
        this.#standbys.add(command.pod);
        return {};
      case "withdraw":
        await this.#standbys.remove(command.uid);
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
    this.#belong(pod);
    const { threadsMax } = this.#budget.budget;
    if (this.#pods.size >= threadsMax) {
      throw new StartFault(
        "NO_CAPACITY",
        `namespace ${pod.namespace} has ${threadsMax} pods on this node, which is the most`,
      );
    }
    const hosted = this.#host(pod);
    const over = this.#spare.size > 0 ? undefined : await this.#starts.take();
    try {
      if (this.#pods.get(pod.uid) !== hosted)
        throw new StartFault("EXITED", `pod ${pod.name} was stopped before it started`);
      await hosted.start();
      this.#spare.cameUp(pod);
    } catch (error) {
      if (this.#pods.get(pod.uid) === hosted) this.#pods.delete(pod.uid);
      throw error;
    } finally {
      over?.();
    }
  }

  /** The wall between tenants: a second namespace in this process would be a bug of the agent. */
  #belong({ namespace }: HostPod): void {
    this.#namespace ??= namespace;
    assert(this.#namespace === namespace, `this process is of namespace ${this.#namespace}, not ${namespace}`);
  }

  /** A thread has become a pod that it stood by for. */
  #woken(thread: PodThread, uid: string): void {
    this.#spare.woken(thread);
    const pod = this.#standbys.woken(uid);
    assert(pod !== undefined, "a thread stands by for the pods that it was given");
    this.#untold.push(uid);
    this.#settings.clock.after(wokenDelayMs, () => this.#tellWoken());
    this.#host(pod).woken(thread);
    this.#spare.cameUp(pod);
  }

  /** Before anything else is said: the agent drops what is said of a pod that it has not heard of. */
  #tellWoken(): void {
    for (const uid of this.#untold.splice(0)) this.#say({ type: "woken", uid });
  }

  #host(pod: HostPod): HostedPod {
    const hosted = new HostedPod({
      pod,
      clock: this.#settings.clock,
      artifacts: this.#artifacts,
      takeThread: (key) => this.#spare.take(key),
      restThread: (thread, over) => this.#spare.rest(thread, over),
      tell: (message) => this.#tell(message),
      served: () => this.#spare.served(),
      breached: (code) => this.#breaches.add(code),
      memoriesScarce: () => {
        for (const each of this.#pods.values()) each.collect();
      },
      ended: (uid) => this.#pods.delete(uid),
      wedged: (uid, message) => void this.#wedged(uid, message),
    });
    this.#pods.set(pod.uid, hosted);
    this.#watch();
    return hosted;
  }

  async #stop(uid: string, graceMs: number): Promise<void> {
    const hosted = this.#pods.get(uid);
    if (hosted === undefined) return;
    await hosted.stop(graceMs);
    this.#pods.delete(uid);
  }

  /** From now on threads are looked at. */
  #watch(): void {
    this.#idleLooks = 0;
    this.#watchdog ??= this.#settings.clock.every(lookMs, () => this.#look());
  }

  #look(): void {
    for (const pod of this.#pods.values()) pod.check();
    this.#spare.check();
    this.#idleLooks = this.#pods.size > 0 || this.#spare.isAtWork ? 0 : this.#idleLooks + 1;
    if (this.#idleLooks < idleLooks) return;
    this.#watchdog?.cancel();
    this.#watchdog = undefined;
  }

  #use(): HostUse {
    const { user, system } = process.cpuUsage();
    const { memories, stacks } = heldOf(this.#budget);
    return {
      threads: this.#pods.size + this.#spare.size,
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

  #makeThread(ready: () => void): PodThread {
    const thread: PodThread = new PodThread(this.#threadSocket(), this.#settings.compileCache, {
      budget: this.#budget,
      spare: () => {
        // It may be given a guest to park.
        this.#watch();
        ready();
      },
      parked: () => this.#standbys.spread(),
      woken: (uid) => this.#woken(thread, uid),
    });
    return thread;
  }

  /** A path that none has had. */
  #threadSocket(): string {
    this.#threads++;
    return join(dirname(this.#settings.socketPath), `t${this.#threads}`);
  }

  #tell(message: HostMessage): void {
    this.#tellWoken();
    this.#say(message);
  }

  #say(message: HostMessage): void {
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
    this.#watchdog?.cancel();
    this.#settings.end(how);
  }
}
