import type { BuiltinOf, BuiltinPlan, Callee, LinkPlan } from "../link/link-plan.ts";

/** Whether a component has anything of the asynchronous ABI. One that has not runs without what that needs. */
export function isAsync(plan: LinkPlan): boolean {
  return (
    plan.types.some(({ kind }) => kind === "stream" || kind === "future" || kind === "error-context") ||
    plan.builtins.some(
      (builtin) => !syncOperations.has(builtin.op) || (builtin.op === "lower" && builtin.type.async),
    ) ||
    plan.lifts.some(({ type }) => type.async)
  );
}

const syncOperations: ReadonlySet<BuiltinPlan["op"]> = new Set<BuiltinPlan["op"]>([
  "lower",
  "resource.new",
  "resource.rep",
  "resource.drop",
]);

type Operations = ReadonlySet<BuiltinPlan["op"]>;

const copies: Operations = new Set(["stream.read", "stream.write", "future.read", "future.write"] as const);
const cancels: Operations = new Set([
  "stream.cancel-read",
  "stream.cancel-write",
  "future.cancel-read",
  "future.cancel-write",
] as const);
const waits: Operations = new Set([
  "waitable-set.wait",
  "thread.yield",
  "thread.suspend",
  "thread.suspend-then-resume",
  "thread.yield-then-resume",
  "thread.suspend-then-promote",
  "thread.yield-then-promote",
] as const);

/**
 * What of an asynchronous component may have to suspend a stack; the rest is called without one. A callback function whose
 * component has no built-in that blocks needs none: it waits by returning.
 */
export class AsyncPlan {
  /** By component instance: a call into it may be suspended. */
  readonly blocks: readonly boolean[];
  readonly #plan: LinkPlan;
  readonly #hostWaits: (host: number) => boolean;
  readonly #blocks: boolean[];
  /** By component instance: a call into it may be suspended in the middle of its turn. */
  readonly #holds: boolean[];

  constructor(plan: LinkPlan, hostWaits: (host: number) => boolean) {
    this.#plan = plan;
    this.#hostWaits = hostWaits;
    this.#blocks = Array.from({ length: plan.componentInstances }, () => false);
    this.#holds = [...this.#blocks];
    this.blocks = this.#blocks;
    // Components that wrap each other call each other in both directions: until nothing changes.
    while (this.#spread());
  }

  /** Whether a built-in may have to wait. */
  builtinBlocks(builtin: BuiltinPlan): boolean {
    if (builtin.op === "lower") {
      return builtin.options.async ? this.#calleeHolds(builtin) : this.#calleeBlocks(builtin);
    }
    // Who is told to stop goes on at once: if it has a stack that takes a microtask.
    if (builtin.op === "subtask.cancel") return !builtin.async || this.#blocks.some((blocks) => blocks);
    if (copies.has(builtin.op)) return "options" in builtin && !builtin.options.async;
    if (cancels.has(builtin.op)) return "async" in builtin && !builtin.async;
    return waits.has(builtin.op);
  }

  #spread(): boolean {
    let isChanged = false;
    for (const builtin of this.#plan.builtins) {
      const { instance } = builtin;
      if (!this.#blocks[instance] && this.builtinBlocks(builtin)) isChanged = this.#blocks[instance] = true;
      if (!this.#holds[instance] && this.#builtinHolds(builtin)) isChanged = this.#holds[instance] = true;
    }
    return isChanged;
  }

  #builtinHolds(builtin: BuiltinPlan): boolean {
    if (builtin.op === "subtask.cancel") return this.#blocks.some((blocks) => blocks);
    return builtin.op === "lower" && this.#calleeHolds(builtin);
  }

  #calleeBlocks({ callee, type }: BuiltinOf<"lower">): boolean {
    if (type.async) return true;
    return callee.kind === "host" ? this.#hostWaits(callee.host) : this.#lifted(callee, this.#blocks);
  }

  /** A function that is not async and waits nevertheless keeps all others waiting with it. */
  #calleeHolds({ callee, type }: BuiltinOf<"lower">): boolean {
    if (callee.kind === "host") return !type.async && this.#hostWaits(callee.host);
    return this.#lifted(callee, type.async ? this.#holds : this.#blocks);
  }

  #lifted(callee: Callee & { readonly kind: "lift" }, instances: readonly boolean[]): boolean {
    return instances[this.#plan.lifts[callee.lift]?.instance ?? 0] ?? false;
  }
}
