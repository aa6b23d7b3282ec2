import { familyOf } from "./instance/host-binding.ts";
import { TypeComparison } from "./link/same-type.ts";
import type { ResourceName, TypedItem, TypedSurface, TypeTable } from "./link/typed-surface.ts";
import { servedFamily, type WasiFamily } from "./requirements.ts";
import { typeTableOf, wasiInterfaces } from "./wasi/interfaces.ts";

// What a component says of WASI's functions is its own word: its imports carry types that somebody wrote. Here they are held
// against the standard's. Only interfaces that this node provides are looked at; the others are refused by their name.

/** Functions and resources that WASI has not, or not with these types. */
export function untrueImports(surface: TypedSurface): readonly string[] {
  const standard = new Standard(surface);
  return surface.imports.flatMap((item) => standard.problemOf(item) ?? []);
}

/** What is wrong with the function that is called; undefined when nothing is. */
export function untrueEntry(
  surface: TypedSurface,
  entry: { readonly interface: string; readonly name: string },
): string | undefined {
  const found = surface.exports.find((item) => item.interface === entry.interface && item.name === entry.name);
  if (found === undefined) return `${entry.interface} is exported without ${entry.name}`;
  return new Standard(surface).problemOf(found);
}

/** WASI's types beside those of one component. */
class Standard {
  readonly #types: TypeTable;
  readonly #comparisons = new Map<WasiFamily, TypeComparison>();

  constructor({ types }: TypedSurface) {
    this.#types = types;
  }

  problemOf({ interface: from, name, type }: TypedItem): string | undefined {
    const family = servedFamily(from);
    const members = family === undefined ? undefined : own(wasiInterfaces(family).interfaces, familyOf(from));
    if (family === undefined || members === undefined) return undefined;
    const title = `${from}#${name}`;
    if (type === undefined) return members.resources.includes(name) ? undefined : `${title} (no such resource)`;
    const expected = own(members.functions, name);
    if (expected === undefined) return `${title} (no such function)`;
    return this.#comparison(family).functions(type, expected) ? undefined : `${title} (of another type)`;
  }

  #comparison(family: WasiFamily): TypeComparison {
    let comparison = this.#comparisons.get(family);
    if (comparison === undefined) {
      comparison = new TypeComparison(this.#types, typeTableOf(wasiInterfaces(family)), isSameResource);
      this.#comparisons.set(family, comparison);
    }
    return comparison;
  }
}

const own = <Value>(members: Readonly<Record<string, Value>>, name: string): Value | undefined =>
  Object.hasOwn(members, name) ? members[name] : undefined;

/** `one` as a component writes it, `other` by its family. */
const isSameResource = (one: ResourceName | undefined, other: ResourceName | undefined): boolean =>
  one !== undefined &&
  one.name === other?.name &&
  servedFamily(one.interface) !== undefined &&
  familyOf(one.interface) === other.interface;
