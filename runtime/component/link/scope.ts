import { unreachable } from "@shallop/sdk/internal";
import type { Alias, Sort } from "../binary/component.ts";
import { BinaryError } from "../leb128.ts";
import type { Export, InstanceItem, Items, Place } from "./item.ts";

type Spaces = { readonly [S in Sort]: Items[S][] };

/** The index spaces of a component or of a type with declarations, and those around it. */
export class Scope {
  readonly #outer: Place | undefined;
  readonly #spaces: Spaces = {
    "core function": [],
    "core table": [],
    "core memory": [],
    "core global": [],
    "core tag": [],
    "core type": [],
    "core module": [],
    "core instance": [],
    function: [],
    type: [],
    component: [],
    instance: [],
  };

  constructor(outer: Place | undefined) {
    this.#outer = outer;
  }

  add<S extends Sort>(sort: S, item: Items[S]): void {
    this.#spaces[sort].push(item);
  }

  addExport(entry: Export): void {
    this.add(entry.sort, entry.item);
  }

  get<S extends Sort>(sort: S, index: number, offset: number): Items[S] {
    const item = this.#spaces[sort][index];
    if (item === undefined) throw new BinaryError(`there is no ${sort} ${index}`, offset);
    return item;
  }

  getExport(sort: Sort, index: number, offset: number): Export {
    return { sort, item: this.get(sort, index, offset) } as Export;
  }

  /** This scope as it is now. */
  place(): Place {
    const sizes = new Map<Sort, number>();
    for (const sort of ["core module", "core type", "type", "component"] as const)
      sizes.set(sort, this.#spaces[sort].length);
    return { scope: this, sizes };
  }

  /** What an alias stands for (Binary.md, "Alias Definitions"). */
  resolve(alias: Alias, offset: number): Export {
    switch (alias.form) {
      case "export":
        return exportOf(this.get("instance", alias.instance, offset), alias, offset);
      case "core export": {
        const found = this.get("core instance", alias.instance, offset).find(alias.name);
        if (found?.sort !== alias.sort) {
          throw new BinaryError(
            `core instance ${alias.instance} exports no ${alias.sort} ${quoted(alias.name)}`,
            offset,
          );
        }
        return { sort: found.sort, item: found.reference } as Export;
      }
      case "outer":
        return this.#outerOf(alias, offset);
      default:
        return unreachable(alias);
    }
  }

  #outerOf(alias: Alias & { readonly form: "outer" }, offset: number): Export {
    let place: Place = { scope: this, sizes: new Map() };
    let size = Infinity;
    for (let left = alias.count; left > 0; left--) {
      const outer = place.scope.#outer;
      if (outer === undefined) throw new BinaryError("an alias reaches beyond the outermost component", offset);
      place = outer;
      size = outer.sizes.get(alias.sort) ?? 0;
    }
    if (alias.index >= size) throw new BinaryError(`there is no outer ${alias.sort} ${alias.index}`, offset);
    return place.scope.getExport(alias.sort, alias.index, offset);
  }
}

function exportOf(
  instance: InstanceItem,
  { name, sort }: { readonly name: string; readonly sort: Sort },
  offset: number,
): Export {
  const found = instance.exports.get(name);
  if (found?.sort !== sort) throw new BinaryError(`an instance exports no ${sort} ${quoted(name)}`, offset);
  return found;
}

/** A name from a binary in a message: no control characters, no more than a line. */
export const quoted = (name: string): string => JSON.stringify(name.slice(0, 200));
