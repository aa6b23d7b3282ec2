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
  // A type may hold another one many times over: each is walked once.
  const walked = new Set<TypeIndex>();
  const walk = (index: TypeIndex): void => {
    if (walked.has(index)) return;
    walked.add(index);
    const type = typeAt(index);
    if (type?.kind === "own" || type?.kind === "borrow") found.add(type.resource);
    else if (type !== undefined) for (const part of partsOf(type)) walk(part);
  };
  for (const type of types) walk(type);
  return [...found];
}

function partsOf(type: ValueType): readonly TypeIndex[] {
  if (type.kind === "record") return type.fields.map((field) => field.type);
  if (type.kind === "tuple") return type.items;
  if (type.kind === "variant") return type.cases.flatMap((one) => one.type ?? []);
  if (type.kind === "option") return [type.some];
  if (type.kind === "result") return [type.ok ?? [], type.err ?? []].flat();
  return "element" in type ? [type.element] : [];
}
