import type { CoreModule, CoreSort, Declaration, Definition, Sort } from "../binary/component.ts";
import type { CoreReference } from "./link-plan.ts";
import type { Scope } from "./scope.ts";
import type { FunctionType, TypeIndex } from "./value-type.ts";

// What the index spaces of a component hold once their definitions are resolved. Numbers of types and resources are those of
// the arena; only what ends up in the plan gets a number there.

export type FunctionItem =
  | { readonly kind: "host"; readonly interface: string; readonly name: string; readonly type: FunctionType }
  /** `lift`: index in the plan. */
  | { readonly kind: "lift"; readonly lift: number; readonly type: FunctionType };

export type TypeItem =
  | { readonly kind: "value"; readonly type: TypeIndex }
  | { readonly kind: "function"; readonly type: FunctionType }
  | { readonly kind: "resource"; readonly resource: number }
  | InstanceTypeItem
  | { readonly kind: "component" };

export interface InstanceTypeItem {
  readonly kind: "instance";
  readonly declarations: readonly Declaration[];
  readonly outer: Place;
}

/** A scope as it was when something in it was defined: what comes later is not seen. */
export interface Place {
  readonly scope: Scope;
  readonly sizes: ReadonlyMap<Sort, number>;
}

export interface ComponentItem {
  readonly definitions: readonly Definition[];
  readonly outer: Place;
}

export type Export = { readonly [S in Sort]: { readonly sort: S; readonly item: Items[S] } }[Sort];

export interface InstanceItem {
  readonly exports: ReadonlyMap<string, Export>;
}

export interface CoreExport {
  readonly sort: CoreSort;
  readonly reference: CoreReference;
}

/** An instance of a core module, or a bag of core definitions. */
export interface CoreInstanceItem {
  find(name: string): CoreExport | undefined;
}

/** What an index of each sort stands for. */
export interface Items {
  readonly "core function": CoreReference;
  readonly "core table": CoreReference;
  readonly "core memory": CoreReference;
  readonly "core global": CoreReference;
  readonly "core tag": CoreReference;
  readonly "core type": "core type";
  readonly "core module": CoreModule;
  readonly "core instance": CoreInstanceItem;
  readonly function: FunctionItem;
  readonly type: TypeItem;
  readonly component: ComponentItem;
  readonly instance: InstanceItem;
}
