import { expect, test } from "vitest";
import { packetRules } from "./packet-rules.ts";
import { parseSubnet } from "./subnet.ts";

const subnet = parseSubnet("10.88.4.0/22")!;
const rules = { node: "ab12cd", bridge: "shp0a580400", subnet, allowed: [], forwardsForPods: false };

test("the rules take the place of those before, as a whole", () => {
  expect(packetRules(rules).split("\n").slice(0, 3)).toEqual([
    "table inet shallop_ab12cd",
    "delete table inet shallop_ab12cd",
    "table inet shallop_ab12cd {",
  ]);
});

test("loopback, link-local, private networks and the pods' own are refused before the rest is let out", () => {
  const text = packetRules(rules);
  const refused = /ip daddr \{ ([^}]*) \} reject with icmp/.exec(text)?.[1]?.split(", ") ?? [];
  expect(refused).toEqual(
    expect.arrayContaining([
      "127.0.0.0/8",
      "169.254.0.0/16",
      "10.0.0.0/8",
      "172.16.0.0/12",
      "192.168.0.0/16",
      "100.64.0.0/10",
    ]),
  );
  expect(text.lastIndexOf("reject")).toBeLessThan(text.indexOf("meta nfproto ipv4 accept"));
});

test("what is allowed comes before what is refused; others' packets are dropped where they were not passed on before", () => {
  const text = packetRules({ ...rules, allowed: ["10.9.9.9", "10.7.0.0/16"], forwardsForPods: true });
  expect(text.indexOf("ip daddr { 10.9.9.9, 10.7.0.0/16 } accept")).toBeLessThan(text.indexOf("ip daddr { 0.0.0.0/8"));
  expect(text).toContain('iifname != "shp*" oifname != "shp*" drop');
  expect(packetRules(rules)).not.toContain('"shp*" drop');
});
