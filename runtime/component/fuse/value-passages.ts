import { unreachable } from "@shallop/sdk/internal";
import { alignTo, type Codec, type CoreType } from "../abi/codec.ts";
import type { CodecTable } from "../abi/codec-table.ts";
import { isScalar, type ScalarKind, type TypeIndex, type ValueType } from "../link/value-type.ts";
import { FunctionCode, instructions as is, type Callee, type Place } from "./function-code.ts";

/** A core value in a local, whose type may be wider than what it stands for. */
interface Lane {
  readonly local: number;
  readonly wire: CoreType;
  readonly type: CoreType;
}

/** Where a value is read: out of core values, or of the memory that it comes from. */
export type Source =
  | { readonly kind: "lanes"; readonly lanes: readonly Lane[] }
  | ({ readonly kind: "memory" } & Place);
/** Where it goes: its core values onto the stack, or into the other memory. */
export type Target = { readonly kind: "lanes" } | ({ readonly kind: "memory" } & Place);

export const toLanes: Target = { kind: "lanes" };

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

type Form = "lanes-lanes" | "lanes-memory" | "memory-lanes" | "memory-memory";

/**
 * Writes the code by which values pass from one component to another: lifted there and lowered here in one go
 * (CanonicalABI.md, "Lifting", "Lowering"), with every check of either and nothing in between. What has parts becomes a function for
 * each way in which it passes, so that code grows with the types as they are written, and not with what they are when everything that
 * is shared is written out.
 */
export class ValuePassages {
  readonly #settings: PassageSettings;
  readonly #functions = new Map<string, FunctionCode>();

