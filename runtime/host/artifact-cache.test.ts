import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type ComponentPlan, planFile, planFormat, planText, sha256 } from "../component/component-plan.ts";
import { inDirectory, type PathOf } from "../component/prepared-files.ts";
import { ArtifactCache } from "./artifact-cache.ts";

const caps = { memoryBytes: 1 << 20, tableEntriesMax: 100 };

/** An empty core module; another `note` makes it another one. */
const moduleOf = (note: number): Uint8Array => Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 2, 1, note]);

test("components in which the same engine is share what is compiled of it, and nothing else", async () => {
  const directory = await mkdtemp(join(tmpdir(), "shallop-artifacts-"));
  try {
    const cache = new ArtifactCache();
    const [one, other] = [await prepared(join(directory, "a"), [1, 2]), await prepared(join(directory, "b"), [3, 2])];
    const a = cache.modules("a", one, caps);
    const b = cache.modules("b", other, caps);
    expect(b.get("module1.wasm")).toBe(a.get("module1.wasm"));
    expect(b.get("module0.wasm")).not.toBe(a.get("module0.wasm"));
    expect(cache.modules("a", one, caps)).toBe(a);
    const smaller = cache.modules("b", other, { ...caps, memoryBytes: 1 << 17 });
    expect(smaller.get("module1.wasm")).not.toBe(a.get("module1.wasm"));
  } finally {
    await rm(directory, { recursive: true });
  }
});

/** A prepared component of modules with these notes. */
async function prepared(directory: string, notes: readonly number[]): Promise<PathOf> {
  await mkdir(directory);
  const pathOf = inDirectory(directory);
  const modules = notes.map((note, index) => ({ name: `module${index}.wasm`, bytes: moduleOf(note) }));
  for (const { name, bytes } of modules) await writeFile(pathOf(name), bytes);
  const plan: ComponentPlan = {
    ...{ format: planFormat, engine: "", form: "linked", componentDigest: "", componentBytes: 0, files: [] },
    ...{ wasiVersion: "0.2.0", purpose: "serve", entry: "", imports: [], exports: [] },
    modules: modules.map(({ name, bytes }) => ({ name, bytes: bytes.length, sha256: sha256(bytes) })),
  };
  await writeFile(pathOf(planFile), planText(plan));
  return pathOf;
}
