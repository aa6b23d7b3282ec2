import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentEmbed, componentNew } from "@bytecodealliance/jco";
import { expect, test } from "vitest";
import { readSurface } from "../component-binary.ts";
import { planLinks } from "../link/plan-links.ts";
import { mapFunctionType, mapValueType, type TypeMapping } from "../link/type-arena.ts";
import type { TypedSurface } from "../link/typed-surface.ts";
import type { ValueType } from "../link/value-type.ts";
import { familyOf } from "../instance/host-binding.ts";
import type { WasiFamily } from "../requirements.ts";
import type { WasiInterfaces } from "./interfaces.ts";
import { wasiImports } from "./imports.ts";
import { testContext } from "./context.fixture.ts";

const library = dirname(createRequire(import.meta.url).resolve("@bytecodealliance/jco"));
const builtin = join(library, "../lib/wit/builtin");

interface Release {
  readonly family: WasiFamily;
  readonly version: string;
  /** What a component exports; the host has all others. */
  readonly entries: readonly string[];
}

const releases: readonly Release[] = [
  { family: "0.2", version: "0.2.12", entries: ["wasi:cli/run", "wasi:http/incoming-handler"] },
  { family: "0.3", version: "0.3.0", entries: ["wasi:cli/run", "wasi:http/handler"] },
];

/** A component that imports all of WASI, and what it exports itself as well. */
async function wholeOfWasi({ version, entries }: Release): Promise<Uint8Array> {
  const packages = readdirSync(join(builtin, version)).map((name) => {
    const wit = readFileSync(join(builtin, version, name, "package.wit"), "utf8");
    return `${wit.replace(/^package ([^;]+);/m, "package $1 {")}}`;
  });
  const interfaces = packages.flatMap((wit) => {
    const [, name = ""] = /^package ([^@]+)@/m.exec(wit) ?? [];
    return [...wit.matchAll(/^interface ([\w-]+)/gm)].map(([, one = ""]) => `${name}/${one}`);
  });
  expect(interfaces).toEqual(expect.arrayContaining([...entries]));
  const imports = interfaces.map((name) => `import ${name}@${version};`).join("\n");
  const witSource = [`package shallop:host;\nworld host {\n${imports}\n}`, ...packages].join("\n");
  return componentNew(await componentEmbed({ witSource, world: "host", dummy: true, features: { tag: "all" } }));
}

/** The types of `surface` with numbers of their own, in the order in which they are met. */
function interfacesOf({ imports, types }: TypedSurface, names: readonly string[]): WasiInterfaces {
  const listed: ValueType[] = [];
  const resources: { readonly interface: string; readonly name: string }[] = [];
  const numbers = new Map<number, number>();
  const resourceNumbers = new Map<number, number>();
  const mapping: TypeMapping = {
    type: (index) => {
      const known = numbers.get(index);
      if (known !== undefined) return known;
      const number = listed.push(mapValueType(types.type(index), mapping)) - 1;
      numbers.set(index, number);
      return number;
    },
    resource: (number) => {
      const known = resourceNumbers.get(number);
      if (known !== undefined) return known;
      const resource = types.resource(number);
      if (resource === undefined) throw new Error("WASI has a resource of no interface");
      const named = { interface: familyOf(resource.interface), name: resource.name };
      resourceNumbers.set(number, resources.push(named) - 1);
      return resources.length - 1;
    },
  };
  const interfaces: Record<
    string,
    { functions: WasiInterfaces["interfaces"][string]["functions"]; resources: string[] }
  > = Object.fromEntries(names.map((name) => [familyOf(name), { functions: {}, resources: [] }]));
  for (const { interface: from, name, type } of imports) {
    const found = interfaces[familyOf(from)]!;
    if (type === undefined) found.resources.push(name);
    else found.functions = { ...found.functions, [name]: mapFunctionType(type, mapping) };
  }
  return { types: listed, resources, interfaces };
}

/** A line for each type and function. */
function textOf({ types, resources, interfaces }: WasiInterfaces): string {
  const lines = (items: readonly unknown[]): string => items.map((item) => JSON.stringify(item)).join(",\n");
  const listed = Object.entries(interfaces).map(([name, { functions, resources: own }]) => {
    const entries = Object.entries(functions).map(([key, type]) => `${JSON.stringify(key)}:${JSON.stringify(type)}`);
    return `${JSON.stringify(name)}:{"resources":${JSON.stringify(own)},"functions":{\n${entries.join(",\n")}}}`;
  });
  return `{"types":[\n${lines(types)}],\n"resources":[\n${lines(resources)}],\n"interfaces":{\n${listed.join(",\n")}}}\n`;
}

test.each(releases)(
  "the interfaces of $family are what the standard's WIT says (vitest -u writes the file)",
  async (release) => {
    const { family, version, entries } = release;
    const component = await wholeOfWasi(release);
    const interfaces = interfacesOf(planLinks(component).surface, readSurface(component).imports);
    const given = Object.keys(wasiImports(testContext())).filter(
      (name) => name.endsWith("@0.3") === (family === "0.3"),
    );
    const wanted = new Set([...given, ...entries.map((name) => familyOf(`${name}@${version}`))]);
    expect(new Set(Object.keys(interfaces.interfaces))).toEqual(wanted);
    const file = fileURLToPath(new URL(`interfaces-${family}.json`, import.meta.url));
    await expect(textOf(interfaces)).toMatchFileSnapshot(file);
  },
);
