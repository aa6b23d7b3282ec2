import fc from "fast-check";
import { expect, test } from "vitest";
import { Blob as GuestBlob, File as GuestFile } from "./blob.ts";

test("holds its parts, of every kind, one after another", async () => {
  const bytes = new TextEncoder().encode("xbcx");
  const blob = new GuestBlob(["a", bytes.subarray(1, 3), new GuestBlob(["d"]), bytes.buffer], { type: "Text/Plain" });
  expect([blob.size, blob.type, await blob.text()]).toEqual([8, "text/plain", "abcdxbcx"]);
  expect((await blob.arrayBuffer()).byteLength).toBe(8);
  expect((await blob.bytes()).length).toBe(8);
});

test("slices as Node's does", async () => {
  const bounds = fc.integer({ min: -8, max: 8 });
  await fc.assert(
    fc.asyncProperty(bounds, bounds, async (start, end) => {
      const mine = new GuestBlob(["abcde"]).slice(start, end, "a/b");
      const theirs = new Blob(["abcde"]).slice(start, end, "a/b");
      expect([await mine.text(), mine.type]).toEqual([await theirs.text(), theirs.type]);
    }),
  );
});

test("streams its bytes", async () => {
  const reader = new GuestBlob(["ab"]).stream().getReader();
  expect((await reader.read()).value).toEqual(new TextEncoder().encode("ab"));
  expect((await reader.read()).done).toBe(true);
});

test("a type that is not ASCII counts as none", () => {
  expect(new GuestBlob([], { type: "téxt" }).type).toBe("");
});

test("a file has a name and a time", () => {
  const file = new GuestFile(["a"], "a.txt", { lastModified: 5 });
  expect([file.name, file.lastModified, file.size]).toEqual(["a.txt", 5, 1]);
  expect(Math.abs(new GuestFile([], "a").lastModified - Date.now())).toBeLessThan(10_000);
});
