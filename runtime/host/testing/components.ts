import { createHash } from "node:crypto";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentEmbed, componentNew, parse } from "@bytecodealliance/jco";
import { quickJsComponent, wasiPackages, wasiWit } from "../../component/testing/quickjs-component.ts";

const world = `package shallop:test;

world guest {
  include wasi:http/proxy@0.2.3;
  import wasi:cli/environment@0.2.3;
}
`;

/**
 * The test guest as a component; made once on this machine and kept in the temporary directory.
 */
export async function guestComponent(): Promise<{ readonly path: string; readonly digest: string }> {
  const source = await readFile(fileURLToPath(new URL("guest.js", import.meta.url)), "utf8");
  const key = createHash("sha256").update(source).update(world).digest("hex").slice(0, 16);
  const path = join(tmpdir(), "shallop-test-components", `${key}.wasm`);
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (!isThere) await build(source, path);
  const digest = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  return { path, digest: `sha256:${digest}` };
}

async function build(source: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.${process.pid}`, await quickJsComponent({ wit: world, world: "guest", source }));
  await rename(`${path}.${process.pid}`, path);
}

/** A component that is nothing but one import; the least that imports something unknown. */
export function componentImporting(name: string): Uint8Array {
  const text = new TextEncoder().encode(name);
  // An instance type without declarations, and the import of an instance of that type (component-model Binary.md).
  const types = [0x07, 0x03, 0x01, 0x42, 0x00];
  const imported = [0x01, 0x00, text.length, ...text, 0x05, 0x00];
  return Uint8Array.from([
    0x00,
    0x61,
    0x73,
    0x6d,
    0x0d,
    0x00,
    0x01,
    0x00,
    ...types,
    0x0a,
    imported.length,
    ...imported,
  ]);
}

/** The smallest core module. */
export const coreModule = Uint8Array.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);

const handlerWit = `package shallop:test;

world guest {
  export wasi:http/incoming-handler@0.2.3;
}

package wasi:http@0.2.3 {
  interface types {
    resource incoming-request;
    resource response-outparam;
  }
  interface incoming-handler {
    use types.{incoming-request, response-outparam};
    handle: func(request: incoming-request, response-out: response-outparam);
  }
}
`;

// Each turn of the loop is one instruction that runs for a tenth of a second; V8 looks for interrupts between turns, and
// baseline code only after many of them.
const unstoppableText = `(module
  (memory (export "memory") 16384)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "wasi:http/incoming-handler@0.2.3#handle") (param i32 i32)
    (loop $again
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x3fff0000))
      (br $again))))`;

/** A component that no interrupt ends in time. Needs 1 GiB of memory. */
export function unstoppableComponent(): Promise<Uint8Array> {
  return handlerComponent(unstoppableText);
}

const spinningStartText = `(module
  (memory (export "memory") 1)
  (func $start (loop $again (br $again)))
  (start $start)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "wasi:http/incoming-handler@0.2.3#handle") (param i32 i32)))`;

/** A component that never comes to its end while it is instantiated. */
export function spinningStartComponent(): Promise<Uint8Array> {
  return handlerComponent(spinningStartText);
}

/** A component that begins with so much memory, and so does not come up in a pod with less. */
export function hungryComponent(bytes: number): Promise<Uint8Array> {
  return handlerComponent(
    trappingText.replace('(memory (export "memory") 1)', `(memory (export "memory") ${bytes >> 16})`),
  );
}

const trappingText = `(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "wasi:http/incoming-handler@0.2.3#handle") (param i32 i32) unreachable))`;

/** A component that handles each request with the `unreachable` instruction. */
export function trappingComponent(): Promise<Uint8Array> {
  return handlerComponent(trappingText);
}

/** A component that traps while it is instantiated. */
export function trappingStartComponent(): Promise<Uint8Array> {
  return handlerComponent(trappingText.replace("(module", "(module\n  (func $start unreachable)\n  (start $start)"));
}

/** A component that would handle requests, if somebody gave it `name`, an interface that nobody has. */
export function componentThatImports(name: string): Promise<Uint8Array> {
  const [pkg = "", rest = ""] = name.split("/");
  const [interfaceName = "", version = ""] = rest.split("@");
  const wit = handlerWit
    .replace("world guest {", `world guest {\n  import ${name};`)
    .concat(`\npackage ${pkg}@${version} {\n  interface ${interfaceName} {\n    answer: func() -> u32;\n  }\n}\n`);
  const text = trappingText.replace("(module", `(module\n  (import "${name}" "answer" (func (result i32)))`);
  return handlerComponent(text, wit);
}

/** A component of this core module, which may use all of WASI 0.2.3 and handles requests. */
export async function wasiComponent(text: string): Promise<Uint8Array> {
  const nested = await Promise.all(
    wasiPackages.map(async (name) => {
      const [, head = "", body = ""] = /^\s*package ([^;]+);([^]*)$/.exec(await wasiWit(name)) ?? [];
      return `package ${head} {${body}}`;
    }),
  );
  const more = ["wasi:random/insecure-seed@0.2.3", "wasi:filesystem/preopens@0.2.3"];
  const own = world.replace("world guest {", `world guest {${more.map((name) => `\n  import ${name};`).join("")}`);
  return handlerComponent(text, `${own}\n${nested.join("\n")}`);
}

/** A component of this core module, in the world that `witSource` says. */
export async function handlerComponent(text: string, witSource = handlerWit): Promise<Uint8Array> {
  return componentNew(await componentEmbed({ binary: await parse(text), witSource }), []);
}
