import { readFileSync, writeSync } from "node:fs";
import { mkdtemp, open, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { JailInput } from "./jail-input.ts";

test("what a jail is given is read by its descriptor, not written, and has no name", async () => {
  const directory = await mkdtemp(join(tmpdir(), "shallop-input-"));
  try {
    await using input = await JailInput.make(directory);
    expect(await readdir(directory)).toEqual([]);
    // More than is copied at once.
    const content = Buffer.alloc(2.5 * 2 ** 20, "component");
    const path = join(directory, "component.wasm");
    await writeFile(path, content);
    await using file = await open(path);
    await input.fill(file);
    expect(readFileSync(input.descriptor).equals(content)).toBe(true);
    expect(() => writeSync(input.descriptor, "x")).toThrow(expect.objectContaining({ code: "EBADF" }));
    await input.given();
  } finally {
    await rm(directory, { recursive: true });
  }
});
