import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

// That it runs and says every figure; what the figures are is for a quiet machine.
test("the benchmark of images prints each of its figures", { timeout: 180_000 }, async () => {
  const program = fileURLToPath(new URL("main.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, "images", "--small"]);
  const lines = stdout.split("\n");
  for (const wanted of [
    /^ {2}push +\d+ MiB\/s/,
    /^ {2}pull +\d+ MiB\/s/,
    /component of 1\.7 MB: p50 +[\d.]+ ms +goal 40 ms; pull [\d.]+, prepare [\d.]+, start and answer [\d.]+/,
    /pull to first answer: p50 +\d+ ms +pull and unpack \d+/,
    /pulled, checked and unpacked +\d+ MB\/s +tar -xz of the same: \d+ MB\/s/,
    ...["runc", "crun"].flatMap((runtime) => [
      new RegExp(`native pod by ${runtime}, until it listens +[\\d.]+ ms +-?[\\d.]+ ms more; goal 30 ms`),
      new RegExp(`request to answer from nothing, ${runtime}: p50 +[\\d.]+ ms +goal 150 ms`),
    ]),
  ]) {
    expect(lines).toContainEqual(expect.stringMatching(wanted));
  }
});
