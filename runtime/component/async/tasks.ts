import type { CoreValue } from "../abi/codec.ts";
import type { GuestState } from "../abi/component-state.ts";
import { CopyEnd } from "../abi/copy-end.ts";
import { CallCancelled, type GuestCall } from "../abi/stream.ts";
import { GuestFault } from "../guest-fault.ts";
import type { LiveInstance } from "../instance/live-instance.ts";
import { enteringMax, tasksMax } from "./bounds.ts";
import { InstanceTasks } from "./instance-tasks.ts";
import { type Lifted, liftedOf, TaskRun } from "./run-task.ts";
import { Scheduler } from "./scheduler.ts";
import { Stacks, trapped } from "./stacks.ts";
import { type Resolution, syncTask, Task } from "./task.ts";
import type { Thread, Waiting } from "./thread.ts";

export interface CallIn {
  /** Index into `LinkPlan.lifts`. */
  readonly lift: number;
  /** The instance that calls; undefined for the host. */
  readonly caller: InstanceTasks | undefined;
  readonly started: () => readonly unknown[];
  readonly resolved: (resolution: Resolution) => void;
  /** @see TaskSettings.isFused */
  readonly isFused?: boolean;
  readonly settled?: () => void;
  readonly ended?: () => void;
  /** Told when the guest is at work for the call that the host has made, and when it is not. */
  readonly running?: ((isRunning: boolean) => void) | undefined;
  /** The callee's turn is over: it waits, or it has ended. */
  readonly over: () => void;
}

export interface Block {
  readonly isReady: () => boolean;
  readonly isCancellable?: boolean;
  /** Even if it is ready others have their turn first. */
  readonly isYield?: boolean;
  /** It waits for another thread to let it go on. */
  readonly isParked?: boolean;
  /** The thread that has the rest of the turn. */
  readonly next?: Thread;
  /** The result of the built-in. */
  readonly finish: (isCancelled: boolean) => CoreValue | undefined;
}

/** The tasks of one live instance of an asynchronous component. */
export class Tasks {
  readonly live: LiveInstance;
  readonly scheduler: Scheduler;
  readonly stacks: Stacks;
  readonly instances: readonly InstanceTasks[];
  /** Calls of the host's functions whose answer has not come. */
  hostCalls = 0;
  readonly #lifted: (Lifted | undefined)[] = [];
  #count = 0;

  constructor(live: LiveInstance) {
    this.live = live;
    this.scheduler = new Scheduler({
      isOver: () => live.guest.fault !== undefined,
      failed: (error) => this.failed(error),
      running: (isRunning) => live.running?.(isRunning),
      idle: () => this.#endIfStuck(),
    });
    this.stacks = new Stacks(live, this.scheduler);
    const instances: InstanceTasks[] = [];
    const parents = live.component.plan.instanceParents;
    for (const [index, state] of live.states.entries()) {
      instances.push(new InstanceTasks(state, instances[parents[index] ?? -1]));
    }
    this.instances = instances;
    live.guest.post = (job) =>
      this.scheduler.begin((over) => {
        job();
        over();
      });
    live.guest.failed = (error) => this.failed(error);
  }

  /** Nothing of the guest is under way, so its state can be put back. */
  get isQuiet(): boolean {
    return this.#count === 0 && this.hostCalls === 0;
  }

  /** The thread that runs. */
  get current(): Thread {
    const thread = this.scheduler.current;
    if (thread === undefined) throw new TypeError("a guest runs, and no thread of it");
    return thread;
  }

  /** Calls an export for the host. */
  start(
    lift: number,
    args: readonly unknown[],
    running?: (isRunning: boolean) => void,
  ): GuestCall & { readonly now: Resolution } {
    const { live, scheduler } = this;
    if (live.guest.fault !== undefined) throw live.guest.fault;
    let now: Resolution;
    let resolution: Resolution;
    let task: Task | undefined;
    const end = new Outcome(live.guest);
    const answer = new Outcome(live.guest);
    const isAsync = live.component.plan.lifts[lift]?.options.async === true;
    const tell = (): void => {
      now = resolution;
      if (resolution === undefined) answer.fail(new CallCancelled("the guest ended the call"));
      else answer.done(resolution.result);
    };
    scheduler.begin((over) => {
      task = this.enter({
        lift,
        caller: undefined,
        started: () => args,
        resolved(how) {
          resolution = how;
          // A function that is lifted without `async` has a post-return function to come.
          if (isAsync || how === undefined) tell();
        },
        settled: tell,
        ended: () => end.done(undefined),
        running,
        over,
      });
    }, running);
    const cancel = (): void =>
      scheduler.begin((over) => (task === undefined ? over() : this.cancel(task, undefined, over)), running);
    return {
      get returned() {
        return answer.promise;
      },
      get ended() {
        return end.promise as Promise<void>;
      },
      cancel,
      now,
    };
  }

