import type { FunctionType, TypeIndex, ValueType } from "./value-type.ts";

/** What the outermost component imports and exports, with types: more than the plan needs, and what the host is held to. */
export interface TypedSurface {
  /** Functions and resources, of interfaces and by themselves. */
  readonly imports: readonly TypedItem[];
  /** Functions of interfaces. */
  readonly exports: readonly TypedItem[];
  readonly types: TypeTable;
}

export interface TypedItem {
  /** As the component writes it, with its version; empty for what is imported by itself. */
  readonly interface: string;
  readonly name: string;
  /** Of a function; a resource has none. */
  readonly type?: FunctionType;
}

/** Where the numbers in a type are looked up. */
export interface TypeTable {
  type(index: TypeIndex): ValueType;
  /** Undefined for a resource of a guest. */
  resource(number: number): ResourceName | undefined;
}

export interface ResourceName {
  readonly interface: string;
  readonly name: string;
}
