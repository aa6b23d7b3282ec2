import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

// That it runs and says every figure; what the figures are is for a quiet machine.
test("the benchmark of the engine prints each of its figures", { timeout: 180_000 }, async () => {
  const program = fileURLToPath(new URL("main.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, "engine", "--small"]);
  const lines = stdout.split("\n");
  const figures = [
    /^the minimal component: (samples\/c|written by hand, as there is no clang)$/,
    /^ {2}answers: sha256 [0-9a-f]{16}$/,
    /shallop serve, a fresh instance a request +[1-9]\d*\/s +[\d.]+ µs/,
    /shallop serve --reuse 100 +[1-9]\d*\/s/,
    /bare node:http +[1-9]\d*\/s .*ratio [\d.]+, goal 0\.70/,
    /jco serve +[1-9]\d*\/s .*ratio [\d.]+, goal 20/,
    /workerd +not asked/,
    /a fork made ready, 1 MiB of memory, p50 +[\d.]+ µs +goal 50 µs/,
    /a fork made ready, StarlingMonkey, p50 +not asked/,
    /one more of 4 that wait at once, until it waits +not asked/,
    /first byte, [\d.]+ MB never seen, on disk, p50 +[\d.]+ ms +goal 10 ms/,
    /an idle fork beyond its written pages, minimal +-?\d+ KiB +goal 64 KiB/,
    /an idle fork beyond its written pages, StarlingMonkey +not asked/,
  ];
  for (const wanted of figures) expect(lines).toContainEqual(expect.stringMatching(wanted));
});
