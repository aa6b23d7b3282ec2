import { unreachable } from "@shallop/sdk/internal";
import { ErrorContextItem } from "../abi/copy-end.ts";
import { ErrorContext } from "../abi/stream.ts";
import { stringCodec } from "../abi/string-codec.ts";
import type { LiveInstance } from "../instance/live-instance.ts";
import type { BuiltinOf, BuiltinPlan } from "../link/link-plan.ts";
import type { CoreFunction } from "./builtins.ts";

type ErrorContextPlan = BuiltinOf<Extract<BuiltinPlan["op"], `error-context.${string}`>>;

/** A message is for a log line; what a guest keeps in the host's memory is bounded by its handles times this. */
const messageMax = 1_024;

/** CanonicalABI.md, "canon error-context.new" and its like. */
export function errorContextBuiltin(live: LiveInstance, plan: ErrorContextPlan): CoreFunction {
  const state = live.state(plan.instance);
  const itemAt = (index: number): ErrorContextItem => {
    const item = state.handles.item(index);
    return item instanceof ErrorContextItem ? item : state.trap(`handle ${index} is no error-context`);
  };
  switch (plan.op) {
    case "error-context.new":
      return (...values) => {
        const context = live.context(plan.instance, plan.options);
        context.beginLift();
        const message = String(stringCodec.lift(context, values, 0));
        return state.handles.add(new ErrorContextItem(new ErrorContext(shortened(message))));
      };
    case "error-context.debug-message":
      return (index, pointer) => {
        const { value } = itemAt(Number(index) >>> 0);
        const context = live.context(plan.instance, plan.options);
        const to = Number(pointer) >>> 0;
        context.check(to, stringCodec.size, stringCodec.alignment);
        stringCodec.store(context, value.debugMessage, to);
        return undefined;
      };
    case "error-context.drop":
      return (value) => {
        const index = Number(value) >>> 0;
        itemAt(index);
        state.handles.free(index);
        return undefined;
      };
    default:
      return unreachable(plan);
  }
}

/** Half a character is none. */
const shortened = (message: string): string => message.slice(0, messageMax).toWellFormed();
