import { expect, test } from "vitest";
import { clusterAddressesMax, isServiceAddress, serviceAddress, standInAddress } from "./cluster-network.ts";

test("addresses of Services and those that stand in for others are apart", () => {
  expect(serviceAddress(1)).toBe("10.96.0.1");
  expect(serviceAddress(clusterAddressesMax - 1)).toBe("10.103.255.255");
  expect(standInAddress(1)).toBe("10.104.0.1");
  expect(standInAddress(clusterAddressesMax - 1)).toBe("10.111.255.255");
});

test.each([
  ["10.96.0.1", true],
  ["10.103.255.255", true],
  ["10.104.0.0", false],
  ["10.95.255.255", false],
  ["10.96.0.256", false],
  ["10.96.1", false],
  ["None", false],
  ["", false],
])("%s is an address of Services: %s", (text, is) => {
  expect(isServiceAddress(text)).toBe(is);
});
