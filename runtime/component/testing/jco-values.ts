import { mapValueType } from "../link/type-arena.ts";
import type { ValueType } from "../link/value-type.ts";
import { compoundKinds, Samples, SampleThing, type Sample } from "./samples.ts";

/** Types that jco has values for, as ours. */
export const jcoSamples = (below: (below: number) => number, without: readonly string[] = []): Samples =>
  new Samples(
    below,
    compoundKinds.filter((kind) => kind !== "fixed" && !without.includes(kind)),
  );

/** Whether there are three options in each other anywhere in a type. */
function hasThreeOptions(types: readonly ValueType[], index: number, options = 0): boolean {
  const type = types[index];
  if (type?.kind === "option") return options === 2 || hasThreeOptions(types, type.some, options + 1);
  return type !== undefined && partsOf(type).some((part) => hasThreeOptions(types, part));
}

/** Whether there is a type of that kind anywhere in a type. */
export function hasKind(types: readonly ValueType[], index: number, kind: ValueType["kind"]): boolean {
  const type = types[index];
  return type?.kind === kind || (type !== undefined && partsOf(type).some((part) => hasKind(types, part, kind)));
}

function partsOf(type: ValueType): readonly number[] {
  const parts: number[] = [];
  mapValueType(type, { type: (index) => (parts.push(index), index), resource: (resource) => resource });
  return parts;
}

/** A type in which jco's values are as ours. */
export function sampleOf(samples: Samples): Sample {
  const sample = samples.any(3);
  return hasThreeOptions(samples.types, sample.type) ? sampleOf(samples) : sample;
}

/** A value as both write it: what is not there and what is undefined are the same. */
export function normal(value: unknown): unknown {
  if (ArrayBuffer.isView(value) || Array.isArray(value))
    return Array.from(value as unknown as readonly unknown[], normal);
  if (typeof value !== "object" || value === null || value instanceof SampleThing) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([name, inner]) => [name, normal(inner)]),
  );
}
