import type { BorrowScope } from "../abi/handle-table.ts";
import type { CanonicalOptions, LiftPlan } from "../link/link-plan.ts";
import type { InstanceTasks } from "./instance-tasks.ts";
import { Thread } from "./thread.ts";

/** What a call comes to: a result, or none. */
export type Resolution = { readonly result: unknown } | undefined;

export interface TaskSettings {
  readonly instance: InstanceTasks;
  readonly plan: Pick<LiftPlan, "type" | "options">;
  /** The arguments; the call begins. */
  readonly started: () => readonly unknown[];
  /** The result; undefined for a call that was cancelled. */
  readonly resolved: (resolution: Resolution) => void;
  /** Another component calls: arguments and result are core values, which are lifted and lowered in one (`../fuse`). */
  readonly isFused?: boolean | undefined;
  /** It has been resolved, and what the guest cleans up after that has been. */
  readonly settled?: (() => void) | undefined;
  readonly ended: () => void;
  readonly wake: (thread: Thread) => void;
  /** Whether its own thread has a stack that can be suspended. */
  readonly canSuspend: boolean;
  /** Told when the guest is at work for whoever of the host waits for it. */
  readonly running?: ((isRunning: boolean) => void) | undefined;
}

const syncOptions: CanonicalOptions = { encoding: "utf8", async: false };

/** A task that cannot wait: a start function, a destructor, `realloc`. */
export function syncTask(instance: InstanceTasks): Task {
  const nothing = (): undefined => undefined;
  return new Task({
    instance,
    plan: { type: { params: [], async: false }, options: syncOptions },
    started: () => [],
    resolved: nothing,
    ended: nothing,
    wake: nothing,
    canSuspend: false,
  });
}

/** A call of a function of a component (CanonicalABI.md, "Task"). */
export class Task implements BorrowScope {
  readonly instance: InstanceTasks;
  readonly plan: Pick<LiftPlan, "type" | "options">;
  /** The thread that it begins with. */
  readonly implicit: Thread;
  /** Those of its threads that have begun and not ended. */
  readonly threads = new Set<Thread>();
  /** Handles that were lent to it and that it has not dropped. */
  borrows = 0;
  state: "initial" | "started" | "cancel pending" | "cancel delivered" | "resolved" = "initial";
  readonly #settings: TaskSettings;

  constructor(settings: TaskSettings) {
    this.#settings = settings;
    this.instance = settings.instance;
    this.plan = settings.plan;
    this.implicit = new Thread(this, settings);
  }

  get isFused(): boolean {
    return this.#settings.isFused === true;
  }

  get running(): ((isRunning: boolean) => void) | undefined {
    return this.#settings.running;
  }

  get isAsync(): boolean {
    return this.plan.type.async;
  }

  /** Of an async function: whether it shares its instance's stack with others of its kind. */
  get needsExclusive(): boolean {
    const { async, callback } = this.plan.options;
    return this.isAsync && (!async || callback !== undefined);
  }

  /** Whether it may not be let in yet. */
  get isHeldBack(): boolean {
    return this.instance.backpressure > 0 || (this.needsExclusive && this.instance.exclusive !== undefined);
  }

  /** A thread of it, beside its own. */
  makeThread(): Thread {
    const thread = new Thread(this, { ...this.#settings, canSuspend: true });
    this.addThread(thread);
    return thread;
  }

  addThread(thread: Thread): void {
    this.threads.add(thread);
    thread.index = this.instance.threads.add(thread);
  }

  /** @throws GuestFault when it was the last one and the task has not resolved */
  endThread(thread: Thread): void {
    this.threads.delete(thread);
    this.instance.threads.free(thread.index);
    if (this.threads.size === 0) this.end();
  }

  end(): void {
    if (this.state !== "resolved") this.#trap("a task ended without having returned");
    this.#settings.ended();
  }

  begin(): readonly unknown[] {
    this.state = "started";
    return this.#settings.started();
  }

  /** Whether it was asked to stop and can be told so now. */
  takeCancel(): boolean {
    if (this.state !== "cancel pending") return false;
    this.state = "cancel delivered";
    return true;
  }

  return(result: unknown): void {
    if (this.state === "resolved") this.#trap("a task returned twice, or after it was cancelled");
    this.#resolve({ result });
  }

  cancel(): void {
    if (this.state !== "cancel delivered") this.#trap("a task cancelled itself without having been told to stop");
    this.#resolve(undefined);
  }

  settle(): void {
    this.#settings.settled?.();
  }

  #resolve(resolution: Resolution): void {
    if (this.borrows > 0) this.#trap("a call ended while the guest still holds what it was lent");
    this.#settings.resolved(resolution);
    this.state = "resolved";
  }

  #trap(why: string): never {
    return this.instance.state.trap(why);
  }
}
