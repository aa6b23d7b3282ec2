import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatSubnet,
  freeSubnets,
  gatewayOf,
  overlaps,
  parseSubnet,
  podAddress,
  podAddressCount,
  type Subnet,
} from "./subnet.ts";

const subnet = (text: string): Subnet => {
  const parsed = parseSubnet(text);
  if (parsed === undefined) throw new Error(`no subnet: ${text}`);
  return parsed;
};

describe("parseSubnet", () => {
  test.each(["", "10.88.0.0", "10.88.0.0/33", "10.88.0.1/16", "256.0.0.0/8", "10.88.0.0/-1", "::/0", "10.88.0.0/16 "])(
    "%j is none",
    (text) => expect(parseSubnet(text)).toBeUndefined(),
  );

  test("what is formatted is read back", () => {
    const subnets = fc.tuple(fc.nat(2 ** 32 - 1), fc.integer({ min: 0, max: 32 })).map(([address, prefixLength]) => {
      const size = 2 ** (32 - prefixLength);
      return { first: Math.floor(address / size) * size, prefixLength };
    });
    fc.assert(
      fc.property(subnets, (one) => {
        expect(parseSubnet(formatSubnet(one))).toEqual(one);
      }),
    );
  });
});

describe("freeSubnets", () => {
  const cases = [
    { name: "all of an unused /16 are /22", range: "10.88.0.0/16", taken: [], first: "10.88.0.0/22", count: 64 },
    {
      name: "a routed host takes its /22",
      range: "10.88.0.0/16",
      taken: ["10.88.0.1/32"],
      first: "10.88.4.0/22",
      count: 63,
    },
    {
      name: "a larger route takes all in it",
      range: "10.88.0.0/16",
      taken: ["10.0.0.0/8"],
      first: undefined,
      count: 0,
    },
    {
      name: "a small range is taken whole",
      range: "10.9.9.0/24",
      taken: ["192.0.2.0/24"],
      first: "10.9.9.0/24",
      count: 1,
    },
  ];
  test.each(cases)("$name", ({ range, taken, first, count }) => {
    const free = freeSubnets(subnet(range), taken.map(subnet));
    expect(free.length).toBe(count);
    expect(free[0] === undefined ? undefined : formatSubnet(free[0])).toBe(first);
  });

  test("none overlaps what is taken, nor another", () => {
    const routes = fc.array(fc.tuple(fc.nat(2 ** 16 - 1), fc.integer({ min: 17, max: 32 })), { maxLength: 5 });
    fc.assert(
      fc.property(routes, (parts) => {
        const taken = parts.map(([offset, prefixLength]) => {
          const size = 2 ** (32 - prefixLength);
          return { first: subnet("10.88.0.0/16").first + Math.floor(offset / size) * size, prefixLength };
        });
        const free = freeSubnets(subnet("10.88.0.0/16"), taken);
        expect(free.some((one) => taken.some((other) => overlaps(one, other)))).toBe(false);
        expect(free.some((one, index) => free.some((other, at) => at > index && overlaps(one, other)))).toBe(false);
      }),
    );
  });
});

test("a /22 has a gateway and 1021 pods", () => {
  const one = subnet("10.88.4.0/22");
  expect([gatewayOf(one), podAddress(one, 0), podAddressCount(one), podAddress(one, 1020)]).toEqual([
    "10.88.4.1",
    "10.88.4.2",
    1021,
    "10.88.7.254",
  ]);
  expect(() => podAddress(one, 1021)).toThrow();
});