  constructor(settings: PassageSettings) {
    this.#settings = settings;
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
        return this.#put(code, target, {
          opcode: 0x36,
          push: () => {
            this.#read(code, source, { opcode: 0x28, lane: 0, offset: 0 });
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
    if (source.kind === "lanes") for (const lane of source.lanes.slice(0, flat.length)) this.#lane(code, lane);
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
    this.#put(code, target, {
      opcode: store,
      push: () => {
        this.#read(code, source, { opcode: load, lane: 0, offset: 0 });
        this.#made(code, kind);
      },
    });
  }

  /** What of a core value its type does not need is cut off, and what it must not be is refused. */
  #made(code: FunctionCode, kind: ScalarKind): void {
    switch (kind) {
      case "bool":
        return code.op(is.i32Eqz, is.i32Eqz);
      case "s8":
        return code.op(is.i32Extend8S);
      case "s16":
        return code.op(is.i32Extend16S);
      case "u8":
      case "u16":
        code.i32(kind === "u8" ? 0xff : 0xffff);
        return code.op(is.i32And);
      case "f32":
        return canonicalNan(code, "f32", [is.f32Const, 0x00, 0x00, 0xc0, 0x7f], is.f32Eq);
      case "f64":
        return canonicalNan(code, "f64", [is.f64Const, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f], is.f64Eq);
      case "char":
        return this.#char(code);
      case "s32":
      case "u32":
      case "s64":
      case "u64":
        return;
      default:
        return unreachable(kind);
    }
  }

  /** No surrogate, and nothing beyond Unicode: `((code ^ 0xd800) - 0x800)` is then below 0x10f800, as it is for nothing else. */
  #char(code: FunctionCode): void {
    const value = code.scratch("i32");
    code.tee(value);
    code.get(value);
    code.i32(0xd800);
    code.op(is.i32Xor);
    code.i32(0x800);
    code.op(is.i32Sub);
    code.i32(0x10f800);
    code.op(is.i32GeU, is.if, is.noResult);
    code.get(value);
    code.call(this.helper("bad-char", ["i32"]));
    code.op(is.unreachable, is.end);
  }

  /** A string or a list: it is moved, and where it is now is told as where it was. */
  #pointed(
    code: FunctionCode,
    { source, target }: { readonly source: Source; readonly target: Target },
    { move, length }: { readonly move: Callee; readonly length: number | undefined },
  ): void {
    const count = code.scratch("i32");
    const pushMoved = (): void => {
      this.#read(code, source, { opcode: 0x28, lane: 0, offset: 0 });
      this.#read(code, source, { opcode: 0x28, lane: 1, offset: 4 });
      code.tee(count);
      code.call(move);
    };
    const pushLength = (): void => (length === undefined ? code.get(count) : code.op(is.globalGet, length));
    this.#put(code, target, { opcode: 0x36, push: pushMoved });
    this.#put(code, partOfTarget(target, 4), { opcode: 0x36, push: pushLength });
  }

  #flags(
    code: FunctionCode,
    count: number,
    { source, target, size }: { readonly source: Source; readonly target: Target; readonly size: number },
  ): void {
    const { load, store } = unsigned(size);
    this.#put(code, target, {
      opcode: store,
      push: () => {
        this.#read(code, source, { opcode: load, lane: 0, offset: 0 });
        code.i32(count >= 32 ? -1 : 2 ** count - 1);
        code.op(is.i32And);
      },
    });
  }

  /** Pushes a core value of the source. */
  #read(
    code: FunctionCode,
    source: Source,
    { opcode, lane, offset }: { readonly opcode: number; readonly lane: number; readonly offset: number },
  ): void {
    if (source.kind === "lanes") return this.#lane(code, source.lanes[lane]);
    code.get(source.pointer);
    code.access({ opcode, memory: this.#settings.from }, source.offset + offset);
  }

  #lane(code: FunctionCode, lane: Lane | undefined): void {
    if (lane === undefined) throw new RangeError("a value has more core values than its source");
    code.get(lane.local);
    code.op(...narrowing(lane.wire, lane.type));
  }

  /** `push` pushes a core value, which stays on the stack or is stored. */
  #put(
    code: FunctionCode,
    target: Target,
    { opcode, push }: { readonly opcode: number; readonly push: () => void },
  ): void {
    if (target.kind === "lanes") return push();
    code.get(target.pointer);
    push();
    code.access({ opcode, memory: this.#settings.to }, target.offset);
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
    this.#read(code, source, { opcode: load, lane: 0, offset: 0 });
    code.tee(tag);
    code.i32(count);
    code.op(is.i32GeU, is.if, is.noResult);
    code.get(tag);
    code.i32(count);
    code.call(this.helper("bad-case", ["i32", "i32"]));
    code.op(is.unreachable, is.end);
    if (target.kind === "memory") this.#put(code, target, { opcode: store, push: () => code.get(tag) });
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

function formOf(source: Source, target: Target): Form {
  return `${source.kind}-${target.kind}`;
}

export const lanesOf = (flat: readonly CoreType[], first = 0): readonly Lane[] =>
  flat.map((type, index) => ({ local: first + index, wire: type, type }));

function laneAt(lanes: readonly Lane[], at: number): Lane {
  const lane = lanes[at];
  if (lane === undefined) throw new RangeError("a case has more core values than its variant");
  return lane;
}

const partOf = (source: Source, lane: number, offset: number): Source =>
  source.kind === "lanes"
    ? { kind: "lanes", lanes: source.lanes.slice(lane) }
    : { ...source, offset: source.offset + offset };

const partOfTarget = (target: Target, offset: number): Target =>
  target.kind === "lanes" ? target : { ...target, offset: target.offset + offset };

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

function canonicalNan(code: FunctionCode, type: "f32" | "f64", nan: readonly number[], equal: number): void {
  const value = code.scratch(type);
  code.tee(value);
  code.op(...nan);
  code.get(value);
  code.get(value);
  code.op(equal, is.select);
}

interface Accesses {
  readonly load: number;
  readonly store: number;
}

const byte: Accesses = { load: 0x2d, store: 0x3a };
const short: Accesses = { load: 0x2f, store: 0x3b };
const word: Accesses = { load: 0x28, store: 0x36 };
const long: Accesses = { load: 0x29, store: 0x37 };

const accesses: Readonly<Record<ScalarKind, Accesses>> = {
  bool: byte,
  u8: byte,
  s8: byte,
  u16: short,
  s16: short,
  u32: word,
  s32: word,
  char: word,
  u64: long,
  s64: long,
  f32: { load: 0x2a, store: 0x38 },
  f64: { load: 0x2b, store: 0x39 },
};

const unsigned = (size: number): Accesses => (size === 1 ? byte : size === 2 ? short : word);

/** Out of a core value that is as wide as the widest case of a variant (CanonicalABI.md, "lift_flat_variant"). */
function narrowing(from: CoreType, to: CoreType): readonly number[] {
  if (from === to) return [];
  const toBits = from === "i64" && (to === "i32" || to === "f32") ? [is.i32WrapI64] : [];
  if (to === "i32") return toBits;
  return [...toBits, to === "f64" ? is.f64ReinterpretI64 : is.f32ReinterpretI32];
}

/** CanonicalABI.md, "lower_flat_variant". */
function widening(from: CoreType, to: CoreType): readonly number[] {
  if (from === to) return [];
  if (from === "f64") return [is.i64ReinterpretF64];
  const bits = from === "f32" ? [is.i32ReinterpretF32] : [];
  return to === "i64" ? [...bits, is.i64ExtendI32U] : bits;
}
