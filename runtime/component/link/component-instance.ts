import type { Definition, InstanceExpression, NamedSortIndex } from "../binary/component.ts";
import { BinaryError } from "../leb128.ts";
import { makeBuiltin, makeLift } from "./canon.ts";
import { makeCoreInstance, type CoreSurfaces } from "./core-instance.ts";
import { fit } from "./fitting.ts";
import { hostImport } from "./host-import.ts";
import type { ComponentItem, Export, InstanceItem } from "./item.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import { resolveType } from "./resolve-type.ts";
import { Scope, quoted } from "./scope.ts";

interface InstanceContext {
  readonly builder: PlanBuilder;
  readonly surfaces: CoreSurfaces;
  /** What its instantiator gives; absent for the outermost component, whose imports are the host's. */
  readonly given?: ReadonlyMap<string, Export>;
  /** How many instances are being made around it. */
  readonly depth: number;
  /** The instance that it is nested in, by its number; absent for the outermost. */
  readonly parent?: number;
}

/**
 * Instantiates a component on paper: its definitions are resolved in order, in index spaces of its own, with what its
 * instantiator gives in the place of its imports. A component that is instantiated twice is resolved twice.
 */
export function instantiate(component: ComponentItem | readonly Definition[], context: InstanceContext): InstanceItem {
  const [definitions, outer] = "outer" in component ? [component.definitions, component.outer] : [component];
  const offset = definitions[0]?.offset ?? 0;
  const { builder, depth, parent = -1 } = context;
  const run = new InstanceRun(new Scope(outer), context, builder.budget.takeInstance(parent, { depth, offset }));
  for (const definition of definitions) run.resolve(definition);
  return run.finish();
}

class InstanceRun {
  readonly #scope: Scope;
  readonly #context: InstanceContext;
  readonly #instance: number;
  readonly #imports = new Set<string>();
  readonly #exports = new Map<string, Export>();

  constructor(scope: Scope, context: InstanceContext, instance: number) {
    this.#scope = scope;
    this.#context = context;
    this.#instance = instance;
  }

  finish(): InstanceItem {
    return { exports: this.#exports };
  }

  resolve(definition: Definition): void {
    const scope = this.#scope;
    const { builder, surfaces } = this.#context;
    const { offset } = definition;
    builder.budget.spendDefinition(definition.bytes, offset);
    switch (definition.kind) {
      case "core module":
        scope.add("core module", definition.module);
        return;
      case "core instance":
        scope.add("core instance", makeCoreInstance(definition.expression, { scope, builder, surfaces, offset }));
        return;
      case "core type":
        for (let left = definition.count; left > 0; left--) scope.add("core type", "core type");
        return;
      case "component":
        scope.add("component", { definitions: definition.definitions, outer: scope.place() });
        return;
      case "instance":
        scope.add("instance", this.#makeInstance(definition.expression, offset));
        return;
      case "alias":
        scope.addExport(scope.resolve(definition.alias, offset));
        return;
      case "type":
        this.#defineType(definition);
        return;
      case "canon":
        this.#defineCanon(definition);
        return;
      case "import":
        this.#takeImport(definition);
        return;
      case "export":
        this.#giveExport(definition);
        return;
    }
  }

  #makeInstance(expression: InstanceExpression, offset: number): InstanceItem {
    if (expression.form === "exports") return { exports: this.#collect(expression.exports, offset) };
    const component = this.#scope.get("component", expression.component, offset);
    const given = this.#collect(expression.arguments, offset);
    return instantiate(component, { ...this.#context, given, depth: this.#context.depth + 1, parent: this.#instance });
  }

  #collect(entries: readonly NamedSortIndex[], offset: number): Map<string, Export> {
    const collected = new Map<string, Export>();
    for (const { name, target } of entries) {
      if (collected.has(name)) throw new BinaryError(`${quoted(name)} is given twice`, offset);
      collected.set(name, this.#scope.getExport(target.sort, target.index, offset));
    }
    return collected;
  }

  #defineType({ type, offset }: Definition & { readonly kind: "type" }): void {
    const scope = this.#scope;
    const { builder } = this.#context;
    if (type.kind !== "resource") {
      scope.add("type", resolveType(type, { scope, arena: builder.arena, offset }));
      return;
    }
    const destructor = type.destructor === undefined ? undefined : scope.get("core function", type.destructor, offset);
    const resource = builder.defineResource({
      kind: "guest",
      instance: this.#instance,
      ...(destructor === undefined ? {} : { destructor }),
    });
    scope.add("type", { kind: "resource", resource });
  }

  #defineCanon({ canon, offset }: Definition & { readonly kind: "canon" }): void {
    const { builder } = this.#context;
    const context = { scope: this.#scope, builder, instance: this.#instance, offset };
    if (canon.op === "lift") this.#scope.add("function", makeLift(canon, context));
    else this.#scope.add("core function", builder.builtin(makeBuiltin(canon, context), offset));
  }

  #takeImport({ name, description, offset }: Definition & { readonly kind: "import" }): void {
    const { builder, given } = this.#context;
    if (this.#imports.has(name)) throw new BinaryError(`two imports are named ${quoted(name)}`, offset);
    this.#imports.add(name);
    const scope = this.#scope;
    if (given === undefined) {
      scope.addExport(hostImport({ interface: "", name }, description, { scope, builder, offset }));
      return;
    }
    scope.addExport(fit(given.get(name), { name, description, place: { scope, builder, offset } }));
  }

  #giveExport({ name, target, description, offset }: Definition & { readonly kind: "export" }): void {
    if (this.#exports.has(name)) throw new BinaryError(`two exports are named ${quoted(name)}`, offset);
    const found = this.#scope.getExport(target.sort, target.index, offset);
    const place = { scope: this.#scope, builder: this.#context.builder, offset };
    const given = description === undefined ? found : fit(found, { name, description, place });
    this.#exports.set(name, given);
    this.#scope.addExport(given);
  }
}
