import type { CoreType } from "../abi/codec.ts";
import type { FunctionCodec } from "../abi/function-codec.ts";
import type { FunctionType, TypeIndex } from "../link/value-type.ts";
import { type Callee, FunctionCode, instructions as is, type Signature } from "./function-code.ts";
import { lanesOf, type Source, toLanes } from "./passage-ends.ts";
import type { ValuePassages } from "./value-passages.ts";

/** A function of one component that another one calls. */
export interface FusedFunction {
  readonly type: FunctionType;
  /** As the one lowers it, and as the other lifts it. */
  readonly caller: FunctionCodec;
  readonly callee: FunctionCodec;
  readonly hasPostReturn: boolean;
  readonly isLiftedAsync: boolean;
}

export interface CallCodeSettings {
  readonly params: ValuePassages;
  readonly results: ValuePassages;
  /** The same for what has been imported before. */
  readonly importFunction: (from: string, member: string, signature: Signature) => Callee;
}

const jsTag = 0;
const catchTag = 0x00;
const catchAll = 0x02;
/** CanonicalABI.md, "MAX_FLAT_PARAMS": of what an async function gives to `task.return`. */
const flatReturnedMax = 16;

/** Writes the code of calls, or of the halves of those between which there is whatever time tasks take. */
export class CallCode {
  readonly #params: ValuePassages;
  readonly #results: ValuePassages;
  readonly #import: CallCodeSettings["importFunction"];

  constructor({ params, results, importFunction }: CallCodeSettings) {
    this.#params = params;
    this.#results = results;
    this.#import = importFunction;
  }

  /** What a caller imports. `index`: of the function. */
  call(fused: FusedFunction, index: number): FunctionCode {
    const { lowered, lifted } = fused.caller;
    const core = this.#import("core", String(index), { params: lifted.params, results: listOf(lifted.result) });
    const code = new FunctionCode(lowered.params, listOf(lowered.result));
    const lent = code.local("i32");
    const args = lifted.params.map((param) => code.local(param));
    const returned = lifted.result === undefined ? undefined : code.local(lifted.result);
    const answer = lowered.result === undefined ? undefined : code.local(lowered.result);
    code.call(this.#import("call", "enter", { params: [], results: ["i32"] }));
    code.set(lent);
    this.#passParams(code, fused);
    for (const local of args.toReversed()) code.set(local);
    this.#callCore(code, core, { args, returned });
    code.call(this.#import("call", "returned", { params: [], results: [] }));
    if (fused.type.result !== undefined && returned !== undefined) {
      const isInMemory = fused.callee.resultInMemory;
      this.#passResult(code, fused.type.result, { returned, isInMemory, to: this.#resultPlace(fused) });
      if (answer !== undefined) code.set(answer);
    }
    code.get(lent);
    if (fused.hasPostReturn) {
      if (returned !== undefined) code.get(returned);
      const params: readonly CoreType[] = ["i32", ...listOf(lifted.result)];
      code.call(this.#import("end", String(index), { params, results: [] }));
    } else code.call(this.#import("call", "leave", { params: ["i32"], results: [] }));
    if (answer !== undefined) code.get(answer);
    return code;
  }

  /** From what the caller calls with to what the callee's function is called with. */
  paramsHalf(fused: FusedFunction): FunctionCode {
    const { caller, callee } = fused;
    const code = new FunctionCode(caller.paramsInMemory ? ["i32"] : caller.tuple.flat, callee.lifted.params);
    this.#passParams(code, fused);
    return code;
  }

  /** From what the callee has returned to what the caller gets; the place that it wants it in comes last. */
  resultHalf({ type: { result }, caller, callee, isLiftedAsync }: FusedFunction): FunctionCode {
    if (result === undefined) return new FunctionCode([], []);
    const { flat } = this.#results.codec(result);
    const isInMemory = isLiftedAsync ? flat.length > flatReturnedMax : callee.resultInMemory;
    const returned: readonly CoreType[] = isInMemory ? ["i32"] : flat;
    const params: readonly CoreType[] = caller.resultInMemory ? [...returned, "i32"] : returned;
    const code = new FunctionCode(params, caller.resultInMemory ? [] : flat);
    const to = caller.resultInMemory ? returned.length : undefined;
    this.#passResult(code, result, { returned: 0, isInMemory, to });
    return code;
  }

  /** Leaves what the callee's function is called with on the stack. */
  #passParams(code: FunctionCode, { type, caller, callee }: FusedFunction): void {
    const types = type.params.map((param) => param.type);
    const { tuple } = caller;
    const source: Source = caller.paramsInMemory
      ? { kind: "memory", pointer: 0, offset: 0 }
      : { kind: "lanes", lanes: lanesOf(tuple.flat) };
    if (caller.paramsInMemory) this.#check(code, this.#params, { pointer: 0, ...tuple });
    if (!callee.paramsInMemory) return this.#params.passAll(code, types, { source, target: toLanes });
    const to = code.local("i32");
    code.i32(tuple.size);
    code.i32(tuple.alignment);
    code.call(this.#params.helper("allocate", ["i32", "i32"], ["i32"]));
    code.set(to);
    this.#params.passAll(code, types, { source, target: { kind: "memory", pointer: to, offset: 0 } });
    code.get(to);
  }

  /** The local that says where the caller wants the result; undefined when that is one core value. */
  #resultPlace({ caller }: FusedFunction): number | undefined {
    return caller.resultInMemory ? caller.lowered.params.length - 1 : undefined;
  }

  /** Leaves the result on the stack where no place is given for it. `returned`: the first local of what the callee returned. */
  #passResult(
    code: FunctionCode,
    type: TypeIndex,
    {
      returned,
      isInMemory,
      to,
    }: { readonly returned: number; readonly isInMemory: boolean; readonly to: number | undefined },
  ): void {
    const codec = this.#results.codec(type);
    if (isInMemory) this.#check(code, this.#results, { pointer: returned, ...codec });
    if (to !== undefined) this.#check(code, this.#params, { pointer: to, ...codec });
    this.#results.pass(code, type, {
      source: isInMemory
        ? { kind: "memory", pointer: returned, offset: 0 }
        : { kind: "lanes", lanes: lanesOf(codec.flat, returned) },
      target: to === undefined ? toLanes : { kind: "memory", pointer: to, offset: 0 },
    });
  }

  /** In the memory that `passages` come from. */
  #check(
    code: FunctionCode,
    passages: ValuePassages,
    place: { readonly pointer: number; readonly size: number; readonly alignment: number },
  ): void {
    code.get(place.pointer);
    code.i32(place.size);
    code.i32(place.alignment);
    code.call(passages.helper("check", ["i32", "i32", "i32"]));
  }

  /** Whatever the callee throws ends the guest: its caller shall not catch it. */
  #callCore(
    code: FunctionCode,
    core: Callee,
    { args, returned }: { readonly args: readonly number[]; readonly returned: number | undefined },
  ): void {
    code.op(is.block, is.noResult, is.block, is.noResult, is.block, is.externref);
    code.op(is.tryTable, is.noResult, 2, catchTag, jsTag, 0, catchAll, 1);
    for (const local of args) code.get(local);
    code.call(core);
    if (returned !== undefined) code.set(returned);
    code.op(is.end, is.br, 2, is.end);
    code.call(this.#import("call", "failed", { params: ["externref"], results: [] }));
    code.op(is.unreachable, is.end);
    code.call(this.#import("call", "escaped", { params: [], results: [] }));
    code.op(is.unreachable, is.end);
  }
}

const listOf = (type: CoreType | undefined): readonly CoreType[] => (type === undefined ? [] : [type]);
