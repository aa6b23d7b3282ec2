import { unreachable } from "@shallop/sdk/internal";
import type {
  FunctionTypeDefinition,
  TypeDefinition,
  TypeReference,
  ValueTypeDefinition,
} from "../binary/component.ts";
import { BinaryError } from "../leb128.ts";
import type { TypeItem } from "./item.ts";
import type { Scope } from "./scope.ts";
import type { TypeArena } from "./type-arena.ts";
import type { FunctionType, TypeIndex, ValueType } from "./value-type.ts";

/** Where a type is resolved, and where messages say that it is. */
export interface TypeContext {
  readonly scope: Scope;
  readonly arena: TypeArena;
  readonly offset: number;
}

/** What a type definition stands for in a scope. A resource is not defined here: it needs the instance that defines it. */
export function resolveType(
  definition: Exclude<TypeDefinition, { readonly kind: "resource" }>,
  context: TypeContext,
): TypeItem {
  switch (definition.kind) {
    case "value":
      return { kind: "value", type: context.arena.add(resolveValueType(definition.value, context), context.offset) };
    case "function":
      return { kind: "function", type: resolveFunctionType(definition, context) };
    case "instance":
      return { kind: "instance", declarations: definition.declarations, outer: context.scope.place() };
    case "component":
      return { kind: "component" };
    default:
      return unreachable(definition);
  }
}

function resolveFunctionType(definition: FunctionTypeDefinition, context: TypeContext): FunctionType {
  const params = definition.params.map(({ name, type }) => ({ name, type: resolveReference(type, context) }));
  const result = definition.result === undefined ? undefined : resolveResult(definition.result, context);
  return context.arena.addFunction({ params, async: definition.async, ...(result === undefined ? {} : { result }) });
}

/** The type of a result: no borrowed handle leaves the call that lent it. */
export function resolveResult(reference: TypeReference, context: TypeContext): TypeIndex {
  const type = resolveReference(reference, context);
  if (context.arena.facts(type).hasBorrow) throw new BinaryError("a result has a borrowed handle", context.offset);
  return type;
}

function resolveReference(reference: TypeReference, { scope, arena, offset }: TypeContext): TypeIndex {
  if (typeof reference === "string") return arena.add({ kind: reference }, offset);
  const item = scope.get("type", reference, offset);
  if (item.kind !== "value") throw new BinaryError(`type ${reference} is no type of a value`, offset);
  return item.type;
}

function resolveValueType(definition: ValueTypeDefinition, context: TypeContext): ValueType {
  const resolve = (reference: TypeReference): TypeIndex => resolveReference(reference, context);
  switch (definition.kind) {
    case "primitive":
      return { kind: definition.primitive };
    case "record":
      return { kind: "record", fields: definition.fields.map(({ name, type }) => ({ name, type: resolve(type) })) };
    case "variant":
      return {
        kind: "variant",
        cases: definition.cases.map(({ name, type }) =>
          type === undefined ? { name } : { name, type: resolve(type) },
        ),
      };
    case "list": {
      const { length } = definition;
      return { kind: "list", element: resolve(definition.element), ...(length === undefined ? {} : { length }) };
    }
    case "map": {
      // The canonical ABI knows no maps: one is a list of pairs (CanonicalABI.md, "Despecialization").
      const items = [resolve(definition.key), resolve(definition.value)];
      return { kind: "list", element: context.arena.addPart({ kind: "tuple", items }, context.offset) };
    }
    case "tuple":
      return { kind: "tuple", items: definition.items.map(resolve) };
    case "flags":
    case "enum":
      return { kind: definition.kind, names: definition.names };
    case "option":
      return { kind: "option", some: resolve(definition.some) };
    case "result": {
      const { ok, err } = definition;
      return {
        kind: "result",
        ...(ok === undefined ? {} : { ok: resolve(ok) }),
        ...(err === undefined ? {} : { err: resolve(err) }),
      };
    }
    case "own":
    case "borrow":
      return { kind: definition.kind, resource: resolveResource(definition.resource, context) };
    case "stream":
    case "future": {
      if (definition.element === undefined) return { kind: definition.kind };
      const element = resolveResult(definition.element, context);
      // Kept free by the specification, for text that is sent in pieces.
      if (definition.kind === "stream" && context.arena.get(element).kind === "char") {
        throw new BinaryError("a stream of char is not allowed", context.offset);
      }
      return { kind: definition.kind, element };
    }
    default:
      return unreachable(definition);
  }
}

/** The arena's number of the resource that a type index stands for. */
export function resolveResource(index: number, { scope, offset }: Omit<TypeContext, "arena">): number {
  const item = scope.get("type", index, offset);
  if (item.kind !== "resource") throw new BinaryError(`type ${index} is no resource`, offset);
  return item.resource;
}
