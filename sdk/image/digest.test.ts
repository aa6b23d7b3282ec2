import * as fc from "fast-check";
import { expect, test } from "vitest";
import { checkBytes, digestOf, isDigest, parseDigest, verified } from "./digest.ts";

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

async function drain(source: AsyncIterable<Uint8Array>): Promise<{ text: string; error: unknown }> {
  let text = "";
  try {
    for await (const chunk of source) text += new TextDecoder().decode(chunk);
    return { text, error: undefined };
  } catch (error) {
    return { text, error };
  }
}

test("digests: sha256 and sha512, lower case, nothing else", () => {
  expect(isDigest(digestOf("x"))).toBe(true);
  expect(isDigest(digestOf("x", "sha512"))).toBe(true);
  for (const text of [
    "",
    "sha256",
    "sha256:",
    "sha256:abc",
    `sha1:${"a".repeat(40)}`,
    `SHA256:${"a".repeat(64)}`,
    "__proto__:x",
    `sha256:${"g".repeat(64)}`,
  ]) {
    expect(() => parseDigest(text), text).toThrow(expect.objectContaining({ code: "DIGEST_INVALID" }));
  }
});

test("verified passes on what is right", async () => {
  const source = verified(chunks("ab", "c", "de"), { digest: digestOf("abcde"), size: 5 }, "it");
  expect(await drain(source)).toEqual({ text: "abcde", error: undefined });
  expect(await drain(verified(chunks(), { digest: digestOf(""), size: 0 }, "it"))).toEqual({
    text: "",
    error: undefined,
  });
});

test("verified never gives the last byte of what is wrong", async () => {
  const rows = [
    { expected: { digest: digestOf("other"), size: 5 }, code: "DIGEST_MISMATCH" },
    { expected: { digest: digestOf("other") }, code: "DIGEST_MISMATCH" },
    { expected: { digest: digestOf("abcde"), size: 6 }, code: "SIZE_MISMATCH" },
    { expected: { digest: digestOf("abcde"), size: 4 }, code: "SIZE_MISMATCH" },
    { expected: { digest: digestOf("abcde"), size: 0 }, code: "SIZE_MISMATCH" },
  ];
  for (const { expected, code } of rows) {
    const { text, error } = await drain(verified(chunks("ab", "cd", "e"), expected, "it"));
    expect(error).toMatchObject({ code });
    expect(text.length).toBeLessThan(5);
  }
});

test("what is verified for a promise is not held against it again; for another one it is", async () => {
  const expected = { digest: digestOf("abc"), size: 3 };
  const source = verified(chunks("ab", "c"), expected, "it");
  expect(verified(source, expected, "the same")).toBe(source);
  expect(verified(source, { digest: expected.digest }, "the same")).toBe(source);
  const { error } = await drain(verified(source, { digest: digestOf("abd"), size: 3 }, "another"));
  expect(error).toMatchObject({ code: "DIGEST_MISMATCH" });
});

test("property: one flipped bit anywhere is noticed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.nat(),
      fc.integer({ min: 0, max: 7 }),
      async (bytes, at, bit) => {
        const expected = { digest: digestOf(bytes), size: bytes.length };
        const flipped = Uint8Array.from(bytes);
        flipped[at % bytes.length]! ^= 1 << bit;
        expect(() => checkBytes(flipped, expected, "it")).toThrow(expect.objectContaining({ code: "DIGEST_MISMATCH" }));
      },
    ),
  );
});
