import type { FunctionType, TypeIndex, ValueType } from "./value-type.ts";

/** The numbers of the resources that handles in a function's type are of, in the order in which they are first met. */
export function functionResources(
  { params, result }: FunctionType,
  typeAt: (index: TypeIndex) => ValueType | undefined,
): readonly number[] {
  const types = params.map(({ type }) => type);
  return typeResources(result === undefined ? types : [...types, result], typeAt);
}

export function typeResources(
  types: readonly TypeIndex[],
  typeAt: (index: TypeIndex) => ValueType | undefined,
): readonly number[] {
  const found = new Set<number>();
  for (const index of typesIn(types, typeAt)) {
    const type = typeAt(index);
    if (type?.kind === "own" || type?.kind === "borrow") found.add(type.resource);
  }
  return [...found];
}

/** The types of the streams and futures in a function's type, one for each place in which one is passed. */
export function functionTransfers(
  { params, result }: FunctionType,
  typeAt: (index: TypeIndex) => ValueType | undefined,
): readonly TypeIndex[] {
  const types = params.map(({ type }) => type);
  return (result === undefined ? types : [...types, result]).flatMap((type) => typeTransfers(type, typeAt));
}

export function typeTransfers(
  index: TypeIndex,
  typeAt: (index: TypeIndex) => ValueType | undefined,
): readonly TypeIndex[] {
  const type = typeAt(index);
  if (type === undefined) return [];
  // What is in a stream or future is passed when it is read.
  if (type.kind === "stream" || type.kind === "future") return [index];
  return partsOf(type).flatMap((part) => typeTransfers(part, typeAt));
}

/** `types` and all that are in them, in the order in which they are first met: a type may hold another one many times over. */
function typesIn(
  types: readonly TypeIndex[],
  typeAt: (index: TypeIndex) => ValueType | undefined,
): ReadonlySet<TypeIndex> {
  const met = new Set<TypeIndex>();
  const walk = (index: TypeIndex): void => {
    const type = typeAt(index);
    if (type === undefined || met.has(index)) return;
    met.add(index);
    for (const part of partsOf(type)) walk(part);
  };
  for (const type of types) walk(type);
  return met;
}

function partsOf(type: ValueType): readonly TypeIndex[] {
  if (type.kind === "record") return type.fields.map((field) => field.type);
  if (type.kind === "tuple") return type.items;
  if (type.kind === "variant") return type.cases.flatMap((one) => one.type ?? []);
  if (type.kind === "option") return [type.some];
  if (type.kind === "result") return [type.ok ?? [], type.err ?? []].flat();
  return "element" in type && type.element !== undefined ? [type.element] : [];
}
