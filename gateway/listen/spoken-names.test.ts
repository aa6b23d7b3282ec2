import { expect, test } from "vitest";
import { SpokenNames } from "./spoken-names.ts";

const certificate = {
  checkHost: (host: string) => (["a.com", "b.com"].includes(host) ? host : undefined),
  checkIP: (address: string) => (address === "::1" ? address : undefined),
};

test("a connection speaks for the host that its client asked for, and for those of its certificate", () => {
  const names = new SpokenNames("A.com", certificate);
  expect(["a.com", "b.com", "[::1]"].map((host) => names.includes(host))).toEqual([true, true, true]);
  expect(["c.com", "127.0.0.1", "[::2]", ""].map((host) => names.includes(host))).toEqual([false, false, false, false]);
  // Asked for with a certificate that is not its own: the client has been content with it.
  expect(new SpokenNames("c.com", certificate).includes("c.com")).toBe(true);
});

test("without SNI there is nothing to be held to", () => {
  expect(new SpokenNames(undefined, certificate).includes("c.com")).toBe(true);
  expect(new SpokenNames("a.com", undefined).includes("c.com")).toBe(true);
});

test("more hosts than anybody has are still answered", () => {
  const names = new SpokenNames("a.com", certificate);
  for (let count = 0; count < 1_000; count++) expect(names.includes(`${count}.com`)).toBe(false);
  expect(names.includes("b.com")).toBe(true);
});
