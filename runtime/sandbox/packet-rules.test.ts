import { expect, test } from "vitest";
import { doorRules, packetRules, packetTable, peerRules } from "./packet-rules.ts";
import { parseSubnet } from "./subnet.ts";

const subnet = parseSubnet("10.88.4.0/22")!;
const rules = {
  node: "ab12cd",
  bridge: "shp0a580400",
  subnet,
  allowed: [],
  forwardsForPods: false,
  doors: [],
  peers: [],
};

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

test("Services: what pods alone send to them goes to ports of the gateway's, which are open to nothing else", () => {
  const door = (protocol: "TCP" | "UDP", port: number) =>
    ({ protocol, address: "10.96.0.5", port, to: { address: "10.88.4.1", port: 40_000 + port } }) as const;
  const doors = [door("TCP", 80), door("TCP", 443), door("UDP", 53)];
  const text = packetRules({ ...rules, doors });
  expect(text).toContain('iifname "shp0a580400" ip saddr 10.88.4.0/22 dnat ip to ip daddr . tcp dport map @tcp_doors');
  expect(text).toContain("ip daddr 10.88.4.1 ct status dnat accept");
  const elements = [
    "add element inet shallop_ab12cd tcp_doors { 10.96.0.5 . 80 : 10.88.4.1 . 40080, 10.96.0.5 . 443 : 10.88.4.1 . 40443 }",
    "add element inet shallop_ab12cd udp_doors { 10.96.0.5 . 53 : 10.88.4.1 . 40053 }",
  ].join("\n");
  expect(text.endsWith(`${elements}\n`)).toBe(true);
  expect(doorRules("ab12cd", doors)).toBe(
    `flush map inet shallop_ab12cd tcp_doors\nflush map inet shallop_ab12cd udp_doors\n${elements}\n`,
  );
  expect(doorRules("ab12cd", [])).not.toContain("add element");
});

test("pods that share a network open connections to each other, before all others are refused", () => {
  const text = packetRules({ ...rules, peers: [["10.88.4.2", "10.88.4.3"]] });
  const [accept, reject] = [
    text.indexOf("ip saddr . ip daddr @peers accept"),
    text.indexOf("reject with tcp reset\n    oifname"),
  ];
  expect(accept).toBeGreaterThan(0);
  expect(accept).toBeLessThan(reject);
  expect(text).toContain(`add element inet ${packetTable(rules.node)} peers { 10.88.4.2 . 10.88.4.3 }`);
  expect(peerRules(rules.node, [])).toBe(`flush set inet ${packetTable(rules.node)} peers\n`);
});

test("a proxy is let to at the gateway's address and port, where there is one", () => {
  expect(packetRules(rules)).not.toContain("3128");
  const input = /chain input \{[^}]*\}/.exec(packetRules({ ...rules, proxyPort: 3128 }))?.[0] ?? "";
  const line = "ip daddr 10.88.4.1 tcp dport 3128 accept";
  expect(input).toContain(line);
  expect(input.indexOf(line)).toBeLessThan(input.indexOf("reject"));
});
