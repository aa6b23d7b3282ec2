/** Index into `LinkPlan.types`. A type refers to types before it only, so a table of types has no cycle. */
export type TypeIndex = number;

/** The types of values, as the Component Model has them (Explainer.md, "Type Definitions"), with aliases resolved. */
export type ValueType =
  | Scalar
  | { readonly kind: "string" }
  | { readonly kind: "list"; readonly element: TypeIndex; readonly length?: number }
  | { readonly kind: "record"; readonly fields: readonly NamedType[] }
  | { readonly kind: "tuple"; readonly items: readonly TypeIndex[] }
  | { readonly kind: "variant"; readonly cases: readonly VariantCase[] }
  | { readonly kind: "enum"; readonly names: readonly string[] }
  | { readonly kind: "flags"; readonly names: readonly string[] }
  | { readonly kind: "option"; readonly some: TypeIndex }
  | { readonly kind: "result"; readonly ok?: TypeIndex; readonly err?: TypeIndex }
  /** `resource`: index into `LinkPlan.resources`. */
  | { readonly kind: "own" | "borrow"; readonly resource: number }
  | { readonly kind: "stream" | "future"; readonly element?: TypeIndex }
  | { readonly kind: "error-context" };

export const scalarKinds = [
  "bool",
  "s8",
  "u8",
  "s16",
  "u16",
  "s32",
  "u32",
  "s64",
  "u64",
  "f32",
  "f64",
  "char",
] as const;

export type ScalarKind = (typeof scalarKinds)[number];
export type PrimitiveKind = ScalarKind | "string";

/** One core value, of a size that the kind says. */
export interface Scalar {
  readonly kind: ScalarKind;
}

const scalars: ReadonlySet<string> = new Set(scalarKinds);

export const isScalar = (type: ValueType): type is Scalar => scalars.has(type.kind);

interface NamedType {
  /** As WIT writes it: kebab case. */
  readonly name: string;
  readonly type: TypeIndex;
}

interface VariantCase {
  readonly name: string;
  readonly type?: TypeIndex;
}

export interface FunctionType {
  readonly params: readonly NamedType[];
  readonly result?: TypeIndex;
  /** Declared `async`: may be called without blocking the caller (WASI 0.3). */
  readonly async: boolean;
}
