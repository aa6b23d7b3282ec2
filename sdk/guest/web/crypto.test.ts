import { beforeEach, expect, test } from "vitest";
import { resetWasi } from "../wasi/wasi.fake.ts";
import { crypto as guestCrypto, random } from "./crypto.ts";

beforeEach(resetWasi);

test("getRandomValues fills exactly the view", () => {
  const buffer = new Uint8Array(6);
  const view = guestCrypto.getRandomValues(buffer.subarray(1, 5));
  expect(view.byteLength).toBe(4);
  expect([buffer[0], buffer[5]]).toEqual([0, 0]);
  expect(view.some((byte) => byte !== 0)).toBe(true);
  expect(() => guestCrypto.getRandomValues(new Uint8Array(65_537))).toThrow(
    expect.objectContaining({ name: "QuotaExceededError" }),
  );
});

test("randomUUID is a version 4 UUID", () => {
  const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  const ids = [guestCrypto.randomUUID(), guestCrypto.randomUUID()];
  for (const id of ids) expect(id).toMatch(pattern);
  expect(ids[0]).not.toBe(ids[1]);
});

test("random spreads over [0, 1)", () => {
  const buckets = Array.from({ length: 10 }, () => 0);
  for (let count = 0; count < 10_000; count++) {
    const value = random();
    expect(value >= 0 && value < 1).toBe(true);
    buckets[Math.floor(value * 10)]! += 1;
  }
  for (const bucket of buckets) expect(bucket).toBeGreaterThan(800);
});
