import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { guestV8Flags } from "@shallop/sdk/internal";
import { afterAll, beforeAll, expect, test } from "vitest";
import { wasiComponent } from "../host/testing/components.ts";
import { pageCalls } from "./fork/page-calls.ts";
import { witnessText } from "./testing/witness.ts";

// No byte of one request is visible to another. Each guest looks through all of its state before it leaves as much as it can:
// memory to its last byte, globals, tables, grown memory, handles, files; chance and clocks must not repeat either.

const run = promisify(execFile);
const program = fileURLToPath(new URL("testing/witness-main.ts", import.meta.url));
const requests = 1200;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-witness-"));
  // Eight pages are mapped where memory can be; a guest that writes its table cannot be put back.
  await writeFile(join(directory, "restored.wasm"), await wasiComponent(witnessText(8, false)));
  await writeFile(join(directory, "anew.wasm"), await wasiComponent(witnessText(8, true)));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test.each([
  { way: "mapped", file: "restored.wasm", flags: [] },
  { way: "copied", file: "restored.wasm", flags: ["--no-experimental-ffi"] },
  { way: "made anew", file: "anew.wasm", flags: [] },
])("instances that are $way show a request nothing of those before it", async ({ way, file, flags }) => {
  const seed = process.pid;
  const files = await mkdtemp(join(directory, "files-"));
  const args = [program, join(directory, file), files, `${requests}`, `${seed}`];
  const nodeFlags = [...guestV8Flags, "--no-warnings", ...flags];
  const { stdout } = await run(process.execPath, [...nodeFlags, ...args], { timeout: 120_000 });
  const seen = JSON.parse(stdout) as Record<string, number>;
  const isForked = way !== "made anew";
  expect(seen, `seed ${seed}`).toMatchObject({
    ...{ states: [], clockGoesOn: true },
    // A number that was another's descriptor is none; what a request leaves open is closed when it ends.
    ...{ intruders: 0, openFiles: 0 },
    way: way === "mapped" && pageCalls() === undefined ? "copied" : way,
    // Chance is each request's own; a repeated value of 64 bits is none.
    ...{ chances: seen["reports"], seeds: seen["reports"] },
  });
  expect(seen["reports"]).toBeGreaterThan(requests * 0.8);
  // All had their files: those that were ended in between are among them.
  expect(seen["files"]).toBeGreaterThanOrEqual(seen["reports"] ?? 0);
  expect(seen["clocks"]).toBeGreaterThan(10);
  // Otherwise the test would show nothing about forks: most requests had an instance that others had before them.
  if (isForked) expect(seen["made"]).toBeLessThan(requests * 1.5);
  else expect(seen["made"]).toBeGreaterThan(requests);
});
