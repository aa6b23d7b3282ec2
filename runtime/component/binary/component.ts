import type { StringEncoding } from "../link/link-plan.ts";
import type { PrimitiveKind } from "../link/value-type.ts";

/** A component as it is written: nothing is resolved, indices are as in the binary (component-model Binary.md). */
export interface ParsedComponent {
  readonly definitions: readonly Definition[];
  /** Every core module of the binary, also of components nested in it, in the order in which they stand there. */
  readonly modules: readonly CoreModule[];
}

export interface CoreModule {
  /** Among all core modules of the binary. */
  readonly index: number;
  /** A view of the component's bytes. */
  readonly bytes: Uint8Array;
  /** Where it begins in the component. */
  readonly offset: number;
}

export type CoreSort =
  | "core function"
  | "core table"
  | "core memory"
  | "core global"
  | "core tag"
  | "core type"
  | "core module"
  | "core instance";
export type Sort = CoreSort | "function" | "type" | "component" | "instance";

/** Where a definition stands and how long it is; for messages, and for the price of resolving it. */
interface Located {
  readonly offset: number;
  readonly bytes: number;
}

export type Definition = Located & DefinitionBody;

export type DefinitionBody =
  | { readonly kind: "core module"; readonly module: CoreModule }
  | { readonly kind: "core instance"; readonly expression: CoreInstanceExpression }
  | CoreTypeDefinition
  | { readonly kind: "component"; readonly definitions: readonly Definition[] }
  | { readonly kind: "instance"; readonly expression: InstanceExpression }
  | { readonly kind: "alias"; readonly alias: Alias }
  | { readonly kind: "type"; readonly type: TypeDefinition }
  | { readonly kind: "canon"; readonly canon: Canon }
  | { readonly kind: "import"; readonly name: string; readonly description: Description }
  | {
      readonly kind: "export";
      readonly name: string;
      readonly target: SortIndex;
      readonly description?: Description;
    };

/** What stands in an instance type or a component type. */
export type Declaration = Located & DeclarationBody;

export type DeclarationBody =
  | CoreTypeDefinition
  | { readonly kind: "alias"; readonly alias: Alias }
  | { readonly kind: "type"; readonly type: TypeDefinition }
  | { readonly kind: "import"; readonly name: string; readonly description: Description }
  | { readonly kind: "export"; readonly name: string; readonly description: Description };

/** `count`: how many core types it makes; a recursive group makes several. Nothing else of them is needed. */
interface CoreTypeDefinition {
  readonly kind: "core type";
  readonly count: number;
}

export interface SortIndex {
  readonly sort: Sort;
  readonly index: number;
}

export interface NamedSortIndex {
  readonly name: string;
  readonly target: SortIndex;
}

export type CoreInstanceExpression =
  | {
      readonly form: "instantiate";
      readonly module: number;
      readonly arguments: readonly { readonly name: string; readonly instance: number }[];
    }
  | { readonly form: "exports"; readonly exports: readonly NamedSortIndex[] };

export type InstanceExpression =
  | { readonly form: "instantiate"; readonly component: number; readonly arguments: readonly NamedSortIndex[] }
  | { readonly form: "exports"; readonly exports: readonly NamedSortIndex[] };

export type Alias = { readonly sort: Sort } & (
  | { readonly form: "export" | "core export"; readonly instance: number; readonly name: string }
  | { readonly form: "outer"; readonly count: number; readonly index: number }
);

/** externtype */
export type Description =
  | { readonly sort: "core module" | "function" | "component" | "instance"; readonly type: number }
  | {
      readonly sort: "type";
      readonly bound: { readonly form: "eq"; readonly type: number } | { readonly form: "sub" };
    };

/** valtype: a text is a primitive type, a number the index of a type. */
export type TypeReference = PrimitiveKind | "error-context" | number;

export interface LabelledType {
  readonly name: string;
  readonly type: TypeReference;
}

