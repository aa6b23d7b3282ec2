import type { CodecTable } from "../abi/codec-table.ts";
import type { CoreType } from "../abi/codec.ts";
import type { FunctionCodec } from "../abi/function-codec.ts";
import { moduleHeader, name, section, typeCodes, u32 } from "../core-module/encode.ts";
import type { FunctionType, ValueType } from "../link/value-type.ts";
import { type Callee, FunctionCode, instructions as is, type WireType } from "./function-code.ts";
import { type Helper, lanesOf, toLanes, ValuePassages } from "./value-passages.ts";

/** A function of one component that another one calls. */
interface FusedFunction {
  readonly type: FunctionType;
  readonly codec: FunctionCodec;
  readonly hasPostReturn: boolean;
}

export interface FusedModuleSettings {
  readonly types: readonly ValueType[];
  readonly codecs: CodecTable;
  readonly functions: readonly FusedFunction[];
  readonly hasMemory: { readonly caller: boolean; readonly callee: boolean };
  /** Both have their strings in UTF-8, so that a string is as long here as it is there. */
  readonly isAllUtf8: boolean;
}

/** Which way values go. */
export type Direction = "params" | "results";

/** Something that the module imports from its direction, under its number. */
export interface HelperImport {
  readonly direction: Direction;
  readonly helper: Helper;
}

export interface FusedModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly helpers: readonly HelperImport[];
}

/**
 * A core module that stands between two components: for each function that the one calls of the other it exports what the one
 * imports, "0", "1", …:
 *
 *     enter; the arguments, from the caller's memory into the callee's; call; returned; the result; leave
 *
 * No frame of JavaScript is on the stack while the callee is at work, so that it can be suspended together with its caller.
 *
 * Imports: `memory` "caller" and "callee"; `call` "enter", "returned", "leave", "failed", "escaped"; `core` the callee's functions;
 * `end` "0", "1", …: `leave` of those with a post-return function, which take what the callee returned; `state` "length" (mutable i32) and
 * "tag"; `params` and `results`: the helpers of each direction, by their numbers.
 */
export function fusedModule(settings: FusedModuleSettings): FusedModule {
  return new ModuleWriter(settings).write();
}

interface Import extends Callee {
  readonly from: string;
  readonly member: string;
}

const lengthGlobal = 0;
const jsTag = 0;
const catchTag = 0x00;
const catchAll = 0x02;
const wireCodes: Readonly<Record<WireType, number>> = { ...typeCodes, externref: is.externref };

class ModuleWriter {
  readonly #settings: FusedModuleSettings;
  readonly #imports: Import[] = [];
  readonly #helpers: HelperImport[] = [];
  readonly #helperCallees = new Map<string, Import>();
  readonly #codes: FunctionCode[] = [];
  readonly #types = new Map<string, number>();
  readonly #params: ValuePassages;
  readonly #results: ValuePassages;
  readonly #call: Readonly<Record<"enter" | "returned" | "leave" | "failed" | "escaped", Import>>;