  /** Begins a call (CanonicalABI.md, "canon lift"). @throws GuestFault */
  enter({ lift, caller, started, resolved, isFused, settled, ended, running, over }: CallIn): Task {
    const { plan, async } = this.live.component;
    const liftPlan = plan.lifts[lift];
    const instance = this.instances[liftPlan?.instance ?? -1];
    if (liftPlan === undefined || instance === undefined) throw new RangeError(`the plan has no lift ${lift}`);
    if (!instance.mayEnterFrom(caller)) instance.state.trap("a component was entered while a call is in it");
    if (this.#count >= tasksMax) {
      instance.state.fail(new GuestFault("GUEST_LIMIT", `${tasksMax} calls are in the guest, and one more was made`));
    }
    this.#count++;
    const task = new Task({
      instance,
      plan: liftPlan,
      started,
      resolved,
      isFused,
      settled,
      ended: () => {
        this.#count--;
        ended?.();
      },
      wake: (woken) => this.scheduler.wake(woken),
      canSuspend: async?.blocks[liftPlan.instance] === true,
      // What a call makes of further calls is its own.
      running: running ?? (caller === undefined ? undefined : this.scheduler.current?.task.running),
    });
    const left = instance.enterFrom(caller, over);
    const turnOver = task.isAsync ? left : () => this.#untilResolved(task, left);
    this.scheduler.turn(task.implicit, { step: () => this.#letIn(task, lift), over: turnOver });
    return task;
  }

  /** Asks a task to stop (CanonicalABI.md, "Task.request_cancellation"). */
  cancel(task: Task, caller: InstanceTasks | undefined, over: () => void): void {
    const { implicit, instance } = task;
    if (task.state === "initial") {
      task.state = "cancel delivered";
      this.scheduler.turn(implicit, { step: () => implicit.resume(true), over });
      return;
    }
    if (task.state !== "started") return over();
    const isHeldBack = task.needsExclusive && instance.exclusive !== undefined && instance.exclusive !== implicit;
    const thread = [...task.threads].find(
      (one) => one.waiting?.isCancellable === true && !(isHeldBack && one === implicit),
    );
    if (thread === undefined || !instance.mayEnterFrom(caller)) {
      task.state = "cancel pending";
      return over();
    }
    task.state = "cancel delivered";
    const left = instance.enterFrom(caller, over);
    this.scheduler.turn(thread, { step: () => thread.resume(true), over: left });
  }

  /** The running thread waits in a built-in (CanonicalABI.md, "Thread.wait_until"). @returns its result, if it need not */
  block({ isReady, isCancellable = false, isYield = false, finish, ...block }: Block): CoreValue | undefined {
    const thread = this.current;
    if (isCancellable && thread.task.takeCancel()) return finish(true);
    // A function that is not async can let nobody else have a turn of its own accord.
    if ((!isYield || !thread.canSuspend) && isReady()) return finish(false);
    this.stacks.suspend(thread, () => {
      const resume: Waiting["resume"] = (isCancelled) => this.stacks.resume(thread, () => finish(isCancelled));
      thread.waiting = { isReady, isCancellable, isParked: block.isParked === true, resume };
      if (isYield) this.scheduler.wakeLater(thread);
      const { next } = block;
      if (next === undefined) return thread.endTurn();
      this.scheduler.turn(next, { step: () => next.resume(false), over: thread.giveTurn() });
    });
    return undefined;
  }

  /**
   * The running thread waits in the middle of its turn: nothing else of the guest runs until it goes on, but what it waits for.
   * @param begin begins that, once the thread is suspended or before; calls `over` when it is over
   */
  hold(begin: (over: () => void) => void, finish: () => CoreValue | undefined): CoreValue | undefined {
    const thread = this.current;
    let isOver = false;
    let isSuspended = false;
    begin(() => {
      isOver = true;
      if (isSuspended) this.stacks.resume(thread, finish);
    });
    if (isOver) return finish();
    this.stacks.suspend(thread, () => {
      isSuspended = true;
      if (isOver) this.stacks.resume(thread, finish);
    });
    return undefined;
  }

  /** All of the guest waits for an answer of the host's, of a function that is not async. `finish` is given it. */
  holdFor(answer: Promise<unknown>, finish: (value: unknown) => CoreValue | undefined): CoreValue | undefined {
    const { live } = this;
    let value: unknown;
    const begin = (over: () => void): void => {
      live.running?.(false);
      answer.then(
        (late) => {
          live.running?.(true);
          value = late;
          over();
        },
        (error: unknown) => this.failed(error),
      );
    };
    return this.hold(begin, () => finish(value));
  }

  /** Runs what cannot wait, as a task of its own: a start function, `realloc`, a destructor. */
  asSyncTask<Value>(instance: InstanceTasks, run: () => Value): Value {
    const { scheduler } = this;
    const before = scheduler.current;
    scheduler.current = syncTask(instance).implicit;
    try {
      return run();
    } finally {
      scheduler.current = before;
    }
  }

  /** The guest is over: whoever of the host waits for it is told. */
  failed(error: unknown): void {
    const { guest } = this.live;
    // The promise of its stack brings what it was.
    if (error === trapped) return;
    if (guest.fault === trapped) guest.fault = undefined;
    const fault = this.live.ended(error);
    const waits = [...guest.waits];
    guest.waits.clear();
    for (const fail of waits) fail(fault);
    this.#dropEnds();
  }

  reset(): void {
    this.#dropEnds();
    this.#count = 0;
    this.hostCalls = 0;
    this.scheduler.reset();
    this.stacks.reset();
    for (const instance of this.instances) instance.reset();
  }

  /** Streams of the host that the guest holds are read by nobody any more, those of the guest written by nobody. */
  #dropEnds(): void {
    for (const { state } of this.instances) {
      for (const item of state.handles.items()) if (item instanceof CopyEnd) item.shared.drop();
    }
  }

  /** @see LiveInstance.isAlone */
  #endIfStuck(): void {
    const { live } = this;
    if (!live.isAlone || this.isQuiet || this.hostCalls > 0 || live.guest.fault !== undefined) return;
    const ends = this.instances.flatMap(({ state }) =>
      [...state.handles.items()].filter((item) => item instanceof CopyEnd),
    );
    if (!ends.some((end) => end.isCopying && isWithHost(end, ends)))
      this.failed(new GuestFault("GUEST_FAILED", deadlock));
  }

