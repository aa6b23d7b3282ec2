import { unreachable } from "@shallop/sdk/internal";
import { alignTo, type Codec, type CoreType } from "../abi/codec.ts";
import type { CodecTable } from "../abi/codec-table.ts";
import { isScalar, type ScalarKind, type TypeIndex, type ValueType } from "../link/value-type.ts";
import { FunctionCode, instructions as is, type Callee } from "./function-code.ts";
import {
  type Form,
  formOf,
  type Lane,
  laneAt,
  lanesOf,
  partOf,
  partOfTarget,
  PassageEnds,
  pushLane,
  type Source,
  type Target,
  toLanes,
  widening,
} from "./passage-ends.ts";
import { accesses, checkScalar, unsigned } from "./scalar-code.ts";

/** What of a passage is not code: it looks into tables, or speaks with the guest. */
export type Helper =
  | "check"
  | "allocate"
  | "text"
  | "bad-case"
  | "bad-char"
  | { readonly list: TypeIndex }
  | { readonly item: TypeIndex };

export interface PassageSettings {
  readonly types: readonly ValueType[];
  readonly codecs: CodecTable;
  /** Index of the memory that values come from, and of the one that they go to. */
  readonly from: number;
  readonly to: number;
  /** The import that `helper` is. */
  readonly helper: (helper: Helper, params: readonly CoreType[], results: readonly CoreType[]) => Callee;
  /** Adds a function to the module. */
  readonly add: (code: FunctionCode) => void;
  /** Index of the global in which `text` leaves how long the string is that it has written; undefined where that is as long as it was. */
  readonly textLength: number | undefined;
}

interface Field {
  readonly type: TypeIndex;
  readonly offset: number;
}

/**
 * Writes the code by which values pass from one component to another: lifted there and lowered here in one go
 * (CanonicalABI.md, "Lifting", "Lowering"), with every check of either and nothing in between. What has parts becomes a function for
 * each way in which it passes, so that code grows with the types as they are written, and not with what they are when everything that
 * is shared is written out.
 */
export class ValuePassages {
  readonly #settings: PassageSettings;
  readonly #ends: PassageEnds;
  readonly #functions = new Map<string, FunctionCode>();

  constructor(settings: PassageSettings) {
    this.#settings = settings;
    this.#ends = new PassageEnds(settings);
  }

  codec(type: TypeIndex): Codec {
    return this.#settings.codecs.codec(type);
  }

  helper(helper: Helper, params: readonly CoreType[], results: readonly CoreType[] = []): Callee {
    return this.#settings.helper(helper, params, results);
  }

  /** Values that follow each other. */
  passAll(
    code: FunctionCode,
    types: readonly TypeIndex[],
    way: { readonly source: Source; readonly target: Target },
  ): void {
    let lane = 0;
    for (const { type, offset } of this.fields(types)) {
      this.pass(code, type, { source: partOf(way.source, lane, offset), target: partOfTarget(way.target, offset) });
      lane += this.codec(type).flat.length;
    }
  }

