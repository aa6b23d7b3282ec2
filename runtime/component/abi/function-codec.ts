import type { FunctionType } from "../link/value-type.ts";
import type { CanonicalContext } from "./canonical-context.ts";
import type { Codec, CoreType, CoreValue } from "./codec.ts";
import type { CodecTable } from "./codec-table.ts";
import { tupleCodec } from "./record-codecs.ts";

/** CanonicalABI.md, "MAX_FLAT_PARAMS" and its like: what is more goes through memory. */
interface FlatMax {
  readonly params: number;
  readonly results: number;
}

const flatMax: FlatMax = { params: 16, results: 1 };
/** Of a function that is lowered `async`: its own result says how far the call is. */
const asyncFlatMax: FlatMax = { params: 4, results: 0 };

const single: CoreValue[] = [];

/** Lifts the arguments out of a call's core values, and makes the call. */
export type LiftingCall = (context: CanonicalContext, values: readonly CoreValue[]) => unknown;

/** How the arguments and the result of one type of function cross the border (CanonicalABI.md, "flatten_functype"). */
export class FunctionCodec {
  /** Of the core function that a guest calls to reach the function (`canon lower`). */
  readonly lowered: { readonly params: readonly CoreType[]; readonly result: CoreType | undefined };
  readonly #params: readonly { readonly codec: Codec; readonly at: number }[];
  /** All parameters, as they lie where they are passed in memory. */
  readonly tuple: Codec;
  readonly #result: Codec | undefined;
  readonly paramsInMemory: boolean;
  readonly resultInMemory: boolean;

  /** `loweredAsync`: for `canon lower` with `async`; lifts are all alike. */
  constructor(type: FunctionType, table: CodecTable, loweredAsync = false) {
    const max = loweredAsync ? asyncFlatMax : flatMax;
    const codecs = type.params.map((param) => table.codec(param.type));
    this.tuple = tupleCodec(codecs);
    let at = 0;
    this.#params = codecs.map((codec) => {
      const param = { codec, at };
      at += codec.flat.length;
      return param;
    });
    this.#result = type.result === undefined ? undefined : table.codec(type.result);
    this.paramsInMemory = this.tuple.flat.length > max.params;
    this.resultInMemory = (this.#result?.flat.length ?? 0) > max.results;
    const params: readonly CoreType[] = this.paramsInMemory ? ["i32"] : this.tuple.flat;
    this.lowered = this.resultInMemory
      ? { params: [...params, "i32"], result: loweredAsync ? "i32" : undefined }
      : { params, result: loweredAsync ? "i32" : this.#result?.flat[0] };
  }

  /**
   * Puts together what lifts the arguments of a call that a guest makes, and calls `target` with them: for the few arguments
   * that most functions have, without a list of them.
   */
  lifting(target: (...args: readonly unknown[]) => unknown): LiftingCall {
    const [first, second, third] = this.#params;
    if (this.paramsInMemory || this.#params.length > 3) {
      return (context, values) => target(...this.liftParams(context, values));
    }
    if (first === undefined) return () => target();
    if (second === undefined) {
      return (context, values) => {
        context.beginLift();
        return target(first.codec.lift(context, values, 0));
      };
    }
    if (third === undefined) {
      return (context, values) => {
        context.beginLift();
        const one = first.codec.lift(context, values, 0);
        return target(one, second.codec.lift(context, values, second.at));
      };
    }
    return (context, values) => {
      context.beginLift();
      const one = first.codec.lift(context, values, 0);
      const two = second.codec.lift(context, values, second.at);
      return target(one, two, third.codec.lift(context, values, third.at));
    };
  }

  /** The arguments of a call that a guest makes. */
  liftParams(context: CanonicalContext, values: readonly CoreValue[]): unknown[] {
    context.beginLift();
    if (this.paramsInMemory) {
      const pointer = Number(values[0]) >>> 0;
      context.check(pointer, this.tuple.size, this.tuple.alignment);
      return this.tuple.load(context, pointer) as unknown[];
    }
    return this.#params.map(({ codec, at }) => codec.lift(context, values, at));
  }

  /** The result of a call that a guest has made; `values` are those of the call, the last says where a large result goes. */
  lowerResult(context: CanonicalContext, value: unknown, values: readonly CoreValue[]): CoreValue | undefined {
    const result = this.#result;
    if (result === undefined) return undefined;
    if (!this.resultInMemory) {
      // What is one core value needs no space in the guest, so that nothing else is lowered meanwhile.
      single.length = 0;
      result.lower(context, value, single);
      return single[0];
    }
    const pointer = Number(values[values.length - 1]) >>> 0;
    context.check(pointer, result.size, result.alignment);
    result.store(context, value, pointer);
    return undefined;
  }

  /** The arguments of a call to a guest. */
  lowerParams(context: CanonicalContext, args: readonly unknown[]): CoreValue[] {
    if (this.paramsInMemory) {
      const pointer = context.allocate(this.tuple.size, this.tuple.alignment);
      this.tuple.store(context, args, pointer);
      return [pointer];
    }
    const values: CoreValue[] = [];
    const params = this.#params;
    for (let index = 0; index < params.length; index++) params[index]?.codec.lower(context, args[index], values);
    return values;
  }

  /** The core parameters of a guest's own function (`canon lift`), and what it returns unless it is async. */
  get lifted(): { readonly params: readonly CoreType[]; readonly result: CoreType | undefined } {
    return {
      params: this.paramsInMemory ? ["i32"] : this.tuple.flat,
      result: this.resultInMemory ? "i32" : this.#result?.flat[0],
    };
  }

  /** The result of a call to a guest, from what it gave to `task.return`. */
  liftReturned(context: CanonicalContext, values: readonly CoreValue[]): unknown {
    const result = this.#result;
    if (result === undefined) return undefined;
    context.beginLift();
    if (result.flat.length <= flatMax.params) return result.lift(context, values, 0);
    const pointer = Number(values[0]) >>> 0;
    context.check(pointer, result.size, result.alignment);
    return result.load(context, pointer);
  }

  /** The result of a call to a guest, from what its core function returned. */
  liftResult(context: CanonicalContext, returned: unknown): unknown {
    const result = this.#result;
    if (result === undefined) return undefined;
    context.beginLift();
    if (!this.resultInMemory) return result.lift(context, [returned as CoreValue], 0);
    const pointer = Number(returned) >>> 0;
    context.check(pointer, result.size, result.alignment);
    return result.load(context, pointer);
  }
}
