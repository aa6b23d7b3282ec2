import { unreachable } from "@shallop/sdk/internal";
import type { Description } from "../binary/component.ts";
import { BinaryError } from "../leb128.ts";
import { functionTypeAt, instanceTypeAt, resolveInstanceType, type DescribedPlace } from "./instance-type.ts";
import type { Export, TypeItem } from "./item.ts";
import { quoted } from "./scope.ts";

/** Instances in each other; the type of one may be the next one's, in any number. Each level is some frames of the stack. */
const depthMax = 32;

interface Fitting {
  /** What it is called, for messages. */
  readonly name: string;
  readonly description: Description;
  readonly place: DescribedPlace;
  readonly depth?: number;
}

/**
 * What is given for an import, or exported, as its type shows it: an instance has only the exports that the type names.
 * Types are equal or do not fit (Explainer.md has no subtypes of values), and equal ones are one in the arena; the types of
 * components and core modules are not compared.
 * @throws BinaryError when it is not what the type says
 */
export function fit(found: Export | undefined, { name, description, place, depth = 0 }: Fitting): Export {
  const { builder, offset } = place;
  if (found?.sort !== description.sort) {
    throw new BinaryError(`${quoted(name)} has to be a ${description.sort}, and is not`, offset);
  }
  if (depth > depthMax) throw new BinaryError(`instances are nested more than ${depthMax} deep`, offset);
  switch (description.sort) {
    case "function": {
      const type = functionTypeAt(description.type, place);
      if (found.sort === "function" && found.item.type === type) return found;
      throw new BinaryError(`the function ${quoted(name)} is of another type than it is said to be`, offset);
    }
    case "type": {
      if (found.sort === "type" && isBound(found.item, description.bound, place)) return found;
      throw new BinaryError(`${quoted(name)} is another type than it is said to be`, offset);
    }
    case "instance": {
      if (found.sort !== "instance") return found;
      const { exports } = found.item;
      const type = instanceTypeAt(description.type, place);
      const item = resolveInstanceType(type, builder, (inner, innerDescription, innerPlace) => {
        const fitting = { name: inner, description: innerDescription, place: innerPlace, depth: depth + 1 };
        return fit(exports.get(inner), fitting);
      });
      return { sort: "instance", item };
    }
    case "component":
    case "core module":
      return found;
    default:
      return unreachable(description);
  }
}

type Bound = (Description & { readonly sort: "type" })["bound"];

function isBound(item: TypeItem, bound: Bound, { scope, offset }: DescribedPlace): boolean {
  if (bound.form === "sub") return item.kind === "resource";
  const other = scope.get("type", bound.type, offset);
  switch (item.kind) {
    case "value":
      return other.kind === "value" && other.type === item.type;
    case "resource":
      return other.kind === "resource" && other.resource === item.resource;
    case "function":
      return other.kind === "function" && other.type === item.type;
    case "instance":
    case "component":
      return other.kind === item.kind;
    default:
      return unreachable(item);
  }
}
