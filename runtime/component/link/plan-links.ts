import { parseComponent } from "../binary/parse-component.ts";
import { instantiate } from "./component-instance.ts";
import { CoreSurfaces } from "./core-instance.ts";
import type { InstanceItem } from "./item.ts";
import type { ExportPlan, LinkPlan } from "./link-plan.ts";
import { PlanBuilder } from "./plan-builder.ts";
import type { TypedItem, TypedSurface, TypeTable } from "./typed-surface.ts";

/** A component taken apart. */
export interface PlannedLinks {
  readonly plan: LinkPlan;
  /** Views of the component's bytes, in the order that `StepPlan.module` counts. */
  readonly modules: readonly Uint8Array[];
  readonly surface: TypedSurface;
}

/**
 * Works out how a component's core modules are wired to each other and to the host. Takes time and memory in proportion to
 * the bytes, up to a bound, whatever they are.
 * @throws BinaryError with the offset, when the component is malformed, refers to what is not there, has what the linker does
 *   not support, or passes a bound. Core modules are not validated, and neither is that types fit each other where
 *   that only harms the component itself.
 */
export function planLinks(component: Uint8Array): PlannedLinks {
  const { definitions, modules } = parseComponent(component);
  const builder = new PlanBuilder();
  const root = instantiate(definitions, { builder, surfaces: new CoreSurfaces(component), depth: 0 });
  planExports(root, { builder, offset: component.length });
  const surface = { imports: builder.imported, exports: exportedFunctions(root), types: typesOf(builder) };
  return { plan: builder.finish(), modules: modules.map(({ bytes }) => bytes), surface };
}

function exportedFunctions(root: InstanceItem): TypedItem[] {
  const found: TypedItem[] = [];
  for (const [name, { sort, item }] of root.exports) {
    if (sort !== "instance") continue;
    for (const [inner, entry] of item.exports) {
      if (entry.sort === "function") found.push({ interface: name, name: inner, type: entry.item.type });
    }
  }
  return found;
}

const typesOf = (builder: PlanBuilder): TypeTable => ({
  type: (index) => builder.arena.get(index),
  resource: (number) => {
    const resource = builder.resourceOf(number);
    return resource.kind === "host" ? resource : undefined;
  },
});

/** Functions, and functions of instances; the rest of what a component exports is for tools. */
function planExports(
  root: InstanceItem,
  { builder, offset }: { readonly builder: PlanBuilder; readonly offset: number },
): void {
  for (const [name, entry] of root.exports) {
    if (entry.sort === "function") {
      const plan: ExportPlan = { kind: "function", name, callee: builder.callee(entry.item, offset) };
      builder.export(plan, offset);
    } else if (entry.sort === "instance") {
      const functions = [];
      for (const [inner, { sort, item }] of entry.item.exports) {
        if (sort === "function") functions.push({ name: inner, callee: builder.callee(item, offset) });
      }
      builder.export({ kind: "instance", name, functions }, offset);
    }
  }
}
