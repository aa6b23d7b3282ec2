import { refusedIpv4Networks } from "../component/egress/address-judge.ts";
import type { PeerPair } from "./peer-networks.ts";
import { formatSubnet, gatewayOf, type Subnet } from "./subnet.ts";

export interface PacketRules {
  readonly node: string;
  readonly bridge: string;
  readonly subnet: Subnet;
  /** Addresses or networks that pods reach though they are special. */
  readonly allowed: readonly string[];
  /** This machine passes packets on for pods' sake: others' are to be dropped, as they were before. */
  readonly forwardsForPods: boolean;
  /** Addresses of Services. */
  readonly doors: readonly PacketDoor[];
  /** Pods that share a network. */
  readonly peers: readonly PeerPair[];
  /** Where a proxy for pods listens, at the gateway's address. */
  readonly proxyPort?: number | undefined;
}

/** What pods send to an address and port goes to a port of the gateway's. */
export interface PacketDoor {
  readonly protocol: "TCP" | "UDP";
  readonly address: string;
  readonly port: number;
  readonly to: { readonly address: string; readonly port: number };
}

/** Begins the name of each table of ours. */
export const packetTablePrefix = "shallop_";
export const packetTable = (node: string): string => `${packetTablePrefix}${node}`;

/** What every bridge of ours begins with, on all nodes of a machine. */
const bridges = '"shp*"';

/**
 * A node's packet rules as a script for nft(8), which takes the place of the rules before. Pods open connections to
 * public addresses, to the node's name server and Services, and to pods that share a network with them; nothing else of the machine,
 * no network of its own, no other pod.
 * Nobody but the machine opens a connection to a pod. TCP is refused by a reset: the kernel sends few ICMP messages a
 * second. Pure.
 */
export function packetRules({
  node,
  bridge,
  subnet,
  allowed,
  forwardsForPods,
  doors,
  peers,
  proxyPort,
}: PacketRules): string {
  const table = `table inet ${packetTable(node)}`;
  const [pods, gateway] = [formatSubnet(subnet), gatewayOf(subnet)];
  const allow = allowed.length === 0 ? "" : `    ip daddr { ${allowed.join(", ")} } accept\n`;
  const refused = `ip daddr { ${refusedIpv4Networks.join(", ")} }`;
  const proxy = proxyPort === undefined ? "" : `    ip daddr ${gateway} tcp dport ${String(proxyPort)} accept\n`;
  const others = forwardsForPods ? `    iifname != ${bridges} oifname != ${bridges} drop\n` : "";
  return `${table}
delete ${table}
${table} {
  map tcp_doors { ${doorType} }
  map udp_doors { ${doorType} }
  set peers { type ipv4_addr . ipv4_addr; }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "${bridge}" ip saddr ${pods} dnat ip to ip daddr . tcp dport map @tcp_doors
    iifname "${bridge}" ip saddr ${pods} dnat ip to ip daddr . udp dport map @udp_doors
  }
  chain input {
    type filter hook input priority filter - 5; policy accept;
    iifname != "${bridge}" accept
    ct state established,related accept
    ip daddr ${gateway} udp dport 53 accept
    ip daddr ${gateway} tcp dport 53 accept
${proxy}    ip daddr ${gateway} ct status dnat accept
    meta l4proto tcp reject with tcp reset
    drop
  }
  chain forward {
    type filter hook forward priority filter - 5; policy accept;
${others}    oifname "${bridge}" ct state established,related accept
    iifname "${bridge}" oifname "${bridge}" ip saddr . ip daddr @peers accept
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
${doorElements(node, doors)}${peerElements(node, peers)}`;
}

/** These pairs in place of those before. Pure. */
export const peerRules = (node: string, peers: readonly PeerPair[]): string =>
  `flush set inet ${packetTable(node)} peers\n${peerElements(node, peers)}`;

function peerElements(node: string, peers: readonly PeerPair[]): string {
  if (peers.length === 0) return "";
  const elements = peers.map(([from, to]) => `${from} . ${to}`);
  return `add element inet ${packetTable(node)} peers { ${elements.join(", ")} }\n`;
}

const doorType = "type ipv4_addr . inet_service : ipv4_addr . inet_service;";

/** These doors in place of those before; connections that are open go on. Pure. */
export function doorRules(node: string, doors: readonly PacketDoor[]): string {
  const flush = ["tcp", "udp"].map((protocol) => `flush map inet ${packetTable(node)} ${protocol}_doors\n`);
  return flush.join("") + doorElements(node, doors);
}

function doorElements(node: string, doors: readonly PacketDoor[]): string {
  const byProtocol = Map.groupBy(doors, ({ protocol }) => protocol.toLowerCase());
  return [...byProtocol]
    .map(([protocol, some]) => {
      const elements = some.map(
        ({ address, port, to }) => `${address} . ${String(port)} : ${to.address} . ${String(to.port)}`,
      );
      return `add element inet ${packetTable(node)} ${protocol}_doors { ${elements.join(", ")} }\n`;
    })
    .join("");
}
