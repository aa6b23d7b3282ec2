import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@shallop/sdk/internal";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { guestComponent } from "../host/testing/components.ts";
import type { PreparedLinks } from "./engine.ts";
import { type PrepareLimits, prepare, prepareLimits, type PrepareRequest } from "./prepare.ts";

const never = new AbortController().signal;

describe("prepare", () => {
  let directory: string;
  let request: PrepareRequest;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "shallop-prepare-"));
    const { path, digest } = await guestComponent();
    request = { componentPath: path, componentDigest: digest, outDir: join(directory, "cache", "one") };
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const run = (limits: Partial<PrepareLimits> = {}, signal = never): Promise<unknown> =>
    prepare(request, { ...prepareLimits, ...limits }, systemClock, signal);

  test("leaves modules, links and a plan, and nothing beside them", async () => {
    const plan = await prepare(request, prepareLimits, systemClock, never);
    expect(plan.entry).toBe("wasi:http/incoming-handler@0.2.3");
    expect(plan.imports).toContain("wasi:http/types@0.2.3");
    expect(await readdir(join(directory, "cache"))).toEqual(["one"]);
    const files = await readdir(request.outDir);
    expect(new Set(files)).toEqual(new Set(["plan.json", "links.json", ...plan.modules.map(({ name }) => name)]));
    const links = JSON.parse(await readFile(join(request.outDir, "links.json"), "utf8")) as PreparedLinks;
    expect(links.states).toHaveLength(plan.modules.length);
    expect(links.plan.steps.length).toBeGreaterThanOrEqual(plan.modules.length);
  });

  test("uses what is there, and makes a broken entry again", async () => {
    await run();
    const marker = join(request.outDir, "marker");
    await writeFile(marker, "");
    await run();
    expect(await readdir(request.outDir)).toContain("marker");
    await truncate(join(request.outDir, "links.json"), 100);
    await run();
    expect(await readdir(request.outDir)).not.toContain("marker");
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
    { what: "needs too much heap", limits: { heapBytesMax: 8 * 1024 * 1024 }, message: "cannot be prepared" },
    { what: "is too large", limits: { componentBytesMax: 1000 }, message: "1000 is the most" },
  ])("a component that $what is IMAGE_INVALID, and nothing is left", async ({ limits, message }) => {
    await expect(run(limits)).rejects.toMatchObject({
      code: "IMAGE_INVALID",
      message: expect.stringContaining(message),
    });
    expect(await readdir(directory)).toEqual([]);
  });

  test("can be cancelled", async () => {
    const controller = new AbortController();
    const running = run({}, controller.signal);
    await systemClock.sleep(50);
    controller.abort(new Error("not wanted any more"));
    await expect(running).rejects.toThrow("not wanted any more");
  });
});
