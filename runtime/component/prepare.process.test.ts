import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "@bytecodealliance/jco";
import { silentLog, systemClock, systemRandom } from "@shallop/sdk/internal";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fillCompileCache } from "../host/compile-cache.ts";
import { guestComponent } from "../host/testing/components.ts";
import { Cells } from "../sandbox/cell/cells.ts";
import type { PreparedLinks } from "./engine.ts";
import { Jails } from "./jails.ts";
import { type PrepareLimits, prepare, prepareLimits, type PrepareRequest } from "./prepare.ts";
import { PreparedStore } from "./prepared-store.ts";

const never = new AbortController().signal;

const cells = Cells.open({ directory: await mkdtemp(join(tmpdir(), "shallop-prepare-cells-")) });

describe("prepare", () => {
  let directory: string;
  let request: PrepareRequest;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "shallop-prepare-"));
    const { path, digest } = await guestComponent();
    const settings = { directory, bytesMax: 2 ** 30, clock: systemClock, random: systemRandom };
    request = {
      componentPath: path,
      componentDigest: digest,
      store: await PreparedStore.open(settings),
      jails: new Jails({ directory, cells: () => cells }),
    };
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const run = (limits: Partial<PrepareLimits> = {}, signal = never): Promise<unknown> =>
    prepare(request, { ...prepareLimits, ...limits }, systemClock, signal);

  test("leaves modules, links and a plan, and nothing beside them", async () => {
    const { plan, pathOf } = await prepare(request, prepareLimits, systemClock, never);
    expect(plan.entry).toBe("wasi:http/incoming-handler@0.2.3");
    expect(plan.imports).toContain("wasi:http/types@0.2.3");
    const names = [...plan.files, ...plan.modules].map(({ name }) => name);
    expect(new Set(names)).toEqual(new Set(["links.json", ...plan.modules.map(({ name }) => name)]));
    const links = JSON.parse(await readFile(pathOf("links.json"), "utf8")) as PreparedLinks;
    expect(links.states).toHaveLength(plan.modules.length);
    expect(links.plan.steps.length).toBeGreaterThanOrEqual(plan.modules.length);
  });

  test("a jail that is shown what Node keeps compiled leaves it as it is", async () => {
    const compileCache = join(directory, "compiled");
    await mkdir(compileCache);
    await fillCompileCache(compileCache, silentLog);
    const kept = (await readdir(compileCache)).find((name) => name.startsWith("v"));
    const files = (): Promise<readonly string[]> => readdir(join(compileCache, kept ?? "none"));
    const before = (await files()).toSorted();
    const jails = new Jails({ directory, cells: () => cells, compileCache });
    await prepare({ ...request, jails }, prepareLimits, systemClock, never);
    expect((await files()).toSorted()).toEqual(before);
  });

  test("uses what is there, and makes a broken entry again", async () => {
    const { plan, pathOf } = await prepare(request, prepareLimits, systemClock, never);
    const links = pathOf("links.json");
    const whole = await readFile(links, "utf8");
    // Nothing is prepared while the component cannot be read.
    const unreadable = { ...request, componentPath: join(directory, "nowhere.wasm") };
    expect((await prepare(unreadable, prepareLimits, systemClock, never)).plan).toEqual(plan);
    // A plan that would wire one thing more.
    await rm(links);
    await writeFile(links, whole.replace('"instance":0', '"instance":1'));
    await expect(prepare(unreadable, prepareLimits, systemClock, never)).rejects.toThrow("ENOENT");
    expect((await prepare(request, prepareLimits, systemClock, never)).plan).toEqual(plan);
    expect(await readFile(links, "utf8")).toBe(whole);
  });

  test("is not fooled by another component's entry", async () => {
    await run();
    const other = `sha256:${createHash("sha256").update("other").digest("hex")}`;
    await writeFile(join(directory, "other.wasm"), "no component");
    const otherRequest = { ...request, componentDigest: other, componentPath: join(directory, "other.wasm") };
    await expect(prepare(otherRequest, prepareLimits, systemClock, never)).rejects.toMatchObject({
      code: "IMAGE_INVALID",
    });
  });

  test.each([
    { what: "takes too long", limits: { timeoutMs: 20 }, message: "longer than 20 ms" },
    { what: "takes too much memory", limits: { residentBytesMax: 1024 * 1024 }, message: "bytes of memory" },
    { what: "becomes too much", limits: { filesBytesMax: 1000 }, message: "wrote more than 1000 bytes" },
    { what: "is too large", limits: { componentBytesMax: 1000 }, message: "1000 is the most" },
  ])("a component that $what is IMAGE_INVALID, and nothing is left", async ({ limits, message }) => {
    await expect(run(limits)).rejects.toMatchObject({
      code: "IMAGE_INVALID",
      message: expect.stringContaining(message),
    });
    expect(await readdir(join(directory, "prepared"))).toEqual([]);
  });

  test("a component that needs too much heap is IMAGE_INVALID", async () => {
    const jails = new Jails({ directory, cells: () => cells, heapBytesMax: 8 * 1024 * 1024 });
    await expect(prepare({ ...request, jails }, prepareLimits, systemClock, never)).rejects.toMatchObject({
      code: "IMAGE_INVALID",
      message: expect.stringContaining("cannot be prepared"),
    });
  });

  test("a jail that waits is used, and one that has died meanwhile is not", async () => {
    const jails = new Jails({ directory, cells: () => cells });
    jails.keepReady();
    const jail = await jails.take();
    expect(jail.isWaiting).toBe(true);
    jails.keepReady();
    const other = await jails.take();
    expect(other).not.toBe(jail);
    for (const each of [jail, other]) each.end();
    await expect.poll(() => [jail, other].map(({ isWaiting }) => isWaiting)).toEqual([false, false]);
    jails.keepReady();
    await run();
    jails.close();
  });

  test("names all that the component lacks here, interfaces and what is in them", async () => {
    const text = `(component
      (import "acme:db/query@1.0.0" (instance))
      (import "wasi:nn/graph@0.2.0" (instance (export "load" (func))))
      (import "wasi:random/random@0.2.0" (instance (export "get-dice" (func)) (export "get-random-u64" (func (result u32))))))`;
    await writeFile(join(directory, "lacking.wasm"), await parse(text));
    const lacking = { ...request, componentPath: join(directory, "lacking.wasm") };
    const random = "wasi:random/random@0.2.0";
    const imports = [
      ...["acme:db/query@1.0.0", "wasi:nn/graph@0.2.0"],
      ...[`${random}#get-dice (no such function)`, `${random}#get-random-u64 (of another type)`],
    ];
    await expect(prepare(lacking, prepareLimits, systemClock, never)).rejects.toMatchObject({
      code: "IMPORTS_UNMET",
      message: expect.stringContaining(imports.join(", ")),
      imports,
    });
  });

  test("an invalid component is refused with the byte and the reason", async () => {
    const text = `(component (core module $m (func (export "run") (result i64) (i64.const 0)))
      (core instance $i (instantiate $m))
      (func $run (result (result)) (canon lift (core func $i "run"))) (instance $r (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $r)))`;
    await writeFile(join(directory, "invalid.wasm"), await parse(text));
    const invalid = { ...request, componentPath: join(directory, "invalid.wasm"), purpose: "run" as const };
    await expect(prepare(invalid, prepareLimits, systemClock, never)).rejects.toMatchObject({
      code: "IMAGE_INVALID",
      message: expect.stringMatching(/is invalid: .*result types.*I64.*at byte 0x[0-9a-f]+$/),
    });
  });

  test("can be cancelled", async () => {
    const controller = new AbortController();
    const running = run({}, controller.signal);
    await systemClock.sleep(50);
    controller.abort(new Error("not wanted any more"));
    await expect(running).rejects.toThrow("not wanted any more");
  });
});