export type TypeDefinition =
  | { readonly kind: "value"; readonly value: ValueTypeDefinition }
  | FunctionTypeDefinition
  | { readonly kind: "resource"; readonly destructor?: number }
  | { readonly kind: "instance"; readonly declarations: readonly Declaration[] }
  | { readonly kind: "component" };

export interface FunctionTypeDefinition {
  readonly kind: "function";
  readonly async: boolean;
  readonly params: readonly LabelledType[];
  readonly result?: TypeReference;
}

export type ValueTypeDefinition =
  | { readonly kind: "primitive"; readonly primitive: PrimitiveKind | "error-context" }
  | { readonly kind: "record"; readonly fields: readonly LabelledType[] }
  | { readonly kind: "variant"; readonly cases: readonly { readonly name: string; readonly type?: TypeReference }[] }
  | { readonly kind: "list"; readonly element: TypeReference; readonly length?: number }
  | { readonly kind: "map"; readonly key: TypeReference; readonly value: TypeReference }
  | { readonly kind: "tuple"; readonly items: readonly TypeReference[] }
  | { readonly kind: "flags" | "enum"; readonly names: readonly string[] }
  | { readonly kind: "option"; readonly some: TypeReference }
  | { readonly kind: "result"; readonly ok?: TypeReference; readonly err?: TypeReference }
  | { readonly kind: "own" | "borrow"; readonly resource: number }
  | { readonly kind: "stream" | "future"; readonly element?: TypeReference };

/** canonopt; all are indices of core functions, and of a core memory. */
export interface CanonOptions {
  readonly encoding: StringEncoding;
  readonly memory?: number;
  readonly realloc?: number;
  readonly postReturn?: number;
  readonly callback?: number;
  readonly async: boolean;
}

export type Canon =
  | { readonly op: "lift"; readonly core: number; readonly options: CanonOptions; readonly type: number }
  | { readonly op: "lower"; readonly function: number; readonly options: CanonOptions }
  | { readonly op: "resource.new" | "resource.drop" | "resource.rep"; readonly type: number }
  | { readonly op: PlainOp }
  | { readonly op: "task.return"; readonly result?: TypeReference; readonly options: CanonOptions }
  | { readonly op: "context.get" | "context.set"; readonly slot: number }
  | { readonly op: "subtask.cancel"; readonly async: boolean }
  | { readonly op: ThreadSwitch; readonly cancellable: boolean }
  | { readonly op: "thread.new-indirect"; readonly type: number; readonly table: number }
  | {
      readonly op: "waitable-set.wait" | "waitable-set.poll";
      readonly cancellable: boolean;
      readonly memory: number;
    }
  | { readonly op: TransferOp; readonly type: number }
  | { readonly op: TransferCopy; readonly type: number; readonly options: CanonOptions }
  | { readonly op: TransferCancel; readonly type: number; readonly async: boolean }
  | { readonly op: "error-context.new" | "error-context.debug-message"; readonly options: CanonOptions };

/** Built-ins by which a thread lets others run. */
export type ThreadSwitch =
  | "thread.yield"
  | "thread.suspend"
  | `thread.${"suspend" | "yield"}-then-${"resume" | "promote"}`;

/** Built-ins without immediates. */
export type PlainOp =
  | "thread.index"
  | "thread.resume-later"
  | "task.cancel"
  | "subtask.drop"
  | "backpressure.inc"
  | "backpressure.dec"
  | "backpressure.set"
  | "waitable-set.new"
  | "waitable-set.drop"
  | "waitable.join"
  | "error-context.drop";
type Transferred = "stream" | "future";
export type TransferOp = `${Transferred}.${"new" | "drop-readable" | "drop-writable"}`;
export type TransferCopy = `${Transferred}.${"read" | "write"}`;
export type TransferCancel = `${Transferred}.cancel-${"read" | "write"}`;
