import { unreachable } from "@shallop/sdk/internal";
import type { Canon, CanonOptions } from "../binary/component.ts";
import { BinaryError } from "../leb128.ts";
import type { FunctionItem } from "./item.ts";
import type { BuiltinPlan, CanonicalOptions } from "./link-plan.ts";
import { expectOptions, flatParamsMax, liftNeeds, lowerNeeds } from "./option-needs.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import { resolveResource, resolveResult } from "./resolve-type.ts";
import type { Scope } from "./scope.ts";
import type { TypeIndex } from "./value-type.ts";

interface CanonContext {
  readonly scope: Scope;
  readonly builder: PlanBuilder;
  /** The component instance whose definition it is. */
  readonly instance: number;
  readonly offset: number;
}

type Lift = Canon & { readonly op: "lift" };

/** `canon lift`: a core function becomes one of the component. */
export function makeLift(canon: Lift, context: CanonContext): FunctionItem {
  const { scope, builder, instance, offset } = context;
  const type = scope.get("type", canon.type, offset);
  if (type.kind !== "function") throw new BinaryError(`type ${canon.type} is no type of a function`, offset);
  const { options } = canon;
  if (options.async && !type.type.async) {
    throw new BinaryError("a function whose type is not async is lifted as if it were", offset);
  }
  if (options.async && options.postReturn !== undefined) {
    throw new BinaryError("an async function has a function to call after its return", offset);
  }
  if (!options.async && options.callback !== undefined) {
    throw new BinaryError("a function that is not async has a callback", offset);
  }
  expectOptions(options, liftNeeds(type.type, options, builder.arena), offset);
  const core = scope.get("core function", canon.core, offset);
  const plan = { core, type: builder.functionType(type.type), options: makeOptions(options, context), instance };
  return { kind: "lift", lift: builder.lift(plan, offset), type: type.type };
}

/** All other canonical definitions: core functions that the linker makes. */
export function makeBuiltin(canon: Exclude<Canon, Lift>, context: CanonContext): BuiltinPlan {
  const { scope, instance, offset } = context;
  switch (canon.op) {
    case "lower":
      return makeLower(canon, context);
    case "resource.new":
    case "resource.rep":
    case "resource.drop":
      return { op: canon.op, instance, resource: makeResource(canon, context) };
    case "task.return":
      return makeReturn(canon, context);
    case "thread.new-indirect": {
      scope.get("core type", canon.type, offset);
      return { op: canon.op, instance, table: scope.get("core table", canon.table, offset) };
    }
    case "waitable-set.wait":
    case "waitable-set.poll": {
      const memory = scope.get("core memory", canon.memory, offset);
      return { op: canon.op, instance, cancellable: canon.cancellable, memory };
    }
    case "error-context.new":
    case "error-context.debug-message":
      return { op: canon.op, instance, options: makeLowerOptions(canon.options, context) };
    case "stream.new":
    case "stream.drop-readable":
    case "stream.drop-writable":
    case "future.new":
    case "future.drop-readable":
    case "future.drop-writable":
      return { op: canon.op, instance, type: makeTransferred(canon, context) };
    case "stream.read":
    case "stream.write":
    case "future.read":
    case "future.write": {
      const options = makeLowerOptions(canon.options, context);
      return { op: canon.op, instance, type: makeTransferred(canon, context), options };
    }
    case "stream.cancel-read":
    case "stream.cancel-write":
    case "future.cancel-read":
    case "future.cancel-write":
      return { op: canon.op, instance, type: makeTransferred(canon, context), async: canon.async };
    case "task.cancel":
    case "context.get":
    case "context.set":
    case "backpressure.inc":
    case "backpressure.dec":
    case "backpressure.set":
    case "subtask.cancel":
    case "subtask.drop":
    case "thread.index":
    case "thread.resume-later":
    case "thread.yield":
    case "thread.suspend":
    case "thread.suspend-then-resume":
    case "thread.yield-then-resume":
    case "thread.suspend-then-promote":
    case "thread.yield-then-promote":
    case "waitable-set.new":
    case "waitable-set.drop":
    case "waitable.join":
    case "error-context.drop":
      return { ...canon, instance };
    default:
      return unreachable(canon);
  }
}

function makeLower(canon: Canon & { readonly op: "lower" }, context: CanonContext): BuiltinPlan {
  const { scope, builder, instance, offset } = context;
  const item = scope.get("function", canon.function, offset);
  if (canon.options.async && !item.type.async) {
    throw new BinaryError("a function whose type is not async is lowered as if it were", offset);
  }
  expectOptions(canon.options, lowerNeeds(item.type, canon.options, builder.arena), offset);
  const options = makeLowerOptions(canon.options, context);
  const callee = builder.callee(item, offset);
  return { op: canon.op, instance, callee, type: builder.functionType(item.type), options };
}

function makeReturn(canon: Canon & { readonly op: "task.return" }, context: CanonContext): BuiltinPlan {
  const { scope, builder, instance, offset } = context;
  const options = makeLowerOptions(canon.options, context);
  if (canon.result === undefined) return { op: canon.op, instance, options };
  const result = resolveResult(canon.result, { scope, arena: builder.arena, offset });
  const facts = builder.arena.facts(result);
  expectOptions(canon.options, { memory: facts.hasPointer || facts.flat > flatParamsMax, realloc: false }, offset);
  return { op: canon.op, instance, result: builder.type(result), options };
}

/** resource.new and resource.rep see what a handle stands for: only the component that defines the resource may. */
function makeResource(canon: { readonly op: string; readonly type: number }, context: CanonContext): number {
  const { scope, builder, instance, offset } = context;
  const number = resolveResource(canon.type, { scope, offset });
  const resource = builder.resourceOf(number);
  const isOwn = resource.kind === "guest" && resource.instance === instance;
  if (canon.op !== "resource.drop" && !isOwn) {
    throw new BinaryError(`${canon.op} is used on a resource of another component`, offset);
  }
  return builder.resource(number);
}

/** The plan's number of the stream or future type that a built-in works on. */
function makeTransferred(canon: { readonly op: string; readonly type: number }, context: CanonContext): TypeIndex {
  const { scope, builder, offset } = context;
  const item = scope.get("type", canon.type, offset);
  const kind = item.kind === "value" ? builder.arena.get(item.type).kind : item.kind;
  if (item.kind !== "value" || !canon.op.startsWith(`${kind}.`)) {
    throw new BinaryError(`${canon.op} is used on a type that is none`, offset);
  }
  return builder.type(item.type);
}

function makeLowerOptions(options: CanonOptions, context: CanonContext): CanonicalOptions {
  if (options.postReturn !== undefined || options.callback !== undefined) {
    throw new BinaryError("a function that is no export has options of one", context.offset);
  }
  return makeOptions(options, context);
}

function makeOptions(options: CanonOptions, { scope, offset }: CanonContext): CanonicalOptions {
  const { encoding, async, memory, realloc, postReturn, callback } = options;
  const find = (index: number) => scope.get("core function", index, offset);
  return {
    encoding,
    async,
    ...(memory === undefined ? {} : { memory: scope.get("core memory", memory, offset) }),
    ...(realloc === undefined ? {} : { realloc: find(realloc) }),
    ...(postReturn === undefined ? {} : { postReturn: find(postReturn) }),
    ...(callback === undefined ? {} : { callback: find(callback) }),
  };
}
