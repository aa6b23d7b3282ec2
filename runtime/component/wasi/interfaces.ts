import { readFileSync } from "node:fs";
import type { ResourceName, TypeTable } from "../link/typed-surface.ts";
import type { WasiFamily } from "../requirements.ts";
import type { FunctionType, ValueType } from "../link/value-type.ts";

/** The types of everything in WASI, from the standard's WIT; interfaces by their family. */
export interface WasiInterfaces {
  readonly types: readonly ValueType[];
  readonly resources: readonly ResourceName[];
  /** `wasi:io/poll` of 0.2, `wasi:http/types@0.3`. */
  readonly interfaces: Readonly<Record<string, WasiInterface>>;
}

interface WasiInterface {
  readonly functions: Readonly<Record<string, FunctionType>>;
  readonly resources: readonly string[];
}

const read = new Map<WasiFamily, WasiInterfaces>();

/** The newest release that is served, which has all that earlier ones of its family have. Read when it is first asked for. */
export function wasiInterfaces(family: WasiFamily): WasiInterfaces {
  let interfaces = read.get(family);
  if (interfaces === undefined) {
    const text = readFileSync(new URL(`interfaces-${family}.json`, import.meta.url), "utf8");
    interfaces = JSON.parse(text) as WasiInterfaces;
    read.set(family, interfaces);
  }
  return interfaces;
}

export const typeTableOf = ({ types, resources }: WasiInterfaces): TypeTable => ({
  type: (index) => {
    const type = types[index];
    if (type === undefined) throw new RangeError(`WASI has no type ${index}`);
    return type;
  },
  resource: (number) => resources[number],
});