  constructor(settings: FusedModuleSettings) {
    this.#settings = settings;
    const { types, codecs, hasMemory, isAllUtf8 } = settings;
    const callee = hasMemory.caller ? 1 : 0;
    const passages = (direction: Direction, from: number, to: number): ValuePassages =>
      new ValuePassages({
        types,
        codecs,
        from,
        to,
        helper: (helper, params, results) => this.#helper(direction, helper, { params, results }),
        add: (code) => void this.#codes.push(code),
        textLength: isAllUtf8 ? undefined : lengthGlobal,
      });
    this.#params = passages("params", 0, callee);
    this.#results = passages("results", callee, 0);
    this.#call = {
      enter: this.#import("call", "enter", { params: [], results: ["i32"] }),
      returned: this.#import("call", "returned", { params: [], results: [] }),
      leave: this.#import("call", "leave", { params: ["i32"], results: [] }),
      failed: this.#import("call", "failed", { params: ["externref"], results: [] }),
      escaped: this.#import("call", "escaped", { params: [], results: [] }),
    };
  }

  write(): FusedModule {
    const exported = this.#settings.functions.map((fused, index) => this.#function(fused, index));
    const functions = [...exported, ...this.#codes];
    for (const [index, callee] of [...this.#imports, ...functions].entries()) callee.index = index;
    const functionTypes = functions.map((code) => u32(this.#type(code)));
    const imports = this.#importEntries();
    const codes = functions.map((code) => code.encode());
    const codeBytes = codes.reduce((total, code) => total + code.length, 0);
    const codeCount = u32(codes.length);
    const bytes = Buffer.concat([
      Uint8Array.from([
        ...moduleHeader,
        ...section(1, this.#typeEntries()),
        ...section(2, imports),
        ...section(3, functionTypes),
        ...section(
          7,
          exported.map(({ index }, at) => [...name(String(at)), 0x00, ...u32(index)]),
        ),
        ...[10, ...u32(codeCount.length + codeBytes), ...codeCount],
      ]),
      ...codes,
    ]);
    return { bytes: Uint8Array.from(bytes), helpers: this.#helpers };
  }

  #function({ type, codec, hasPostReturn }: FusedFunction, index: number): FunctionCode {
    const { lowered, lifted } = codec;
    const core = this.#import("core", String(index), { params: lifted.params, results: listOf(lifted.result) });
    const code = new FunctionCode(lowered.params, listOf(lowered.result));
    const lent = code.local("i32");
    const args = lifted.params.map((param) => code.local(param));
    const returned = lifted.result === undefined ? undefined : code.local(lifted.result);
    const answer = lowered.result === undefined ? undefined : code.local(lowered.result);
    code.call(this.#call.enter);
    code.set(lent);
    this.#passParams(code, { type, codec }, args);
    this.#callCore(code, core, { args, returned });
    code.call(this.#call.returned);
    if (type.result !== undefined && returned !== undefined) {
      this.#passResult(code, { type: type.result, codec }, returned);
      if (answer !== undefined) code.set(answer);
    }
    code.get(lent);
    if (hasPostReturn) {
      if (returned !== undefined) code.get(returned);
      const params: readonly CoreType[] = ["i32", ...listOf(lifted.result)];
      code.call(this.#import("end", String(index), { params, results: [] }));
    } else code.call(this.#call.leave);
    if (answer !== undefined) code.get(answer);
    return code;
  }

  #passParams(
    code: FunctionCode,
    { type, codec }: Pick<FusedFunction, "type" | "codec">,
    args: readonly number[],
  ): void {
    const types = type.params.map((param) => param.type);
    const { tuple, paramsInMemory } = codec;
    if (!paramsInMemory) {
      this.#params.passAll(code, types, { source: { kind: "lanes", lanes: lanesOf(tuple.flat) }, target: toLanes });
      for (const local of args.toReversed()) code.set(local);
      return;
    }
    this.#check(code, this.#params, { pointer: 0, ...tuple });
    code.i32(tuple.size);
    code.i32(tuple.alignment);
    code.call(this.#params.helper("allocate", ["i32", "i32"], ["i32"]));
    const [to = 0] = args;
    code.set(to);
    this.#params.passAll(code, types, {
      source: { kind: "memory", pointer: 0, offset: 0 },
      target: { kind: "memory", pointer: to, offset: 0 },
    });
  }

  /** Leaves the result on the stack when it is one core value. */
  #passResult(
    code: FunctionCode,
    { type, codec }: { readonly type: number; readonly codec: FunctionCodec },
    returned: number,
  ): void {
    const passages = this.#results;
    if (!codec.resultInMemory) {
      const source = { kind: "lanes", lanes: lanesOf(passages.codec(type).flat, returned) } as const;
      return passages.pass(code, type, { source, target: toLanes });
    }
    const to = codec.lowered.params.length - 1;
    this.#check(code, passages, { pointer: returned, ...passages.codec(type) });
    this.#check(code, this.#params, { pointer: to, ...passages.codec(type) });
    passages.pass(code, type, {
      source: { kind: "memory", pointer: returned, offset: 0 },
      target: { kind: "memory", pointer: to, offset: 0 },
    });
  }

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
    code.call(this.#call.failed);
    code.op(is.unreachable, is.end);
    code.call(this.#call.escaped);
    code.op(is.unreachable, is.end);
  }

  #helper(direction: Direction, helper: Helper, signature: Pick<Callee, "params" | "results">): Callee {
    const key = `${direction} ${JSON.stringify(helper)}`;
    const known = this.#helperCallees.get(key);
    if (known !== undefined) return known;
    const made = this.#import(direction, String(this.#helpers.length), signature);
    this.#helpers.push({ direction, helper });
    this.#helperCallees.set(key, made);
    return made;
  }

  #import(from: string, member: string, signature: Pick<Callee, "params" | "results">): Import {
    const made: Import = { ...signature, from, member, index: -1 };
    this.#imports.push(made);
    return made;
  }

  #importEntries(): readonly (readonly number[])[] {
    const { hasMemory } = this.#settings;
    const memory = (member: string): readonly number[] => [...name("memory"), ...name(member), 0x02, 0x00, 0x00];
    const tagType = this.#type({ params: ["externref"], results: [], index: -1 });
    return [
      ...(hasMemory.caller ? [memory("caller")] : []),
      ...(hasMemory.callee ? [memory("callee")] : []),
      ...this.#imports.map((one) => [...name(one.from), ...name(one.member), 0x00, ...u32(this.#type(one))]),
      [...name("state"), ...name("length"), 0x03, typeCodes.i32, 0x01],
      [...name("state"), ...name("tag"), 0x04, 0x00, ...u32(tagType)],
    ];
  }

  /** The number of a type of functions. */
  #type({ params, results }: Callee): number {
    const key = `${params.join()}:${results.join()}`;
    const known = this.#types.get(key) ?? this.#types.size;
    this.#types.set(key, known);
    return known;
  }

  #typeEntries(): readonly (readonly number[])[] {
    const list = (text = ""): readonly number[] => {
      const types = text === "" ? [] : text.split(",");
      return [...u32(types.length), ...types.map((type) => wireCodes[type as WireType])];
    };
    return [...this.#types.keys()].map((key) => {
      const [params, results] = key.split(":");
      return [0x60, ...list(params), ...list(results)];
    });
  }
}

const listOf = (type: CoreType | undefined): readonly CoreType[] => (type === undefined ? [] : [type]);
