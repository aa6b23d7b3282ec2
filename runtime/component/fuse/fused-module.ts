import type { CodecTable } from "../abi/codec-table.ts";
import { moduleHeader, name, section, typeCodes, u32 } from "../core-module/encode.ts";
import type { ValueType } from "../link/value-type.ts";
import { CallCode, type FusedFunction } from "./call-code.ts";
import { type Callee, type FunctionCode, instructions as is, type Signature, type WireType } from "./function-code.ts";
import { type Helper, ValuePassages } from "./value-passages.ts";

export interface FusedModuleSettings {
  readonly types: readonly ValueType[];
  readonly codecs: CodecTable;
  readonly functions: readonly FusedFunction[];
  readonly hasMemory: { readonly caller: boolean; readonly callee: boolean };
  /** Both have their strings in UTF-8, so that a string is as long here as it is there. */
  readonly isAllUtf8: boolean;
  /** Calls are a matter of tasks: what is compiled is how their values pass. */
  readonly isAsync: boolean;
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
 * Of asynchronous components it exports the halves of a call, "params0" and "result0", ….
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
const wireCodes: Readonly<Record<WireType, number>> = { ...typeCodes, externref: is.externref };

class ModuleWriter {
  readonly #settings: FusedModuleSettings;
  readonly #imports: Import[] = [];
  readonly #helpers: HelperImport[] = [];
  readonly #importsByName = new Map<string, Import>();
  readonly #helperNumbers = new Map<string, number>();
  readonly #codes: FunctionCode[] = [];
  readonly #types = new Map<string, number>();
  readonly #calls: CallCode;

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
    this.#calls = new CallCode({
      params: passages("params", 0, callee),
      results: passages("results", callee, 0),
      importFunction: (from, member, signature) => this.#import(from, member, signature),
    });
  }

  write(): FusedModule {
    const exported = this.#settings.functions.flatMap((fused, index) => this.#exported(fused, index));
    const functions = [...exported.map(({ code }) => code), ...this.#codes];
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
          exported.map(({ member, code }) => [...name(member), 0x00, ...u32(code.index)]),
        ),
        ...[10, ...u32(codeCount.length + codeBytes), ...codeCount],
      ]),
      ...codes,
    ]);
    return { bytes: Uint8Array.from(bytes), helpers: this.#helpers };
  }

  #exported(fused: FusedFunction, index: number): readonly { readonly member: string; readonly code: FunctionCode }[] {
    if (!this.#settings.isAsync) return [{ member: String(index), code: this.#calls.call(fused, index) }];
    return [
      { member: `params${index}`, code: this.#calls.paramsHalf(fused) },
      { member: `result${index}`, code: this.#calls.resultHalf(fused) },
    ];
  }

  #helper(direction: Direction, helper: Helper, signature: Signature): Callee {
    const key = `${direction} ${JSON.stringify(helper)}`;
    let number = this.#helperNumbers.get(key);
    if (number === undefined) {
      number = this.#helpers.push({ direction, helper }) - 1;
      this.#helperNumbers.set(key, number);
    }
    return this.#import(direction, String(number), signature);
  }

  #import(from: string, member: string, signature: Signature): Callee {
    const key = `${from} ${member}`;
    const known = this.#importsByName.get(key);
    if (known !== undefined) return known;
    const made: Import = { ...signature, from, member, index: -1 };
    this.#imports.push(made);
    this.#importsByName.set(key, made);
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
