import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { IpClaims } from "./ip-claims.ts";
import type { Subnet } from "./subnet.ts";

// Eight addresses: five for pods.
const small: Subnet = { first: 0x0a580000, prefixLength: 29 };
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-claims-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("each pod has one address, of which no other has it, until all are taken", async () => {
  const claims = new IpClaims(join(directory, "ip"));
  const addresses = await Promise.all(["a", "b", "c", "d", "e"].map((key) => claims.claim(small, key)));
  expect(new Set(addresses)).toEqual(new Set([2, 3, 4, 5, 6].map((last) => `10.88.0.${last}`)));
  expect(await claims.claim(small, "f")).toBeUndefined();
  expect(await claims.claim(small, "c")).toBe(addresses[2]);
});

test("two processes never have the same one", async () => {
  const [one, other] = [new IpClaims(directory), new IpClaims(directory)];
  const addresses = await Promise.all([
    one.claim(small, "a"),
    other.claim(small, "b"),
    one.claim(small, "c"),
    other.claim(small, "d"),
  ]);
  expect(new Set(addresses).size).toBe(4);
});

test("a restart remembers claims; an address given back is not the next to be taken", async () => {
  const claims = new IpClaims(directory);
  await claims.claim(small, "a");
  await claims.claim(small, "b");
  await claims.release("a");
  expect(await claims.claim(small, "c")).toBe("10.88.0.4");
  const again = new IpClaims(directory);
  expect(await again.all()).toEqual(
    new Map([
      ["10.88.0.3", "b"],
      ["10.88.0.4", "c"],
    ]),
  );
  await again.release("nobody");
  expect((await again.all()).size).toBe(2);
});

test("an address is handed on from one moment to the next, and a handing that was cut off counts for nothing", async () => {
  const claims = new IpClaims(directory);
  const address = await claims.claim(small, "spare-1");
  await symlink("cut off", join(directory, `${address}.next`));
  expect([...(await claims.all()).values()]).toEqual(["spare-1"]);
  await claims.hand(address ?? "", "pod");
  expect([...(await claims.all())]).toEqual([[address, "pod"]]);
  expect(await claims.addressesOf("spare-1")).toEqual([]);
});
