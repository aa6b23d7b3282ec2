import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { $init, generate } from "@bytecodealliance/jco-transpile/component";
import { keptBuildCache } from "@shallop/sdk/internal/testing";
import { buildComponent } from "@shallop/sdk/build";
import { beforeAll, expect, test } from "vitest";
import { readSurface } from "../component-binary.ts";
import type { CoreReference, LinkPlan } from "./link-plan.ts";
import { planLinks } from "./plan-links.ts";

// A component as people build them, next to what jco makes of the same bytes.

const sample = fileURLToPath(new URL("../../../samples/hello/src/index.ts", import.meta.url));
let component: Uint8Array;
let plan: LinkPlan;
let modules: readonly Uint8Array[];

beforeAll(async () => {
  component = (await buildComponent(sample, "quickjs", keptBuildCache)).bytes;
  ({ plan, modules } = planLinks(component));
});

test("its core modules, imports and exports are those that jco finds", async () => {
  await $init;
  const generated = generate(component, {
    name: "component",
    instantiation: { tag: "async" },
    noTypescript: true,
    base64Cutoff: 0,
  });
  const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  const files = generated.files.filter(([name]) => name.endsWith(".wasm"));
  const planned = new Set(plan.steps.map(({ module }) => digestOf(modules[module]!)));
  for (const [, bytes] of files) {
    // jco makes modules of its own for calls between components.
    const exports = WebAssembly.Module.exports(new WebAssembly.Module(Uint8Array.from(bytes)));
    if (!exports.some(({ name }) => name.startsWith("adapter"))) expect(planned.delete(digestOf(bytes))).toBe(true);
  }
  expect(planned.size).toBe(0);

  // An interface of which only resources are used has no functions to give.
  const glue = new TextDecoder().decode(generated.files.find(([name]) => name === "component.js")?.[1]);
  const interfaces = [...glue.matchAll(/imports\['([^']+)'\]/g)].map(([, name]) => name);
  const surface = readSurface(component);
  expect(plan.hostFunctions.length).toBeGreaterThan(0);
  for (const { interface: name } of plan.hostFunctions) {
    expect(surface.imports).toContain(name);
    expect(interfaces).toContain(name.split("@")[0]);
  }
  const exported = new Set(generated.exports.map(([name]) => name));
  for (const { name } of plan.exports) expect(exported).toContain(name);
});

test("what its core modules import and export is what the plan says", async () => {
  const compiled = await Promise.all(modules.map((bytes) => WebAssembly.compile(Uint8Array.from(bytes))));
  const kindOf = (reference: CoreReference): string | undefined => {
    if (reference.kind === "builtin") return "function";
    const module = compiled[plan.steps[reference.instance]!.module]!;
    return WebAssembly.Module.exports(module).find(({ name }) => name === reference.name)?.kind;
  };
  for (const { module, imports } of plan.steps) {
    const planned = imports.map(({ module, name, reference }) => ({ module, name, kind: kindOf(reference) }));
    const wanted = WebAssembly.Module.imports(compiled[module]!);
    expect(planned).toEqual(wanted.map(({ module, name, kind }) => ({ module, name, kind })));
  }
  for (const { core } of plan.lifts) expect(kindOf(core)).toBe("function");
});

test("it serves wasi:http, whose streams are those of wasi:io", () => {
  const handler = plan.exports.find(({ name }) => name.startsWith("wasi:http/incoming-handler@"));
  expect(handler).toMatchObject({ kind: "instance", functions: [{ name: "handle", callee: { kind: "lift" } }] });
  const version = handler?.name.split("@")[1];
  const body = plan.hostFunctions.findIndex(
    ({ interface: name, name: method }) =>
      name === `wasi:http/types@${version}` && method === "[method]outgoing-body.write",
  );
  const lowered = plan.builtins.find(
    (builtin) => builtin.op === "lower" && builtin.callee.kind === "host" && builtin.callee.host === body,
  );
  const result = plan.types[(lowered?.op === "lower" ? lowered.type.result : undefined) ?? -1];
  const stream = plan.types[(result?.kind === "result" ? result.ok : undefined) ?? -1];
  expect(stream?.kind).toBe("own");
  expect(plan.resources[stream?.kind === "own" ? stream.resource : -1]).toEqual({
    kind: "host",
    interface: `wasi:io/streams@${version}`,
    name: "output-stream",
  });
});
