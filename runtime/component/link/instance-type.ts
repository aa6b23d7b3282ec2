import type { Declaration, Description } from "../binary/component.ts";
import { BinaryError } from "../leb128.ts";
import type { Export, InstanceItem, InstanceTypeItem } from "./item.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import { resolveType } from "./resolve-type.ts";
import { Scope, quoted } from "./scope.ts";
import type { FunctionType } from "./value-type.ts";

/** Where a description of an import or export stands, in whose scope its indices are meant. */
export interface DescribedPlace {
  readonly scope: Scope;
  readonly builder: PlanBuilder;
  readonly offset: number;
}

/** Says what stands for an export that an instance type describes. */
export type Give = (name: string, description: Description, place: DescribedPlace) => Export;

/**
 * The instance that an instance type describes, each of its exports being what `give` says. Later declarations see
 * earlier exports, so a function's type has the resources that were given.
 */
export function resolveInstanceType(type: InstanceTypeItem, builder: PlanBuilder, give: Give): InstanceItem {
  const scope = new Scope(type.outer);
  const exports = new Map<string, Export>();
  for (const declaration of type.declarations) {
    const { offset } = declaration;
    builder.budget.spendDefinition(declaration.bytes, offset);
    if (declaration.kind === "export") {
      const { name, description } = declaration;
      if (exports.has(name)) throw new BinaryError(`two exports are named ${quoted(name)}`, offset);
      const given = give(name, description, { scope, builder, offset });
      exports.set(name, given);
      scope.addExport(given);
    } else {
      declare(declaration, { scope, builder, offset });
    }
  }
  return { exports };
}

function declare(
  declaration: Exclude<Declaration, { readonly kind: "export" }>,
  { scope, builder, offset }: DescribedPlace,
): void {
  switch (declaration.kind) {
    case "core type":
      for (let left = declaration.count; left > 0; left--) scope.add("core type", "core type");
      return;
    case "type":
      if (declaration.type.kind === "resource") throw new BinaryError("a resource is defined inside a type", offset);
      scope.add("type", resolveType(declaration.type, { scope, arena: builder.arena, offset }));
      return;
    case "alias":
      scope.addExport(scope.resolve(declaration.alias, offset));
      return;
    case "import":
      throw new BinaryError("an instance type has an import", offset);
  }
}

export function functionTypeAt(index: number, { scope, offset }: DescribedPlace): FunctionType {
  const item = scope.get("type", index, offset);
  if (item.kind !== "function") throw new BinaryError(`type ${index} is no type of a function`, offset);
  return item.type;
}

export function instanceTypeAt(index: number, { scope, offset }: DescribedPlace): InstanceTypeItem {
  const item = scope.get("type", index, offset);
  if (item.kind !== "instance") throw new BinaryError(`type ${index} is no type of an instance`, offset);
  return item;
}
