import { refusedIpv4Networks } from "../component/egress/address-judge.ts";
import { formatSubnet, gatewayOf, type Subnet } from "./subnet.ts";

export interface PacketRules {
  readonly node: string;
  readonly bridge: string;
  readonly subnet: Subnet;
  /** Addresses or networks that pods reach though they are special. */
  readonly allowed: readonly string[];
  /** This machine passes packets on for pods' sake: others' are to be dropped, as they were before. */
  readonly forwardsForPods: boolean;
}

/** Begins the name of each table of ours. */
export const packetTablePrefix = "shallop_";
export const packetTable = (node: string): string => `${packetTablePrefix}${node}`;

/** What every bridge of ours begins with, on all nodes of a machine. */
const bridges = '"shp*"';

/**
 * A node's packet rules as a script for nft(8), which takes the place of the rules before. Pods open connections to
 * public addresses, and to the node's name server; nothing else of the machine, no network of its own, no other pod.
 * Nobody but the machine opens a connection to a pod. TCP is refused by a reset: the kernel sends few ICMP messages a
 * second. Pure.
 */
export function packetRules({ node, bridge, subnet, allowed, forwardsForPods }: PacketRules): string {
  const table = `table inet ${packetTable(node)}`;
  const [pods, gateway] = [formatSubnet(subnet), gatewayOf(subnet)];
  const allow = allowed.length === 0 ? "" : `    ip daddr { ${allowed.join(", ")} } accept\n`;
  const refused = `ip daddr { ${refusedIpv4Networks.join(", ")} }`;
  const others = forwardsForPods ? `    iifname != ${bridges} oifname != ${bridges} drop\n` : "";
  return `${table}
delete ${table}
${table} {
  chain input {
    type filter hook input priority filter - 5; policy accept;
    iifname != "${bridge}" accept
    ct state established,related accept
    ip daddr ${gateway} udp dport 53 accept
    ip daddr ${gateway} tcp dport 53 accept
    meta l4proto tcp reject with tcp reset
    drop
  }
  chain forward {
    type filter hook forward priority filter - 5; policy accept;
${others}    oifname "${bridge}" ct state established,related accept
    iifname "${bridge}" oifname "${bridge}" meta l4proto tcp reject with tcp reset
    oifname "${bridge}" drop
    iifname != "${bridge}" accept
    ip saddr != ${pods} drop
    ct state established,related accept
${allow}    ${refused} meta l4proto tcp reject with tcp reset
    ${refused} reject with icmp admin-prohibited
    meta nfproto ipv4 accept
    drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${pods} oifname != "${bridge}" masquerade
  }
}
`;
}
