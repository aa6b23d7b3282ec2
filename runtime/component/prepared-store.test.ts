import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock, systemRandom } from "@shallop/sdk/internal";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ComponentPlan, planFile, planFormat } from "./component-plan.ts";
import { layOut } from "./prepared-files.ts";
import { PreparedStore } from "./prepared-store.ts";

const hex = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A plan as `prepare` makes it, of a component with this name and these modules. */
function prepared(name: string, modules: readonly string[]): [ComponentPlan, Map<string, Uint8Array>] {
  const contents = new Map([["links.json", Buffer.from(`{"of":"${name}"}`)]]);
  modules.forEach((text, index) => contents.set(`module${index}.wasm`, Buffer.from(text)));
  const listed = [...contents].map(([file, bytes]) => ({
    name: file,
    bytes: bytes.length,
    sha256: hex(bytes.toString()),
  }));
  const plan: ComponentPlan = {
    ...{ format: planFormat, engine: "v8", form: "linked", componentDigest: `sha256:${hex(name)}`, componentBytes: 1 },
    ...{ wasiVersion: "0.2", purpose: "serve", entry: "run", imports: [], exports: [] },
    modules: listed.slice(1),
    files: listed.slice(0, 1),
  };
  return [plan, contents];
}

let directory: string;
let aheadMs: number;
// Blobs have the times of the file system.
const clock: Clock = { ...systemClock, wallMs: () => systemClock.wallMs() + aheadMs };
let store: PreparedStore;

const open = (bytesMax: number): Promise<PreparedStore> =>
  PreparedStore.open({ directory, bytesMax, clock, random: systemRandom });

const blobs = (): Promise<readonly string[]> => readdir(join(directory, "blobs", "sha256"));

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-prepared-"));
  aheadMs = 0;
  store = await open(2 ** 20);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("the plan and each of its files is a blob by its digest, and equal ones are there once", async () => {
  const [one, contents] = prepared("one", ["shared", "own"]);
  const kept = await store.keep(one, contents);
  expect(kept.pathOf("module0.wasm")).toBe(join(directory, "blobs", "sha256", hex("shared")));
  expect(await readFile(kept.pathOf("module1.wasm"), "utf8")).toBe("own");
  await store.keep(...prepared("two", ["shared"]));
  // Two plans, two links, and two modules.
  expect(await blobs()).toHaveLength(6);
  const found = await (await open(2 ** 20)).find(one);
  expect(found?.plan).toEqual(one);
  expect(found?.pathOf(planFile)).toBe(kept.pathOf(planFile));
});

test("what was prepared to serve is not what was prepared to run", async () => {
  const [plan, contents] = prepared("one", ["m"]);
  await store.keep(plan, contents);
  expect(await store.find({ ...plan, purpose: "run" })).toBeUndefined();
});

test("its files are laid out under their names, for others to read and for nobody to write", async () => {
  const { pathOf } = await store.keep(...prepared("one", ["m"]));
  const place = join(directory, "offered");
  layOut(pathOf, place);
  expect(new Set(await readdir(place))).toEqual(new Set(["links.json", "module0.wasm", planFile]));
  const { ino, mode } = await stat(join(place, "module0.wasm"));
  expect(mode & 0o777).toBe(0o444);
  expect((await stat(pathOf("module0.wasm"))).ino).toBe(ino);
});

test("a blob that a loss of power has cut short is written again, though no record names it", async () => {
  const [plan, contents] = prepared("one", ["module"]);
  const { pathOf } = await store.keep(plan, contents);
  const record = join(directory, "prepared", `serve-${plan.componentDigest.replace(":", "-")}.json`);
  await rm(record);
  await truncate(pathOf("module0.wasm"), 0);
  await store.keep(plan, contents);
  expect(await readFile(pathOf("module0.wasm"), "utf8")).toBe("module");
});

describe("an entry that is not whole is none, and is stored again", () => {
  test.each([
    { what: "a module is cut short", spoil: (path: string) => truncate(path, 0), file: "module0.wasm" },
    {
      what: "a file is a little different",
      spoil: (path: string) => writeFile(path, '{"of":"two"}'),
      file: "links.json",
    },
    { what: "a file is gone", spoil: (path: string) => rm(path), file: "links.json" },
    { what: "the plan is another text", spoil: (path: string) => writeFile(path, "{}"), file: planFile },
    {
      what: "a directory is in the place of the plan",
      spoil: (path: string) => rm(path).then(() => mkdir(path)),
      file: planFile,
    },
  ])("$what", async ({ spoil, file }) => {
    const [plan, contents] = prepared("one", ["module"]);
    const { pathOf } = await store.keep(plan, contents);
    await rm(join(directory, "spoilt"), { force: true });
    await spoil(pathOf(file));
    expect(await store.find(plan)).toBeUndefined();
    await store.keep(plan, contents);
    expect((await store.find(plan))?.plan).toEqual(plan);
  });

  test("the record is none", async () => {
    const [plan, contents] = prepared("one", ["module"]);
    await store.keep(plan, contents);
    const [record] = await readdir(join(directory, "prepared"));
    await writeFile(join(directory, "prepared", record!), '{"plan":"../../etc/passwd","bytes":1}');
    expect(await store.find(plan)).toBeUndefined();
    await store.keep(plan, contents);
    expect((await store.find(plan))?.plan).toEqual(plan);
  });
});

test("goes with its component, but not while somebody may be about to start it", async () => {
  const [one, contents] = prepared("one", ["shared", "one's"]);
  await store.keep(one, contents);
  await store.find(one);
  const [two, others] = prepared("two", ["shared"]);
  await store.keep(two, others);
  await store.find(two);
  const keepSinceMs = clock.wallMs() - 1000;
  expect(await store.collect(new Set([two.componentDigest]), keepSinceMs)).toHaveLength(7);
  aheadMs += 2000;
  await store.find(two);
  const needed = await store.collect(new Set([two.componentDigest]), clock.wallMs() - 1000);
  expect(new Set(needed)).toEqual(
    new Set([`sha256:${hex("shared")}`, `sha256:${two.files[0]?.sha256}`, expect.stringMatching(/^sha256:/)]),
  );
  expect(await store.find(one)).toBeUndefined();
  expect(await store.find(two)).toBeDefined();
});

test("beyond the bound those that were not used for longest go, used or not", async () => {
  store = await open(100);
  const entries = ["a", "b", "c"].map((name) => prepared(name, [name.repeat(30)]));
  for (const [plan, contents] of entries) {
    await store.keep(plan, contents);
    await store.find(plan);
    aheadMs += 1000;
  }
  await store.find(entries[0]![0]);
  await store.trim(clock.wallMs() + 1);
  const found = await Promise.all(entries.map(([plan]) => store.find(plan)));
  expect(found.map((entry) => entry !== undefined)).toEqual([true, false, true]);
  // Two plans with a module and links each; nothing of the third is left.
  expect(await blobs()).toHaveLength(6);
});
