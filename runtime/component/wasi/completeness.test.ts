import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { testContext } from "./context.fixture.ts";
import { wasiImports } from "./imports.ts";
import { waitingImports } from "./waiting-imports.ts";

// The interfaces as the standard writes them: every function, method and resource of them must be here, under the name
// that JavaScript has for it.

interface Declared {
  readonly interfaceName: string;
  /** `[method]descriptor.read`, `[static]fields.from-list`, `[constructor]fields`, `poll`, or a resource alone. */
  readonly name: string;
}

/** What one `package.wit` declares. */
function declarations(wit: string): Declared[] {
  const found: Declared[] = [];
  const packageName = /^package (\S+)@/m.exec(wit)?.[1] ?? "";
  let interfaceName: string | undefined;
  let resource: string | undefined;
  for (const line of wit.split("\n")) {
    const [, opened] = /^interface (\S+) \{/.exec(line) ?? [];
    if (opened !== undefined) interfaceName = `${packageName}/${opened}`;
    if (line.startsWith("}")) interfaceName = undefined;
    if (interfaceName === undefined) continue;
    const [, resourceName, sign] = /^\s+resource ([\w-]+)\s*([{;])/.exec(line) ?? [];
    if (resourceName !== undefined) {
      found.push({ interfaceName, name: `[resource]${resourceName}` });
      resource = sign === "{" ? resourceName : undefined;
    }
    if (/^ {2,4}\}/.test(line) && !/^ {5}/.test(line)) resource = undefined;
    const [, name, isStatic] = /^\s+%?([\w-]+): (static )?(?:async )?func\(/.exec(line) ?? [];
    if (/^\s+constructor\(/.test(line)) found.push({ interfaceName, name: `[constructor]${resource}` });
    if (name === undefined) continue;
    if (resource === undefined) found.push({ interfaceName, name });
    else found.push({ interfaceName, name: `[${isStatic === undefined ? "method" : "static"}]${resource}.${name}` });
  }
  return found;
}

const library = dirname(createRequire(import.meta.url).resolve("@bytecodealliance/jco"));

/** All that a release declares, but for what a component exports: that is not ours to give. */
function released(version: string): readonly Declared[] {
  const builtin = join(library, "../lib/wit/builtin", version);
  return readdirSync(builtin)
    .flatMap((name) => declarations(readFileSync(join(builtin, name, "package.wit"), "utf8")))
    .filter(({ interfaceName }) => !exported.has(interfaceName));
}

const exported = new Set(["wasi:cli/run", "wasi:http/incoming-handler", "wasi:http/handler"]);

const camel = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
const pascal = (name: string): string => camel(`-${name}`);

function find(host: Record<string, unknown> | undefined, { name }: Declared): unknown {
  const [, kind, resource = "", method = ""] = /^\[(\w+)\]([\w-]+)(?:\.([\w-]+))?$/.exec(name) ?? [];
  if (kind === undefined) return host?.[camel(name)];
  const owner = host?.[pascal(resource)] as
    | (Record<string, unknown> & { prototype: Record<string, unknown> })
    | undefined;
  if (kind === "resource" || kind === "constructor") return owner;
  return kind === "static" ? owner?.[camel(method)] : owner?.prototype[camel(method)];
}

const releases = [
  { version: "0.2.12", suffix: "", atLeast: 200, typesOnly: [] },
  // Interfaces of types alone have nothing that could be missing.
  { version: "0.3.0", suffix: "@0.3", atLeast: 130, typesOnly: ["wasi:cli/types", "wasi:clocks/types"] },
];

describe.each(releases)("the host has every function of WASI $version", ({ version, suffix, atLeast, typesOnly }) => {
  const { context } = testContext();
  const imports = wasiImports({ context });
  const wanted = released(version);
  const names = [...new Set(wanted.map(({ interfaceName }) => interfaceName))];

  test("and the standard was read", () => {
    expect(wanted.length).toBeGreaterThan(atLeast);
    const provided = Object.keys(imports).filter((name) =>
      suffix === "" ? !name.includes("@") : name.endsWith(suffix),
    );
    expect(provided.sort()).toEqual([...names, ...typesOnly].map((name) => `${name}${suffix}`).sort());
  });

  test.each(names)("%s", (interfaceName) => {
    const host = imports[`${interfaceName}${suffix}`] as Record<string, unknown> | undefined;
    const missing = wanted
      .filter((one) => one.interfaceName === interfaceName && typeof find(host, one) !== "function")
      .map(({ name }) => name);
    expect(missing).toEqual([]);
  });
});

test("what may wait in WASI 0.2 is among its functions", () => {
  const names = new Set(released("0.2.12").map(({ interfaceName, name }) => `${interfaceName}#${name}`));
  expect(waitingImports.filter((name) => !names.has(name))).toEqual([]);
});
