import type { CoreType } from "../abi/codec.ts";
import { type FunctionCode, instructions as is, type Place } from "./function-code.ts";

/** A core value in a local, whose type may be wider than what it stands for. */
export interface Lane {
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

export type Form = "lanes-lanes" | "lanes-memory" | "memory-lanes" | "memory-memory";

/** Each form of a passage of one type is a function of its own. */
export function formOf(source: Source, target: Target): Form {
  return `${source.kind}-${target.kind}`;
}

/** Core values in locals that follow each other. */
export const lanesOf = (flat: readonly CoreType[], first = 0): readonly Lane[] =>
  flat.map((type, index) => ({ local: first + index, wire: type, type }));

/** @throws RangeError when there are fewer */
export function laneAt(lanes: readonly Lane[], at: number): Lane {
  const lane = lanes[at];
  if (lane === undefined) throw new RangeError("a case has more core values than its variant");
  return lane;
}

/** Of a source of several values, what begins at a core value and at a byte. */
export const partOf = (source: Source, lane: number, offset: number): Source =>
  source.kind === "lanes"
    ? { kind: "lanes", lanes: source.lanes.slice(lane) }
    : { ...source, offset: source.offset + offset };

export const partOfTarget = (target: Target, offset: number): Target =>
  target.kind === "lanes" ? target : { ...target, offset: target.offset + offset };

/** Numbers of the memories that values come from and go to. */
interface Memories {
  readonly from: number;
  readonly to: number;
}

/** Writes the code that reads one core value of a source, and that puts one to a target. */
export class PassageEnds {
  readonly #memories: Memories;

  constructor(memories: Memories) {
    this.#memories = memories;
  }

  /** Pushes a core value of the source. */
  read(
    code: FunctionCode,
    source: Source,
    { opcode, lane, offset }: { readonly opcode: number; readonly lane: number; readonly offset: number },
  ): void {
    if (source.kind === "lanes") return pushLane(code, source.lanes[lane]);
    code.get(source.pointer);
    code.access({ opcode, memory: this.#memories.from }, source.offset + offset);
  }

  /** `push` pushes a core value, which stays on the stack or is stored. */
  put(
    code: FunctionCode,
    target: Target,
    { opcode, push }: { readonly opcode: number; readonly push: () => void },
  ): void {
    if (target.kind === "lanes") return push();
    code.get(target.pointer);
    push();
    code.access({ opcode, memory: this.#memories.to }, target.offset);
  }
}

/** Pushes a core value as what it stands for. @throws RangeError when there is none */
export function pushLane(code: FunctionCode, lane: Lane | undefined): void {
  if (lane === undefined) throw new RangeError("a value has more core values than its source");
  code.get(lane.local);
  code.op(...narrowing(lane.wire, lane.type));
}

/** Out of a core value that is as wide as the widest case of a variant (CanonicalABI.md, "lift_flat_variant"). */
function narrowing(from: CoreType, to: CoreType): readonly number[] {
  if (from === to) return [];
  const toBits = from === "i64" && (to === "i32" || to === "f32") ? [is.i32WrapI64] : [];
  if (to === "i32") return toBits;
  return [...toBits, to === "f64" ? is.f64ReinterpretI64 : is.f32ReinterpretI32];
}

/** CanonicalABI.md, "lower_flat_variant". */
export function widening(from: CoreType, to: CoreType): readonly number[] {
  if (from === to) return [];
  if (from === "f64") return [is.i64ReinterpretF64];
  const bits = from === "f32" ? [is.i32ReinterpretF32] : [];
  return to === "i64" ? [...bits, is.i64ExtendI32U] : bits;
}
