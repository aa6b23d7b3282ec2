import { describe, expect, test } from "vitest";
import { addressJudge } from "./address-judge.ts";

describe("addressJudge", () => {
  test.each([
    "127.0.0.1",
    "127.255.0.9",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.127.255.255",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "192.88.99.1",
    "192.0.2.1",
    "203.0.113.7",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "100::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "0:0:0:0:0:ffff:a9fe:a9fe",
    "::FFFF:10.1.2.3",
    "::7f00:1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f.1",
    "",
    "1.2.3.4.5",
  ])("refuses %s", (address) => {
    expect(addressJudge()(address)).toBeTypeOf("string");
  });

  test.each([
    "1.1.1.1",
    "172.32.0.1",
    "172.15.255.255",
    "100.128.0.1",
    "192.0.1.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
  ])("lets %s pass", (address) => {
    expect(addressJudge()(address)).toBeUndefined();
  });

  test("opens what the policy names, and nothing beside it", () => {
    const judge = addressJudge({ allowed: ["10.1.0.0/16", "127.0.0.1", "fd00::/64"] });
    expect(["10.1.2.3", "127.0.0.1", "::ffff:127.0.0.1", "fd00::9"].map(judge)).toEqual(Array(4).fill(undefined));
    expect(["10.2.0.1", "127.0.0.2", "fd00:1::9"].map((address) => judge(address) === undefined)).toEqual(
      Array(3).fill(false),
    );
  });
});