  pass(code: FunctionCode, type: TypeIndex, way: { readonly source: Source; readonly target: Target }): void {
    const { source, target } = way;
    const shape = this.#type(type);
    if (isScalar(shape)) return this.#scalar(code, shape.kind, way);
    switch (shape.kind) {
      case "string":
        return this.#pointed(code, way, {
          move: this.helper("text", ["i32", "i32"], ["i32"]),
          length: this.#settings.textLength,
        });
      case "list":
        if (shape.length !== undefined) break;
        return this.#pointed(code, way, { move: this.#list(type, shape.element), length: undefined });
      case "own":
      case "borrow":
      case "stream":
      case "future":
      case "error-context":
        return this.#ends.put(code, target, {
          opcode: 0x36,
          push: () => {
            this.#ends.read(code, source, { opcode: 0x28, lane: 0, offset: 0 });
            code.call(this.helper({ item: type }, ["i32"], ["i32"]));
          },
        });
      case "flags":
        return this.#flags(code, shape.names.length, { ...way, size: this.codec(type).size });
      case "record":
      case "tuple":
      case "variant":
      case "enum":
      case "option":
      case "result":
        break;
      default:
        return unreachable(shape);
    }
    const { flat } = this.codec(type);
    if (source.kind === "lanes") for (const lane of source.lanes.slice(0, flat.length)) pushLane(code, lane);
    else code.address(source);
    if (target.kind === "memory") code.address(target);
    code.call(this.#function(type, formOf(source, target)));
  }

  /** Where each of values begins that follow each other in memory. */
  fields(types: readonly TypeIndex[]): readonly Field[] {
    let end = 0;
    return types.map((type) => {
      const { size, alignment } = this.codec(type);
      const offset = alignTo(end, alignment);
      end = offset + size;
      return { type, offset };
    });
  }

  #type(index: TypeIndex): ValueType {
    const type = this.#settings.types[index];
    if (type === undefined) throw new RangeError(`the plan has no type ${index}`);
    return type;
  }

  #scalar(
    code: FunctionCode,
    kind: ScalarKind,
    { source, target }: { readonly source: Source; readonly target: Target },
  ): void {
    const { load, store } = accesses[kind];
    this.#ends.put(code, target, {
      opcode: store,
      push: () => {
        this.#ends.read(code, source, { opcode: load, lane: 0, offset: 0 });
        checkScalar(code, kind, () => this.helper("bad-char", ["i32"]));
      },
    });
  }

  /** A string or a list: it is moved, and where it is now is told as where it was. */
  #pointed(
    code: FunctionCode,
    { source, target }: { readonly source: Source; readonly target: Target },
    { move, length }: { readonly move: Callee; readonly length: number | undefined },
  ): void {
    const count = code.scratch("i32");
    const pushMoved = (): void => {
      this.#ends.read(code, source, { opcode: 0x28, lane: 0, offset: 0 });
      this.#ends.read(code, source, { opcode: 0x28, lane: 1, offset: 4 });
      code.tee(count);
      code.call(move);
    };
    const pushLength = (): void => (length === undefined ? code.get(count) : code.op(is.globalGet, length));
    this.#ends.put(code, target, { opcode: 0x36, push: pushMoved });
    this.#ends.put(code, partOfTarget(target, 4), { opcode: 0x36, push: pushLength });
  }

  #flags(
    code: FunctionCode,
    count: number,
    { source, target, size }: { readonly source: Source; readonly target: Target; readonly size: number },
  ): void {
    const { load, store } = unsigned(size);
    this.#ends.put(code, target, {
      opcode: store,
      push: () => {
        this.#ends.read(code, source, { opcode: load, lane: 0, offset: 0 });
        code.i32(count >= 32 ? -1 : 2 ** count - 1);
        code.op(is.i32And);
      },
    });
  }

  #function(type: TypeIndex, form: Form): FunctionCode {
    const key = `${form}:${type}`;
    const known = this.#functions.get(key);
    if (known !== undefined) return known;
    const { flat } = this.codec(type);
    const isFromLanes = form.startsWith("lanes");
    const isToLanes = form.endsWith("lanes");
    const params: readonly CoreType[] = [
      ...(isFromLanes ? flat : ["i32" as const]),
      ...(isToLanes ? [] : ["i32" as const]),
    ];
    const code = new FunctionCode(params, isToLanes ? flat : []);
    this.#functions.set(key, code);
    this.#settings.add(code);
    const source: Source = isFromLanes
      ? { kind: "lanes", lanes: lanesOf(flat) }
      : { kind: "memory", pointer: 0, offset: 0 };
    const target: Target = isToLanes ? toLanes : { kind: "memory", pointer: params.length - 1, offset: 0 };
    this.#whole(code, type, { source, target });
    return code;
  }

  /** The code of what has parts. */
  #whole(code: FunctionCode, type: TypeIndex, way: { readonly source: Source; readonly target: Target }): void {
    const shape = this.#type(type);
    if (shape.kind === "record")
      return this.passAll(
        code,
        shape.fields.map((field) => field.type),
        way,
      );
    if (shape.kind === "tuple") return this.passAll(code, shape.items, way);
    if (shape.kind !== "list")
      return this.#cases(code, { flat: this.codec(type).flat, payloads: payloadsOf(shape) }, way);
    const { source, target } = way;
    const length = shape.length ?? 0;
    if (source.kind === "lanes" || target.kind === "lanes") {
      return this.passAll(
        code,
        Array.from({ length }, () => shape.element),
        way,
      );
    }
    this.#elements(code, shape.element, {
      from: source.pointer,
      to: target.pointer,
      pushCount: () => code.i32(length),
    });
  }

  /** `list<T>`: pointer and count in, the pointer of its copy out. */
  #list(type: TypeIndex, element: TypeIndex): FunctionCode {
    const key = `list:${type}`;
    const known = this.#functions.get(key);
    if (known !== undefined) return known;
    const code = new FunctionCode(["i32", "i32"], ["i32"]);
    this.#functions.set(key, code);
    this.#settings.add(code);
    const result = code.local("i32");
    const to = code.local("i32");
    code.get(0);
    code.get(1);
    code.call(this.helper({ list: element }, ["i32", "i32"], ["i32"]));
    code.tee(result);
    code.set(to);
    this.#elements(code, element, { from: 0, to, pushCount: () => code.get(1) });
    code.get(result);
    return code;
  }

  /** Elements that lie one behind the other; what is in the locals `from` and `to` is used up. */
  #elements(
    code: FunctionCode,
    element: TypeIndex,
    { from, to, pushCount }: { readonly from: number; readonly to: number; readonly pushCount: () => void },
  ): void {
    const { size } = this.codec(element);
    const pushBytes = (): void => {
      pushCount();
      code.i32(size);
      code.op(is.i32Mul);
    };
    if (wholeNumbers.has(this.#type(element).kind)) {
      code.get(to);
      code.get(from);
      pushBytes();
      return code.copy(this.#settings.to, this.#settings.from);
    }
    const end = code.local("i32");
    code.get(from);
    pushBytes();
    code.op(is.i32Add);
    code.set(end);
    code.op(is.block, is.noResult, is.loop, is.noResult);
    code.get(from);
    code.get(end);
    code.op(is.i32Eq, is.brIf, 1);
    this.pass(code, element, {
      source: { kind: "memory", pointer: from, offset: 0 },
      target: { kind: "memory", pointer: to, offset: 0 },
    });
    for (const local of [from, to]) {
      code.get(local);
      code.i32(size);
      code.op(is.i32Add);
      code.set(local);
    }
    code.op(is.br, 0, is.end, is.end);
  }

  /** A variant, or what is one in other words. */
  #cases(
    code: FunctionCode,
    { flat, payloads }: { readonly flat: readonly CoreType[]; readonly payloads: readonly (TypeIndex | undefined)[] },
    { source, target }: { readonly source: Source; readonly target: Target },
  ): void {
    const count = payloads.length;
    const { load, store } = unsigned(count <= 0x100 ? 1 : count <= 0x1_0000 ? 2 : 4);
    const tag = code.local("i32");
    this.#ends.read(code, source, { opcode: load, lane: 0, offset: 0 });
    code.tee(tag);
    code.i32(count);
    code.op(is.i32GeU, is.if, is.noResult);
    code.get(tag);
    code.i32(count);
    code.call(this.helper("bad-case", ["i32", "i32"]));
    code.op(is.unreachable, is.end);
    if (target.kind === "memory") this.#ends.put(code, target, { opcode: store, push: () => code.get(tag) });
    // What a case does not need of the core values is 0.
    const lanes =
      target.kind === "lanes" ? flat.slice(1).map((type): Lane => ({ local: code.local(type), wire: type, type })) : [];
    this.#payloads(code, payloads, { source, target, tag, lanes });
    if (target.kind === "memory") return;
    code.get(tag);
    for (const { local } of lanes) code.get(local);
  }

  #payloads(
    code: FunctionCode,
    payloads: readonly (TypeIndex | undefined)[],
    {
      source,
      target,
      tag,
      lanes,
    }: { readonly source: Source; readonly target: Target; readonly tag: number; readonly lanes: readonly Lane[] },
  ): void {
    const groups = [...new Set(payloads.filter((type) => type !== undefined))];
    if (groups.length === 0) return;
    const alignment = groups.reduce((most, type) => Math.max(most, this.codec(type).alignment), 1);
    const offset = alignTo(payloads.length <= 0x100 ? 1 : payloads.length <= 0x1_0000 ? 2 : 4, alignment);
    for (let block = 0; block <= groups.length; block++) code.op(is.block, is.noResult);
    code.get(tag);
    code.op(is.brTable);
    code.count(payloads.length);
    const depths = new Map(groups.map((type, depth) => [type, depth]));
    for (const type of payloads) code.count(type === undefined ? groups.length : (depths.get(type) ?? 0));
    code.count(groups.length);
    for (const [index, type] of groups.entries()) {
      code.op(is.end);
      const { flat } = this.codec(type);
      this.pass(code, type, {
        source:
          source.kind === "lanes"
            ? { kind: "lanes", lanes: flat.map((own, at) => ({ ...laneAt(source.lanes, at + 1), type: own })) }
            : { ...source, offset: source.offset + offset },
        target: partOfTarget(target, offset),
      });
      if (target.kind === "lanes") {
        for (const [at, own] of [...flat.entries()].toReversed()) {
          const { local, wire } = laneAt(lanes, at);
          code.op(...widening(own, wire));
          code.set(local);
        }
      }
      code.op(is.br);
      code.count(groups.length - 1 - index);
    }
    code.op(is.end);
  }
}

/** The payload of each case. */
function payloadsOf(type: ValueType): readonly (TypeIndex | undefined)[] {
  if (type.kind === "variant") return type.cases.map((one) => one.type);
  if (type.kind === "enum") return type.names.map(() => undefined);
  if (type.kind === "option") return [undefined, type.some];
  if (type.kind === "result") return [type.ok, type.err];
  throw new TypeError(`a ${type.kind} has no cases`);
}

/** Elements that pass as bytes: nothing of them has to be looked at. */
const wholeNumbers: ReadonlySet<ValueType["kind"]> = new Set<ValueType["kind"]>([
  "u8",
  "s8",
  "u16",
  "s16",
  "u32",
  "s32",
  "u64",
  "s64",
]);
