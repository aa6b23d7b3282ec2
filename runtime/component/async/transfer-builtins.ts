import { unreachable } from "@shallop/sdk/internal";
import type { CanonicalContext } from "../abi/canonical-context.ts";
import { GuestBuffer } from "../abi/copy-buffer.ts";
import { CopyEnd, type EndSide, type Transferred } from "../abi/copy-end.ts";
import { GuestFuture } from "../abi/futures.ts";
import { type CopyResult, copyResults, GuestStream } from "../abi/guest-stream.ts";
import { type EventCode, eventCodes } from "../abi/waitable.ts";
import type { LiveInstance } from "../instance/live-instance.ts";
import type { BuiltinOf, BuiltinPlan } from "../link/link-plan.ts";
import type { TypeIndex } from "../link/value-type.ts";
import type { CoreFunction } from "./builtins.ts";
import type { Tasks } from "./tasks.ts";
import { blocked, waitForEvent } from "./waitable-builtins.ts";

type TransferPlan = BuiltinOf<Extract<BuiltinPlan["op"], `${Transferred}.${string}`>>;

interface EndKind {
  readonly transferred: Transferred;
  readonly side: EndSide;
  readonly type: TypeIndex;
  readonly event: EventCode;
}

/** Built-ins of streams and futures (CanonicalABI.md, "canon {stream,future}.new" and its like). */
export function transferBuiltin(live: LiveInstance, tasks: Tasks, plan: TransferPlan): CoreFunction {
  const transfers = new Transfers(live, tasks, plan.instance);
  const transferred = plan.op.startsWith("stream") ? "stream" : "future";
  const kind = (side: EndSide): EndKind => ({ transferred, side, type: plan.type, event: events[transferred][side] });
  switch (plan.op) {
    case "stream.new":
    case "future.new":
      return () => transfers.make(transferred, plan.type);
    case "stream.read":
    case "future.read":
      return transfers.copy(kind("readable"), plan);
    case "stream.write":
    case "future.write":
      return transfers.copy(kind("writable"), plan);
    case "stream.cancel-read":
    case "future.cancel-read":
      return (index) => transfers.cancel(Number(index) >>> 0, kind("readable"), plan.async);
    case "stream.cancel-write":
    case "future.cancel-write":
      return (index) => transfers.cancel(Number(index) >>> 0, kind("writable"), plan.async);
    case "stream.drop-readable":
    case "future.drop-readable":
      return (index) => transfers.drop(Number(index) >>> 0, kind("readable"));
    case "stream.drop-writable":
    case "future.drop-writable":
      return (index) => transfers.drop(Number(index) >>> 0, kind("writable"));
    default:
      return unreachable(plan);
  }
}

const events: Readonly<Record<Transferred, Readonly<Record<EndSide, EventCode>>>> = {
  stream: { readable: eventCodes.streamRead, writable: eventCodes.streamWrite },
  future: { readable: eventCodes.futureRead, writable: eventCodes.futureWrite },
};

class Transfers {
  readonly #live: LiveInstance;
  readonly #tasks: Tasks;
  readonly #instance: number;

  constructor(live: LiveInstance, tasks: Tasks, instance: number) {
    this.#live = live;
    this.#tasks = tasks;
    this.#instance = instance;
  }

  /** Both ends: the readable one in the low half. */
  make(transferred: Transferred, type: TypeIndex): bigint {
    const { guest, component } = this.#live;
    const { item } = component.transferred(type);
    const shared =
      transferred === "stream" ? new GuestStream({ type, item, guest }) : new GuestFuture({ type, item, guest });
    const { handles } = this.#live.state(this.#instance);
    const readable = handles.add(new CopyEnd(transferred, "readable", shared));
    const writable = handles.add(new CopyEnd(transferred, "writable", shared));
    return BigInt(readable) | (BigInt(writable) << 32n);
  }

  copy(kind: EndKind, { options, type }: Extract<TransferPlan, { options: unknown }>): CoreFunction {
    const { item } = this.#live.component.transferred(type);
    const state = this.#live.state(this.#instance);
    let context: CanonicalContext | undefined;
    return (at, pointer, count) => {
      const index = Number(at) >>> 0;
      const end = this.#end(index, kind);
      if (end.state !== "idle") state.trap(`a ${kind.transferred} was copied from or to while it is, or after its end`);
      if (end.isInSet && !options.async) state.trap(`a ${kind.transferred} in a waitable set was waited for by itself`);
      context ??= this.#live.context(this.#instance, options);
      const length = kind.transferred === "stream" ? Number(count) >>> 0 : 1;
      const buffer = new GuestBuffer(item, context, { pointer: Number(pointer) >>> 0, length });
      end.state = "copying";
      this.#begin(end, buffer, { kind, index });
      if (end.hasEvent) return end.takeEvent().payload | 0;
      return options.async ? blocked : waitForEvent(this.#tasks, end);
    };
  }

  cancel(index: number, kind: EndKind, async: boolean): number | undefined {
    const state = this.#live.state(this.#instance);
    const end = this.#end(index, kind);
    if (end.state !== "copying" || end.waiter !== undefined) state.trap("a copy was cancelled that is not under way");
    if (end.isInSet && !async) state.trap(`a ${kind.transferred} in a waitable set was waited for by itself`);
    end.state = "cancelling";
    // A copy in part is over when it is cancelled: the reference tests have it so (big-interleaving-test), where the
    // definitions would still tell of its completion.
    if (!end.hasEvent || end.isPartial) end.shared.cancel();
    if (end.hasEvent) return end.takeEvent().payload | 0;
    return async ? blocked : waitForEvent(this.#tasks, end);
  }

  drop(index: number, kind: EndKind): undefined {
    const state = this.#live.state(this.#instance);
    const end = this.#end(index, kind);
    if (end.isCopying) state.trap(`a ${kind.transferred} was dropped while it is copied from or to`);
    if (kind.transferred === "future" && kind.side === "writable" && end.state !== "done") {
      state.trap("a future was dropped that nothing has been written to");
    }
    state.handles.free(index);
    end.join(undefined);
    end.shared.drop();
  }

  #begin(end: CopyEnd, buffer: GuestBuffer, { kind, index }: { readonly kind: EndKind; readonly index: number }): void {
    const { state } = buffer.context;
    const isStream = kind.transferred === "stream";
    const settle = (result: CopyResult, reclaim?: () => void): void =>
      end.setEvent(() => {
        reclaim?.();
        end.isPartial = false;
        const isOver = result === copyResults.dropped || (!isStream && result === copyResults.completed);
        end.state = isOver ? "done" : "idle";
        const payload = isStream ? result | (buffer.progress << 4) : result;
        return { code: kind.event, index, payload };
      });
    const side = {
      buffer,
      state,
      copied(reclaim: () => void) {
        end.isPartial = buffer.remain > 0;
        settle(copyResults.completed, reclaim);
      },
      done(result: CopyResult) {
        end.isPartial = false;
        settle(result);
      },
    };
    if (kind.side === "readable") end.shared.take(side);
    else end.shared.give(side);
  }

  #end(index: number, { transferred, side, type }: EndKind): CopyEnd {
    const state = this.#live.state(this.#instance);
    const end = state.handles.item(index);
    if (!(end instanceof CopyEnd) || end.transferred !== transferred || end.side !== side) {
      return state.trap(`handle ${index} is no ${side} end of a ${transferred}`);
    }
    if (end.shared.type !== type) state.trap(`handle ${index} is a ${transferred} of another type`);
    return end;
  }
}
