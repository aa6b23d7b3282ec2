import type { CanonicalContext } from "../abi/canonical-context.ts";
import { allocateList, checkList, elementsOf } from "../abi/list-codec.ts";
import type { CodecTable } from "../abi/codec-table.ts";
import type { CoreValue } from "../abi/codec.ts";
import { noScalarValue } from "../abi/scalar-codecs.ts";
import { copyUtf8, moveString } from "../abi/string-codec.ts";
import { noCase } from "../abi/variant-codecs.ts";
import { GuestFault } from "../guest-fault.ts";
import { guestWatch } from "../instance/guest-watch.ts";
import type { LiveInstance } from "../instance/live-instance.ts";
import type { LinkPlan } from "../link/link-plan.ts";
import type { FusedGroup } from "./fused-plan.ts";
import type { Direction } from "./fused-module.ts";
import type { Helper } from "./value-passages.ts";

type CoreFunction = (...values: readonly CoreValue[]) => CoreValue | undefined;

/** From which memory, and into which. */
interface Way {
  readonly from: CanonicalContext;
  readonly to: CanonicalContext;
}

/** The functions by which one component of `live` calls another, by their numbers in the group. */
export function fusedCalls(live: LiveInstance, group: FusedGroup): Readonly<Record<string, unknown>> {
  const { caller, callee, functions } = group;
  const contexts = {
    caller: live.context(caller.instance, caller.options),
    callee: live.context(callee.instance, callee.options),
  };
  const call = new CallBetween(live, contexts.caller, contexts.callee);
  const { module, helpers } = group.module;
  const length = new WebAssembly.Global({ value: "i32", mutable: true }, 0);
  const ways: Readonly<Record<Direction, Way>> = {
    params: { from: contexts.caller, to: contexts.callee },
    results: { from: contexts.callee, to: contexts.caller },
  };
  const imports: Record<string, Record<string, unknown>> = {
    memory: {},
    call: {
      enter: call.enter,
      returned: call.returned,
      leave: call.leave,
      failed: call.failed,
      escaped: call.escaped,
    },
    core: {},
    end: {},
    state: { length, tag: WebAssembly.JSTag },
    params: {},
    results: {},
  };
  for (const [side, { options }] of Object.entries({ caller, callee })) {
    if (options.memory !== undefined) imports["memory"]![side] = live.core(options.memory);
  }
  for (const [index, { lift }] of group.isAsync ? [] : functions.entries()) {
    const { postReturn } = lift.options;
    imports["core"]![String(index)] = live.core(lift.core);
    if (postReturn !== undefined) imports["end"]![String(index)] = call.ending(live.core(postReturn) as CoreFunction);
  }
  for (const [index, { direction, helper }] of helpers.entries()) {
    const made = helperOf(helper, {
      ...ways[direction],
      length,
      plan: live.component.plan,
      codecs: live.component.codecs,
    });
    imports[direction]![String(index)] = call.guarded(made);
  }
  return new WebAssembly.Instance(module, imports).exports;
}

/** What a call between two components begins and ends with; nothing of it is on the stack while the callee is at work. */
class CallBetween {
  readonly #live: LiveInstance;
  readonly #from: CanonicalContext;
  readonly #to: CanonicalContext;

  constructor(live: LiveInstance, from: CanonicalContext, to: CanonicalContext) {
    this.#live = live;
    this.#from = from;
    this.#to = to;
  }

  /** @returns how many handles the caller has lent, which `leave` is given. @throws GuestFault */
  readonly enter = (): number => {
    const caller = this.#from.state;
    const callee = this.#to.state;
    caller.checkCallOut();
    const verdict = guestWatch.verdict();
    if (verdict !== undefined) caller.fail(verdict);
    if (callee.entered) callee.trap("a component was entered while a call is in it");
    callee.entered = true;
    callee.borrowing = { borrows: 0 };
    this.#from.beginLift();
    return caller.lentCount;
  };

  /** The callee's function has returned: its result is next. @throws GuestFault */
  readonly returned = (): void => {
    const callee = this.#to.state;
    const { borrowing } = callee;
    callee.borrowing = undefined;
    callee.throwIfOver();
    if (borrowing !== undefined && borrowing.borrows > 0)
      callee.trap("a call ended while the guest still holds what it was lent");
    this.#to.beginLift();
  };

  readonly leave = (lentCount: number): void => {
    this.#to.state.entered = false;
    this.#from.state.takeBack(lentCount);
  };

  /** `leave`, for a callee that cleans up after it has returned. */
  ending(postReturn: CoreFunction): (lentCount: number, ...returned: readonly CoreValue[]) => void {
    return (lentCount, ...returned) => {
      const callee = this.#to.state;
      try {
        callee.mayLeave = false;
        postReturn(...returned);
        callee.throwIfOver();
        callee.mayLeave = true;
      } catch (error) {
        throw this.#live.ended(error);
      }
      this.leave(lentCount);
    };
  }

  readonly failed = (error: unknown): never => {
    throw this.#live.ended(error);
  };

  /** @throws GuestFault always: an exception of core WebAssembly, which nobody else knows, would leave its component */
  readonly escaped = (): never => {
    throw this.#live.ended(new GuestFault("GUEST_FAILED", "the guest failed: an exception that it did not catch"));
  };

  /** Whatever it throws ends the guest, even where the guest would catch it. */
  guarded(helper: (one: number, two: number, three: number) => number | void): typeof helper {
    return (one, two, three) => {
      try {
        return helper(one, two, three);
      } catch (error) {
        throw this.#live.ended(error);
      }
    };
  }
}

interface HelperSettings extends Way {
  readonly length: WebAssembly.Global;
  readonly plan: LinkPlan;
  readonly codecs: CodecTable;
}

/** Numbers come as core WebAssembly has them, without a sign of their own. */
function helperOf(
  helper: Helper,
  { from, to, length, plan, codecs }: HelperSettings,
): (one: number, two: number, three: number) => number | void {
  if (helper === "check") return (pointer, byteLength, alignment) => from.check(pointer >>> 0, byteLength, alignment);
  if (helper === "allocate") return (byteLength, alignment) => to.allocate(byteLength, alignment);
  if (helper === "bad-case") return (index, count) => noCase(from, index >>> 0, count);
  if (helper === "bad-char") return (codePoint) => noScalarValue(from, codePoint >>> 0);
  if (helper === "text") {
    if (from.encoding === "utf8" && to.encoding === "utf8") {
      return (pointer, count) => copyUtf8(from, to, { pointer: pointer >>> 0, length: count >>> 0 });
    }
    return (pointer, count) => {
      const moved = moveString(from, to, { pointer: pointer >>> 0, length: count >>> 0 });
      length.value = moved.length | 0;
      return moved.pointer;
    };
  }
  if ("list" in helper) {
    const elements = elementsOf(codecs.codec(helper.list), plan.types[helper.list]?.kind ?? "");
    return (pointer, count) => {
      checkList(from, pointer >>> 0, count >>> 0, elements);
      return allocateList(to, count >>> 0, elements);
    };
  }
  const codec = codecs.codec(helper.item);
  const lifted: CoreValue[] = [0];
  const lowered: CoreValue[] = [];
  return (index) => {
    lifted[0] = index;
    lowered.length = 0;
    codec.lower(to, codec.lift(from, lifted, 0), lowered);
    return Number(lowered[0]);
  };
}
