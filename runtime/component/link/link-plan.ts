import type { ThreadSwitch } from "../binary/component.ts";
import type { FunctionType, TypeIndex, ValueType } from "./value-type.ts";

/**
 * What a component becomes when a node prepares it: its core modules and this table, which says how they are wired to each
 * other and to the host. Nested components, aliases and instances are resolved: what is left is a list of core modules
 * to instantiate in order, and functions between them. Data only: it is stored as JSON.
 */
export interface LinkPlan {
  readonly types: readonly ValueType[];
  readonly resources: readonly ResourcePlan[];
  /** Component instances, each with handles of its own; 0 is the component itself, further ones are nested in it. */
  readonly componentInstances: number;
  /** Of each component instance the one that it is nested in; -1 of the component itself. */
  readonly instanceParents: readonly number[];
  /** Functions that the host gives. */
  readonly hostFunctions: readonly HostFunctionPlan[];
  /** Core functions of a component that are called with component-level values (`canon lift`). */
  readonly lifts: readonly LiftPlan[];
  /** Core functions that the linker makes (`canon lower`, `canon resource.drop`, …). */
  readonly builtins: readonly BuiltinPlan[];
  /** What is done in order, to instantiate. */
  readonly steps: readonly StepPlan[];
  readonly exports: readonly ExportPlan[];
}

export type ResourcePlan =
  /** `interface` as the component writes it, with its version: `wasi:io/streams@0.2.3`. */
  | { readonly kind: "host"; readonly interface: string; readonly name: string }
  /** `instance`: the component instance that defines it. */
  | { readonly kind: "guest"; readonly instance: number; readonly destructor?: CoreReference };

export interface HostFunctionPlan {
  /** As the component writes it; empty for a function that is imported by itself. */
  readonly interface: string;
  /** `handle`, `[method]fields.append`, `[static]response-outparam.set`, `[constructor]fields`. */
  readonly name: string;
}

/** Something that a core module imports. */
export type CoreReference =
  /** `instance`: index among the core instances, in the order of the steps that make them. */
  | { readonly kind: "export"; readonly instance: number; readonly name: string }
  /** Index into `LinkPlan.builtins`. */
  | { readonly kind: "builtin"; readonly builtin: number };

/** A component-level function. */
export type Callee =
  /** Index into `LinkPlan.hostFunctions`. */
  | { readonly kind: "host"; readonly host: number }
  /** Index into `LinkPlan.lifts`. */
  | { readonly kind: "lift"; readonly lift: number };

export type StringEncoding = "utf8" | "utf16" | "latin1+utf16";

/** Canonical options (Explainer.md, "Canonical ABI"). */
export interface CanonicalOptions {
  readonly encoding: StringEncoding;
  readonly memory?: CoreReference;
  readonly realloc?: CoreReference;
  readonly postReturn?: CoreReference;
  readonly async: boolean;
  readonly callback?: CoreReference;
}

export interface LiftPlan {
  readonly core: CoreReference;
  readonly type: FunctionType;
  readonly options: CanonicalOptions;
  /** The component instance whose function it is. */
  readonly instance: number;
}

/** Each operation with what it needs, as a type of its own; `instance`: the component instance that calls it. */
type Operation<Op extends string, Settings = unknown> = Op extends string
  ? { readonly op: Op; readonly instance: number } & Settings
  : never;

export type BuiltinPlan =
  | Operation<"lower", { readonly callee: Callee; readonly type: FunctionType; readonly options: CanonicalOptions }>
  | Operation<"resource.new" | "resource.rep" | "resource.drop", { readonly resource: number }>
  | Operation<"task.return", { readonly result?: TypeIndex; readonly options: CanonicalOptions }>
  | Operation<"context.get" | "context.set", { readonly slot: number }>
  | Operation<"backpressure.inc" | "backpressure.dec" | "backpressure.set" | "task.cancel" | "subtask.drop">
  | Operation<"subtask.cancel", { readonly async: boolean }>
  | Operation<ThreadSwitch, { readonly cancellable: boolean }>
  | Operation<"thread.new-indirect", { readonly table: CoreReference }>
  | Operation<"thread.index" | "thread.resume-later">
  | Operation<"waitable-set.new" | "waitable-set.drop" | "waitable.join">
  | Operation<
      "waitable-set.wait" | "waitable-set.poll",
      { readonly cancellable: boolean; readonly memory: CoreReference }
    >
  | Operation<"stream.new" | "future.new" | TransferDrop, { readonly type: TypeIndex }>
  | Operation<Transfer, { readonly type: TypeIndex; readonly options: CanonicalOptions }>
  | Operation<TransferCancel, { readonly type: TypeIndex; readonly async: boolean }>
  | Operation<"error-context.new" | "error-context.debug-message", { readonly options: CanonicalOptions }>
  | Operation<"error-context.drop">;

/** Those with one of the operations `Op`. */
export type BuiltinOf<Op extends BuiltinPlan["op"]> = Extract<BuiltinPlan, { readonly op: Op }>;

type TransferDrop = `${"stream" | "future"}.drop-${"readable" | "writable"}`;
type Transfer = `${"stream" | "future"}.${"read" | "write"}`;
type TransferCancel = `${"stream" | "future"}.cancel-${"read" | "write"}`;

export type StepPlan =
  /** Makes the next core instance. `module`: index of the core module, in the order in which they stand in the binary. */
  | {
      readonly op: "instantiate";
      readonly module: number;
      readonly imports: readonly {
        readonly module: string;
        readonly name: string;
        readonly reference: CoreReference;
      }[];
    };

/** What the component exports. Types are left out: the functions carry theirs. */
export type ExportPlan =
  | {
      readonly kind: "instance";
      /** `wasi:http/incoming-handler@0.2.3` */
      readonly name: string;
      readonly functions: readonly { readonly name: string; readonly callee: Callee }[];
    }
  | { readonly kind: "function"; readonly name: string; readonly callee: Callee };
