import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { digestOf, mediaType } from "@shallop/sdk/image";
import { describe, expect, test } from "vitest";
import { RegistryBench } from "./registry.fixture.ts";

// The registry is killed at each of its steps to the disk in turn: what it has acknowledged is there afterwards, what it
// has not is whole or absent, and a push that starts again, or goes on where it was, ends well.

const program = fileURLToPath(new URL("./serve.fixture.ts", import.meta.url));
const present = spawnSync("strace", ["-V"], { stdio: "ignore" }).status === 0;
if (!present) console.log("strace is not on this machine: that the registry can be killed at each step is not tested");

const half = 300_000;
const layer = Buffer.alloc(2 * half, "layer");
const config = "{}";
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: mediaType.manifest,
  config: { mediaType: mediaType.config, digest: digestOf(config), size: 2 },
  layers: [{ mediaType: "application/octet-stream", digest: digestOf(layer), size: layer.length }],
});

/** What a client was told. */
interface Told {
  location?: string;
  offset: number;
  blob: boolean;
  manifest: boolean;
}

/** Pushes as clients do; ends where the registry does. */
async function push(url: string, told: Told): Promise<void> {
  const send = async (method: string, path: string, init: RequestInit = {}): Promise<Response | undefined> => {
    const response = await fetch(new URL(path, url), { method, ...init }).catch(() => undefined);
    return response?.ok === true ? response : undefined;
  };
  const started = await send("POST", "/v2/app/blobs/uploads/");
  if (started === undefined) return;
  told.location = started.headers.get("location") ?? "";
  for (const start of [0, half]) {
    const headers = { "content-range": `${start}-${start + half - 1}` };
    const body = layer.subarray(start, start + half);
    if ((await send("PATCH", told.location, { body, headers })) === undefined) return;
    told.offset = start + half;
  }
  if ((await send("PUT", `${told.location}?digest=${digestOf(layer)}`)) === undefined) return;
  told.blob = true;
  const query = `?digest=${digestOf(config)}`;
  if ((await send("POST", `/v2/app/blobs/uploads/${query}`, { body: config })) === undefined) return;
  told.manifest = (await send("PUT", "/v2/app/manifests/1", { body: manifest })) !== undefined;
}

async function serveUnderStrace(
  directory: string,
  injection: string,
): Promise<{ child: ChildProcess; url: string; pid: number }> {
  const [calls] = injection.split(":");
  const child = spawn(
    "strace",
    [
      "-f",
      "-qq",
      "-o",
      "/dev/null",
      "-e",
      `trace=${calls}`,
      "-e",
      `inject=${injection}`,
      process.execPath,
      program,
      directory,
    ],
    // One thread for files, so that the steps have an order.
    { stdio: ["ignore", "pipe", "ignore"], env: { ...process.env, UV_THREADPOOL_SIZE: "1", UV_USE_IO_URING: "0" } },
  );
  const said = await new Promise<string>((resolve, reject) => {
    child.stdout?.once("data", (line) => resolve(String(line).trim()));
    child.once("exit", () => reject(new Error("the registry ended before it served")));
  });
  const [url = "", pid = ""] = said.split(" ");
  return { child, url, pid: Number(pid) };
}

/** Looks at what is there when the registry runs again. */
async function check(bench: RegistryBench, told: Told): Promise<void> {
  for (const file of await readdir(join(bench.directory, "blobs/sha256"))) {
    expect(digestOf(await readFile(join(bench.directory, "blobs/sha256", file)))).toBe(`sha256:${file}`);
  }
  const get = (path: string): Promise<Response> => bench.call("GET", path);
  if (told.manifest) expect(await (await get("/v2/app/manifests/1")).text()).toBe(manifest);
  const tagged = await get("/v2/app/manifests/1");
  if (told.blob || tagged.ok) {
    const bytes = Buffer.from(await (await get(`/v2/app/blobs/${digestOf(layer)}`)).arrayBuffer());
    expect(bytes.equals(layer)).toBe(true);
  }
  if (told.blob || told.location === undefined) return;
  const progress = await get(told.location);
  // Or it became a blob already, and only the answer was lost.
  if (progress.status === 404) return expect(told.offset).toBe(layer.length);
  const last = Number(/^0-(\d+)$/.exec(progress.headers.get("range") ?? "")?.[1]);
  const received = last === 0 ? 0 : last + 1;
  expect(received).toBeGreaterThanOrEqual(told.offset);
  // It goes on from there.
  const rest = { body: layer.subarray(received), headers: { "content-range": `${received}-${layer.length - 1}` } };
  if (received < layer.length) expect(await bench.outcome("PATCH", told.location, rest)).toBe("202");
  expect(await bench.outcome("PUT", `${told.location}?digest=${digestOf(layer)}`)).toBe("201");
}

describe.skipIf(!present)("killed", () => {
  test.each([
    // Every sync, rename and removal of a whole push, and the writes of its pieces.
    { calls: "fsync,fdatasync,rename,unlink", killsMin: 12 },
    { calls: "writev,pwritev,pwrite64", killsMin: 2 },
  ])(
    "at each $calls",
    async ({ calls, killsMin }) => {
      let kills = 0;
      for (let step = 1; ; step++) {
        const directory = await mkdtemp(join(tmpdir(), "shallop-registry-kill-"));
        try {
          const { child, url, pid } = await serveUnderStrace(directory, `${calls}:signal=KILL:when=${step}`);
          const told: Told = { offset: 0, blob: false, manifest: false };
          await push(url, told);
          const survived = told.manifest;
          if (child.exitCode === null && child.signalCode === null) {
            // strace itself does not end by a signal; what it traces does, unless it was killed already.
            if (survived) process.kill(pid, "SIGKILL");
            await once(child, "exit");
          }
          await using bench = await RegistryBench.open({ directory });
          await check(bench, told);
          const again: Told = { offset: 0, blob: false, manifest: false };
          await push(bench.server.url, again);
          expect(again.manifest, `after a kill at step ${step}`).toBe(true);
          if (survived) break;
          kills++;
        } finally {
          await rm(directory, { recursive: true, force: true });
        }
      }
      expect(kills).toBeGreaterThanOrEqual(killsMin);
    },
    120_000,
  );
});
