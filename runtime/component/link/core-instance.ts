import type { CoreInstanceExpression, CoreModule, CoreSort, NamedSortIndex, Sort } from "../binary/component.ts";
import { readCoreSurface, type CoreSurface } from "../binary/core-module.ts";
import { ParseBudget } from "../binary/section-reader.ts";
import { BinaryError } from "../leb128.ts";
import type { CoreExport, CoreInstanceItem } from "./item.ts";
import type { CoreReference } from "./link-plan.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import { quoted, type Scope } from "./scope.ts";

/** What core modules import and export; each is looked into once, when it is first instantiated. */
export class CoreSurfaces {
  readonly #component: Uint8Array;
  readonly #budget = new ParseBudget();
  readonly #surfaces = new Map<number, CoreSurface>();

  constructor(component: Uint8Array) {
    this.#component = component;
  }

  of(module: CoreModule): CoreSurface {
    let surface = this.#surfaces.get(module.index);
    if (surface === undefined) {
      surface = readCoreSurface(this.#component, module, this.#budget);
      this.#surfaces.set(module.index, surface);
    }
    return surface;
  }
}

interface CoreContext {
  readonly scope: Scope;
  readonly builder: PlanBuilder;
  readonly surfaces: CoreSurfaces;
  readonly offset: number;
}

/** A core instance (Explainer.md, "Instance Definitions"): a step of the plan, or a bag of what is there already. */
export function makeCoreInstance(expression: CoreInstanceExpression, context: CoreContext): CoreInstanceItem {
  if (expression.form === "exports") return makeBag(expression.exports, context);
  const { scope, builder, surfaces, offset } = context;
  const module = scope.get("core module", expression.module, offset);
  const given = new Map<string, CoreInstanceItem>();
  for (const { name, instance } of expression.arguments) {
    if (given.has(name)) throw new BinaryError(`a core module is given ${quoted(name)} twice`, offset);
    given.set(name, scope.get("core instance", instance, offset));
  }
  const surface = surfaces.of(module);
  const imports = wireImports(surface, given, context);
  const instance = builder.budget.takeStep(offset);
  builder.step({ op: "instantiate", module: module.index, imports });
  return {
    find: (name) => {
      const sort = surface.exports.get(name);
      return sort === undefined ? undefined : { sort, reference: { kind: "export", instance, name } };
    },
  };
}

interface WiredImport {
  readonly module: string;
  readonly name: string;
  readonly reference: CoreReference;
}

function wireImports(
  surface: CoreSurface,
  given: ReadonlyMap<string, CoreInstanceItem>,
  { builder, offset }: CoreContext,
): WiredImport[] {
  return surface.imports.map(({ module, name, sort }) => {
    const found = given.get(module)?.find(name);
    if (found === undefined) {
      throw new BinaryError(`a core module imports ${quoted(module)} ${quoted(name)}, and is not given it`, offset);
    }
    if (found.sort !== sort) {
      throw new BinaryError(`a core module imports ${quoted(name)} as ${sort}, and is given a ${found.sort}`, offset);
    }
    // What the entry is as text, about: names are as long as the binary says, and can stand in many entries.
    const { reference } = found;
    builder.budget.spend(
      80 + module.length + name.length + (reference.kind === "export" ? reference.name.length : 0),
      offset,
    );
    return { module, name, reference };
  });
}

function makeBag(exports: readonly NamedSortIndex[], { scope, offset }: CoreContext): CoreInstanceItem {
  const bag = new Map<string, CoreExport>();
  for (const { name, target } of exports) {
    if (bag.has(name)) throw new BinaryError(`two core exports are named ${quoted(name)}`, offset);
    const { sort, index } = target;
    if (sort === "core type" || sort === "core module" || sort === "core instance" || !isCore(sort)) {
      throw new BinaryError(`a core instance has a ${sort} in it`, offset);
    }
    bag.set(name, { sort, reference: scope.get(sort, index, offset) });
  }
  return { find: (name) => bag.get(name) };
}

const isCore = (sort: Sort): sort is CoreSort => sort.startsWith("core ");
