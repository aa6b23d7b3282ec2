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

/** `instance`: the component instance that calls it. */
export type BuiltinPlan = { readonly instance: number } & (
  | { readonly op: "lower"; readonly callee: Callee; readonly type: FunctionType; readonly options: CanonicalOptions }
  | { readonly op: "resource.new" | "resource.rep" | "resource.drop"; readonly resource: number }
  | { readonly op: "task.return"; readonly result?: TypeIndex; readonly options: CanonicalOptions }
  | { readonly op: "context.get" | "context.set"; readonly slot: number }
  | { readonly op: "backpressure.inc" | "backpressure.dec" | "backpressure.set" | "task.cancel" | "subtask.drop" }
  | { readonly op: "subtask.cancel"; readonly async: boolean }
  | { readonly op: "thread.yield"; readonly cancellable: boolean }
  | { readonly op: "waitable-set.new" | "waitable-set.drop" | "waitable.join" }
  | {
      readonly op: "waitable-set.wait" | "waitable-set.poll";
      readonly cancellable: boolean;
      readonly memory: CoreReference;
    }
  | { readonly op: "stream.new" | "future.new" | TransferDrop; readonly type: TypeIndex }
  | { readonly op: Transfer; readonly type: TypeIndex; readonly options: CanonicalOptions }
  | { readonly op: TransferCancel; readonly type: TypeIndex; readonly async: boolean }
  | { readonly op: "error-context.new" | "error-context.debug-message"; readonly options: CanonicalOptions }
  | { readonly op: "error-context.drop" }
);

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
