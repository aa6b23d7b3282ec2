import type { LookupAddress } from "node:dns";
import { describe, expect, test } from "vitest";
import { addressJudge } from "./address-judge.ts";
import { Egress } from "./egress.ts";

const v4 = (address: string): LookupAddress => ({ address, family: 4 });

function lookup(egress: Egress, hostname: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    egress.lookup(hostname, { all: true }, (error, addresses) => (error === null ? resolve(addresses) : reject(error)));
  });
}

describe("Egress", () => {
  test("hands out only addresses that pass, and asks for the name once", async () => {
    let asked = 0;
    const egress = new Egress(addressJudge(), () => {
      asked++;
      return Promise.resolve([v4("10.0.0.1"), v4("1.1.1.1"), v4("127.0.0.1")]);
    });
    expect(await lookup(egress, "mixed.test")).toEqual([v4("1.1.1.1")]);
    expect(asked).toBe(1);
  });

  test("refuses a name that leads inside only", async () => {
    const egress = new Egress(addressJudge(), () => Promise.resolve([v4("169.254.169.254")]));
    await expect(lookup(egress, "metadata.test")).rejects.toMatchObject({ code: "PROHIBITED" });
  });

  test.each([
    { what: "fails", resolve: () => Promise.reject(new Error("SERVFAIL")) },
    { what: "gives nothing", resolve: () => Promise.resolve([]) },
  ])("says DNS when resolving $what", async ({ resolve }) => {
    await expect(lookup(new Egress(addressJudge(), resolve), "gone.test")).rejects.toMatchObject({ code: "DNS" });
  });

  test.each(["127.0.0.1", "[::1]", "::ffff:10.0.0.1"])("refuses the literal %s", (hostname) => {
    expect(() => new Egress(addressJudge()).checkLiteral(hostname)).toThrow(
      expect.objectContaining({ code: "PROHIBITED" }),
    );
  });

  test("lets public literals and names pass the first check", () => {
    const egress = new Egress(addressJudge());
    for (const hostname of ["1.1.1.1", "[2606:4700::1111]", "example.org"]) egress.checkLiteral(hostname);
  });

  test("tells of an address whether it may be reached", () => {
    const egress = new Egress(addressJudge({ allowed: ["10.1.0.0/16"] }));
    expect(
      ["1.1.1.1", "10.1.2.3", "10.2.0.1", "::1", "::ffff:127.0.0.1"].map((address) => egress.allows(address)),
    ).toEqual([true, true, false, false, false]);
  });

  test("gives no leave to listen unless told to", () => {
    expect(new Egress(addressJudge()).policy.listen).toBe(false);
    expect(new Egress(addressJudge(), () => Promise.resolve([]), { listen: true }).policy.listen).toBe(true);
  });
});
