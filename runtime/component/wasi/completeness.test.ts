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
    const [, name, isStatic] = /^\s+%?([\w-]+): (static )?func\(/.exec(line) ?? [];
    if (/^\s+constructor\(/.test(line)) found.push({ interfaceName, name: `[constructor]${resource}` });
    if (name === undefined) continue;
    if (resource === undefined) found.push({ interfaceName, name });
    else found.push({ interfaceName, name: `[${isStatic === undefined ? "method" : "static"}]${resource}.${name}` });
  }
  return found;
}

const library = dirname(createRequire(import.meta.url).resolve("@bytecodealliance/jco"));
const builtin = join(library, "../lib/wit/builtin/0.2.12");
const declared = readdirSync(builtin).flatMap((name) =>
  declarations(readFileSync(join(builtin, name, "package.wit"), "utf8")),
);
// What a component exports is not ours to give.
const exported = new Set(["wasi:cli/run", "wasi:http/incoming-handler"]);

const camel = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
const pascal = (name: string): string => camel(`-${name}`);

function find(imports: Record<string, unknown>, { interfaceName, name }: Declared): unknown {
  const host = imports[interfaceName] as Record<string, unknown> | undefined;
  const [, kind, resource = "", method = ""] = /^\[(\w+)\]([\w-]+)(?:\.([\w-]+))?$/.exec(name) ?? [];
  if (kind === undefined) return host?.[camel(name)];
  const owner = host?.[pascal(resource)] as
    | (Record<string, unknown> & { prototype: Record<string, unknown> })
    | undefined;
  if (kind === "resource" || kind === "constructor") return owner;
  return kind === "static" ? owner?.[camel(method)] : owner?.prototype[camel(method)];
}

describe("the host has every function of WASI 0.2.12", () => {
  const { context } = testContext();
  const imports = wasiImports(context);
  const wanted = declared.filter(({ interfaceName }) => !exported.has(interfaceName));

  test("and the standard was read", () => {
    expect(wanted.length).toBeGreaterThan(200);
    expect(new Set(wanted.map(({ interfaceName }) => interfaceName))).toEqual(new Set(Object.keys(imports)));
  });

  test.each([...new Set(wanted.map(({ interfaceName }) => interfaceName))])("%s", (interfaceName) => {
    const missing = wanted
      .filter((one) => one.interfaceName === interfaceName && typeof find(imports, one) !== "function")
      .map(({ name }) => name);
    expect(missing).toEqual([]);
  });

  test("and what may wait is among them", () => {
    const names = new Set(wanted.map(({ interfaceName, name }) => `${interfaceName}#${name}`));
    expect(waitingImports.filter((name) => !names.has(name))).toEqual([]);
  });
});
