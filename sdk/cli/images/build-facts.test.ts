import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { digestOf } from "../../image/index.ts";
import { createContext } from "../context.ts";
import { gatherFacts, rememberedFacts, rememberFacts, withImagePackages } from "./build-facts.ts";

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "shallop-facts-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test("what is known of a build: all lock files that there are, and no bill where one leaves something open", async () => {
  const directory = await scratch();
  const gather = () => gatherFacts(createContext({}), directory);
  expect(await gather()).toMatchObject({ created: "1970-01-01T00:00:00Z", locks: [] });
  expect(await gather()).not.toHaveProperty("packages");
  await writeFile(join(directory, "go.mod"), "module a\nrequire example.org/b v1.2.3\n");
  expect(await gather()).toMatchObject({
    locks: [{ name: "go.mod" }],
    packages: [{ purl: "pkg:golang/example.org/b@v1.2.3" }],
  });
  await writeFile(join(directory, "requirements.txt"), "flask\n");
  expect((await gather()).locks.map(({ name }) => name)).toEqual(["go.mod", "requirements.txt"]);
  expect(await gather()).not.toHaveProperty("packages");
});

test("what package managers say is in built variants joins what lock files say, unless one of those leaves something open", () => {
  const facts = { source: "a", created: "1970-01-01T00:00:00Z", format: "spdx", locks: [] } as const;
  const [own, base] = ["pkg:npm/hono@4", "pkg:deb/debian/libc6@2"].map((purl) => ({ name: "x", version: "1", purl }));
  if (own === undefined || base === undefined) throw new Error("two packages");
  const variants = [{ packages: [base] }, { packages: [base] }, {}];
  expect(withImagePackages(facts, variants).packages).toEqual([base]);
  expect(withImagePackages({ ...facts, packages: [own] }, variants).packages).toEqual([base, own]);
  expect(withImagePackages({ ...facts, packages: [own] }, [{}]).packages).toEqual([own]);
  const open = { ...facts, locks: [{ name: "requirements.txt", sha256: "" }] };
  expect(withImagePackages(open, variants)).not.toHaveProperty("packages");
});

test("they are kept for a later push, for as long as the image is there", async () => {
  const directory = await scratch();
  const [first, second] = [digestOf("first"), digestOf("second")];
  const there = new Set([first]);
  const images = { directory, store: { has: (digest: typeof first) => Promise.resolve(there.has(digest)) } };
  const facts = { source: "a", created: "1970-01-01T00:00:00Z", locks: [], format: "spdx" } as const;
  expect(await rememberedFacts(images, first)).toBeUndefined();
  await rememberFacts(images, first, facts);
  expect(await rememberedFacts(images, first)).toEqual(facts);
  there.delete(first);
  there.add(second);
  await rememberFacts(images, second, facts);
  expect(await rememberedFacts(images, first)).toBeUndefined();
  expect(await rememberedFacts(images, second)).toEqual(facts);
});
