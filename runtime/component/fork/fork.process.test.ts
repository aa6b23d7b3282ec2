import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { guestV8Flags } from "@shallop/sdk/internal";
import { describe, expect, test } from "vitest";
import { pageCalls } from "./page-calls.ts";

const run = promisify(execFile);
const url = (file: string): string => JSON.stringify(fileURLToPath(new URL(file, import.meta.url)));

/** Runs a program in a process of its own, whose mappings and descriptors nobody else changes; it prints JSON. */
async function program(code: string, flags: readonly string[] = []): Promise<unknown> {
  const prelude = `
    import { readdirSync, readFileSync, readlinkSync } from "node:fs";
    import { Worker } from "node:worker_threads";
    import { setImmediate as turn } from "node:timers/promises";
    import { createImageSource } from ${url("image-source.ts")};
    import { captureMemory, mapMemory } from ${url("memory-image.ts")};
    import { pageCalls } from ${url("page-calls.ts")};
    const maps = () => readFileSync("/proc/self/maps", "utf8").split("\\n").filter((line) => line.includes("memfd:shallop-image")).length;
    const target = (fd) => { try { return readlinkSync("/proc/self/fd/" + fd); } catch { return ""; } };
    const descriptors = () => readdirSync("/proc/self/fd").filter((fd) => /shallop-image|pagemap/.test(target(fd))).length;
    const filled = (pages) => {
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages + 2 });
      new Uint8Array(memory.buffer).fill(7);
      return memory;
    };
    const collect = async () => { for (let i = 0; i < 5; i++) { gc(); await turn(); } };
    const print = (value) => console.log(JSON.stringify(value));
  `;
  const options = ["--no-warnings", "--expose-gc", "--input-type=module", "-e", prelude + code];
  const { stdout } = await run(process.execPath, [...flags, ...options], { timeout: 60_000 });
  return JSON.parse(stdout);
}

describe.skipIf(pageCalls() === undefined)("forking in a process of its own", () => {
  test("10,000 restores leave no descriptor and no mapping behind", async () => {
    const code = `
      const memory = filled(4);
      const image = mapMemory(memory);
      image.restore();
      const before = [maps(), descriptors()];
      const bytes = new Uint8Array(memory.buffer);
      for (let round = 0; round < 10_000; round++) {
        bytes[(round % 64) * 4096] = 1;
        if (!image.restore()) throw new Error("not restored");
      }
      print({ before, after: [maps(), descriptors()], isSame: bytes.every((byte) => byte === 7) });`;
    const { before, after, isSame } = (await program(code)) as Record<string, unknown>;
    expect(after).toEqual(before);
    expect(before, "one mapping, and the page map is open").toEqual([1, 1]);
    expect(isSame).toBe(true);
  });

  test("memories that nobody has are gone with their mappings, and images with their descriptors", async () => {
    const code = `
      const start = descriptors();
      const fork = (source) => { for (let i = 0; i < 50; i++) source.map(filled(2)).restore(); };
      const source = createImageSource(filled(2));
      fork(source);
      for (let i = 0; i < 50; i++) mapMemory(filled(2)).dispose();
      await collect();
      const mapped = maps();
      source.dispose();
      print({ mapped, leaked: descriptors() - start });`;
    // The page map stays open.
    expect(await program(code)).toEqual({ mapped: 0, leaked: 1 });
  });

  test("an image outlives what else had its memory, and a memory its image", async () => {
    const code = `
      let memory = filled(2);
      let bytes = new WeakRef(memory);
      let image = mapMemory(memory);
      new Uint8Array(memory.buffer)[5] = 1;
      memory = undefined;
      await collect();
      const restored = image.restore() && new Uint8Array(bytes.deref().buffer)[5];
      memory = bytes.deref();
      image.dispose();
      image = undefined;
      await collect();
      const view = new Uint8Array(memory.buffer);
      view[5] = 9;
      memory.grow(1);
      print({ restored, sum: new Uint8Array(memory.buffer).reduce((sum, byte) => sum + byte, 0) });`;
    expect(await program(code)).toEqual({ restored: 7, sum: 2 * 65536 * 7 + 2 });
  });

  test("a thread that is terminated leaves no descriptor behind, nor what it has set aside", async () => {
    const code = `
      const thread = 'const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");' +
        'Promise.all(workerData.modules.map((url) => import(url))).then(([{ createImageSource }]) => {' +
        'const memory = new WebAssembly.Memory({ initial: 3 }); new Uint8Array(memory.buffer).fill(7);' +
        'const image = createImageSource(memory).map(memory);' +
        'const setAside = (value) => { new Uint8Array(memory.buffer).fill(value); return image.setAside() !== undefined; };' +
        'parentPort.postMessage([1, 2, 3].every(setAside)); for (;;); });';
      const whileThere = [];
      for (let i = 0; i < 3; i++) {
        const worker = new Worker(thread, { eval: true, workerData: { modules: [${url("image-source.ts")}] } });
        const isAside = await new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject));
        whileThere.push(isAside && descriptors() > 0);
        await worker.terminate();
      }
      await collect();
      print({ whileThere, left: descriptors(), maps: maps() });`;
    expect(await program(code, guestV8Flags)).toEqual({ whileThere: [true, true, true], left: 0, maps: 0 });
  });

  test.each([
    { what: "without node:ffi", flags: ["--no-experimental-ffi"] },
    { what: "under --permission without --allow-ffi", flags: ["--permission", "--allow-fs-read=*"] },
  ])("$what memories are copied", async ({ flags }) => {
    const code = `
      const memory = filled(2);
      const image = captureMemory(memory);
      new Uint8Array(memory.buffer)[5] = 1;
      const restored = image.restore();
      print([pageCalls() === undefined, createImageSource(memory) === undefined, restored, new Uint8Array(memory.buffer)[5]]);`;
    expect(await program(code, flags)).toEqual([true, true, true, 7]);
  });

  test("where the kernel cannot be asked for pages, large memories are mapped and dropped", async () => {
    const code = `
      const { canScan } = pageCalls();
      const results = [2, 160].map((pages) => {
        const memory = filled(pages);
        const image = captureMemory(memory);
        new Uint8Array(memory.buffer).fill(1);
        return image.restore() && new Uint8Array(memory.buffer).every((byte) => byte === 7);
      });
      print([canScan, ...results, maps()]);`;
    const flags = [
      "--permission",
      "--allow-ffi",
      `--allow-fs-read=${fileURLToPath(new URL("../../../", import.meta.url))}*`,
    ];
    // Not the page map.
    const allowed = ["/proc/self/maps", "/proc/self/fd/*"].map((path) => `--allow-fs-read=${path}`);
    expect(await program(code, [...flags, ...allowed])).toEqual([false, true, true, 1]);
  });
});