  #letIn(task: Task, lift: number): void {
    const { instance, implicit } = task;
    if (!task.isAsync || (!task.isHeldBack && instance.entering.size === 0)) return this.#run(task, lift);
    if (instance.entering.size >= enteringMax) {
      const message = `${enteringMax} calls wait for a component to let them in, and one more came`;
      instance.state.fail(new GuestFault("GUEST_LIMIT", message));
    }
    instance.entering.add(implicit);
    implicit.waiting = {
      isReady: () => !task.isHeldBack,
      isCancellable: true,
      resume: (isCancelled) => {
        instance.entering.delete(implicit);
        if (!isCancelled) return this.#run(task, lift);
        task.cancel();
        task.end();
        implicit.endTurn();
      },
    };
    instance.changed();
    implicit.endTurn();
  }

  #run(task: Task, lift: number): void {
    const lifted = (this.#lifted[lift] ??= liftedOf(this.live, lift));
    new TaskRun(this, task, lifted).begin();
  }

  /** A function that is not async has to come to its end with what its own component instance can do now. */
  #untilResolved(task: Task, over: () => void): void {
    if (task.state === "resolved") return over();
    const { instance } = task;
    for (const item of instance.threads.items()) {
      const thread = item as Thread;
      // The call has the instance's stack to itself, below whatever those that share it have left there.
      if ((thread.task.needsExclusive && thread === thread.task.implicit) || !thread.isReady) continue;
      const next = (): void => this.#untilResolved(task, over);
      return this.scheduler.turn(thread, { step: () => thread.resume(false), over: next });
    }
    instance.state.trap("a function that is not async had to wait, and nothing of its component can go on");
  }
}

const deadlock = "deadlock: each task of the guest waits, and nothing is left that could wake one";

/** The other end is the host's, which may read or write at any time. */
const isWithHost = (end: CopyEnd, ends: readonly CopyEnd[]): boolean =>
  !ends.some((other) => other.shared === end.shared && other !== end);

/** What comes of a call, as a promise for who asks for it: most calls have their answer before anybody could. */
class Outcome {
  readonly #guest: GuestState;
  #settled: { readonly value: unknown } | { readonly error: Error } | undefined;
  #promise: Promise<unknown> | undefined;
  #tell: (() => void) | undefined;

  constructor(guest: GuestState) {
    this.#guest = guest;
  }

  /** Rejects when the guest fails. */
  get promise(): Promise<unknown> {
    return (this.#promise ??= this.#makePromise());
  }

  done(value: unknown): void {
    this.#settled = { value };
    this.#tell?.();
  }

  fail(error: Error): void {
    this.#settled ??= { error };
    this.#tell?.();
  }

  #makePromise(): Promise<unknown> {
    const { waits, fault } = this.#guest;
    const promise = new Promise((resolve, reject) => {
      const fail = (error: Error): void => this.fail(error);
      this.#tell = () => {
        const settled = this.#settled;
        if (settled === undefined) return;
        waits.delete(fail);
        if ("error" in settled) reject(settled.error);
        else resolve(settled.value);
      };
      waits.add(fail);
      // What a stack has trapped with is told in a microtask.
      if (fault !== undefined && fault !== trapped) this.fail(fault);
      this.#tell();
    });
    // Who asks is told; nobody has to listen.
    promise.catch(() => undefined);
    return promise;
  }
}
