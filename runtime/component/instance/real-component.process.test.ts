import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildComponent } from "@shallop/sdk/build";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LoadedComponent } from "../engine.ts";
import { ask, bothEngines, type Question } from "../testing/engines.ts";
import { testContext } from "../wasi/context.fixture.ts";

// A component as people build them, under both engines.

const sample = fileURLToPath(new URL("../../../samples/hello/src/index.ts", import.meta.url));
let cacheDirectory: string;
let engines: { readonly jco: LoadedComponent; readonly linked: LoadedComponent };

beforeAll(async () => {
  cacheDirectory = await mkdtemp(join(tmpdir(), "shallop-engines-test-"));
  engines = await bothEngines((await buildComponent(sample, "quickjs", cacheDirectory)).bytes);
});
afterAll(() => rm(cacheDirectory, { recursive: true, force: true }));

const questions: readonly Question[] = [
  { target: "/" },
  { target: "/?name=Ada" },
  { target: "/?name=gr%C3%B6%C3%9Fer%20%F0%9F%A6%80" },
  { target: `/?name=${"a".repeat(20_000)}` },
  { method: "HEAD", target: "/" },
  { method: "POST", target: "/x/y?name=%00", headers: ["content-type", "text/plain"], body: ["one", "two"] },
  { method: "PROPFIND", target: "/?name", headers: ["x-a", "1", "x-a", "2"] },
  { target: "*" },
];

test.each(questions)("hello: $method $target", async (question) => {
  const { settings } = testContext().context;
  const theirs = await ask(engines.jco, settings, question);
  // The first instance of a component is not used again; later ones are put back as they were.
  for (let round = 0; round < 4; round++) expect(await ask(engines.linked, settings, question)).toEqual(theirs);
  expect(theirs.status).toBeGreaterThan(0);
});
