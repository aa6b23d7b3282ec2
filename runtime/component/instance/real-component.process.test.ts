import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { keptBuildCache } from "@shallop/sdk/internal/testing";
import { BuildFault, buildComponent, buildProject, type EngineName, readProject } from "@shallop/sdk/build";
import { ContentStore } from "@shallop/sdk/image";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask, bothEngines, type Question } from "../testing/engines.ts";
import { testContext } from "../wasi/context.fixture.ts";

// Components as people build them, under both engines: what one answers the other answers.

const sample = (name: string): string => fileURLToPath(new URL(`../../../samples/${name}`, import.meta.url));

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-engines-test-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const long = "a".repeat(20_000);
const questions: readonly Question[] = [
  { target: "/" },
  { target: "/?name=Ada" },
  { target: "/?name=gr%C3%B6%C3%9Fer%20%F0%9F%A6%80" },
  { target: `/?name=${long}` },
  { method: "HEAD", target: "/" },
  { method: "POST", target: "/x/y?name=%00", headers: ["content-type", "text/plain"], body: ["one", "two"] },
  { method: "POST", target: "/echo", headers: ["content-type", "a/b"], body: [long, "größer", ""] },
  { method: "PATCH", target: "/about?a=1&b=%20", headers: ["x-greeting", "hé"] },
  { method: "PROPFIND", target: "/?name", headers: ["x-a", "1", "x-a", "2"] },
  { target: "/api/none/at%2Fall" },
  { target: "*" },
];

const fromJavaScript = (name: string, engine: EngineName) => async (): Promise<Uint8Array> =>
  (await buildComponent(sample(`${name}/src/index.ts`), engine, keptBuildCache)).bytes;

/** The wasm variant of a sample in a language that a compiler of this machine makes. */
const compiled = (name: string) => async (): Promise<Uint8Array> => {
  const project = await readProject(sample(name));
  const store = await ContentStore.open(join(directory, "store"));
  const options = { cacheDirectory: keptBuildCache, environment: process.env };
  const { wasm } = await buildProject({ ...project, native: [] }, store, options);
  if (wasm === undefined) throw new Error(`samples/${name} has no wasm variant`);
  return wasm.bytes;
};

const components: readonly { readonly name: string; readonly build: () => Promise<Uint8Array> }[] = [
  { name: "hello on QuickJS", build: fromJavaScript("hello", "quickjs") },
  { name: "hello on StarlingMonkey", build: fromJavaScript("hello", "starlingmonkey") },
  { name: "hono on QuickJS", build: fromJavaScript("hono", "quickjs") },
  { name: "c", build: compiled("c") },
  { name: "c-routes", build: compiled("c-routes") },
];

test.each(components)("$name", { timeout: 120_000 }, async ({ build }) => {
  const bytes = await build().catch(noTool);
  // Said in full by the tests of the languages.
  if (bytes === undefined) return;
  const engines = await bothEngines(bytes);
  const { settings } = testContext().context;
  for (const question of questions) {
    const theirs = await ask(engines.jco, settings, question);
    expect(theirs.status).toBeGreaterThan(0);
    // The first instance of a component is not used again; later ones are put back as they were.
    for (let round = 0; round < 3; round++) expect(await ask(engines.linked, settings, question)).toEqual(theirs);
  }
});

/** Where a compiler is missing there is nothing to compare. */
function noTool(error: unknown): undefined {
  if (error instanceof BuildFault && error.code === "TOOL_MISSING") return undefined;
  throw error;
}
