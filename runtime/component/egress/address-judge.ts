import { BlockList, isIP, isIPv4 } from "node:net";

/**
 * Networks that a guest must not reach, each with its reason. IANA special-purpose address registries (RFC 6890 and
 * what came after it) complete, so that nothing of the node's own networks, and no tunnel into them, is reachable.
 */
const refusedNetworks: readonly (readonly [network: string, prefix: number, reason: string])[] = [
  ["0.0.0.0", 8, "this host (RFC 791)"],
  ["10.0.0.0", 8, "private (RFC 1918)"],
  ["100.64.0.0", 10, "carrier-grade NAT (RFC 6598)"],
  ["127.0.0.0", 8, "loopback (RFC 1122)"],
  ["169.254.0.0", 16, "link-local and cloud metadata (RFC 3927)"],
  ["172.16.0.0", 12, "private (RFC 1918)"],
  ["192.0.0.0", 24, "protocol assignments (RFC 6890)"],
  ["192.0.2.0", 24, "documentation (RFC 5737)"],
  ["192.88.99.0", 24, "6to4 relay (RFC 7526)"],
  ["192.168.0.0", 16, "private (RFC 1918)"],
  ["198.18.0.0", 15, "benchmarking (RFC 2544)"],
  ["198.51.100.0", 24, "documentation (RFC 5737)"],
  ["203.0.113.0", 24, "documentation (RFC 5737)"],
  ["224.0.0.0", 4, "multicast (RFC 5771)"],
  ["240.0.0.0", 4, "reserved and broadcast (RFC 1112)"],
  ["::", 128, "unspecified (RFC 4291)"],
  ["::1", 128, "loopback (RFC 4291)"],
  ["::", 96, "IPv4-compatible (RFC 4291)"],
  ["64:ff9b::", 96, "NAT64, which may lead to a private address (RFC 6052)"],
  ["64:ff9b:1::", 48, "local NAT64 (RFC 8215)"],
  ["100::", 64, "discard (RFC 6666)"],
  ["2001::", 23, "protocol assignments, Teredo among them (RFC 2928)"],
  ["2001:db8::", 32, "documentation (RFC 3849)"],
  ["2002::", 16, "6to4, which may lead to a private address (RFC 3056)"],
  ["3fff::", 20, "documentation (RFC 9637)"],
  ["5f00::", 16, "segment routing (RFC 9602)"],
  ["fc00::", 7, "unique local and cloud metadata (RFC 4193)"],
  ["fe80::", 10, "link-local (RFC 4291)"],
  ["fec0::", 10, "site-local (RFC 3879)"],
  ["ff00::", 8, "multicast (RFC 4291)"],
];

/** Those of IPv4 as `network/prefix`, for who judges packets and not connections. */
export const refusedIpv4Networks: readonly string[] = refusedNetworks
  .filter(([network]) => isIPv4(network))
  .map(([network, prefix]) => `${network}/${String(prefix)}`);

const rules = refusedNetworks.map(([network, prefix, reason]) => {
  const list = new BlockList();
  list.addSubnet(network, prefix, isIPv4(network) ? "ipv4" : "ipv6");
  return { list, reason };
});

/** What of the networks above a launch opens nevertheless. */
export interface AddressPolicy {
  /** `CIDR`s or addresses that are reached though they are special: tests, a company's own network. */
  readonly allowed: readonly string[];
}

const publicOnly: AddressPolicy = { allowed: [] };

/** A policy as a function from address to the reason of the refusal; undefined = may be reached. */
export type AddressJudge = (address: string) => string | undefined;

/** `address` must be an IP address as the operating system writes it. */
export function addressJudge(policy: AddressPolicy = publicOnly): AddressJudge {
  const allowed = new BlockList();
  for (const entry of policy.allowed) addEntry(allowed, entry);
  return (address) => {
    const plain = unmapped(address);
    const version = isIP(plain);
    if (version === 0) return "not an IP address";
    const family = version === 4 ? "ipv4" : "ipv6";
    if (allowed.check(plain, family)) return undefined;
    return rules.find(({ list }) => list.check(plain, family))?.reason;
  };
}

function addEntry(list: BlockList, entry: string): void {
  const [network = "", prefix] = entry.split("/");
  const family = isIPv4(network) ? "ipv4" : "ipv6";
  if (prefix === undefined) list.addAddress(network, family);
  else list.addSubnet(network, Number(prefix), family);
}

/** `::ffff:127.0.0.1` and `::ffff:7f00:1` are 127.0.0.1 (RFC 4291, 2.5.5.2); a zone id (`%eth0`) says nothing. */
function unmapped(address: string): string {
  const bare = address.replace(/%.*$/, "").toLowerCase();
  if (isIP(bare) !== 6) return bare;
  const groups = ipv6Groups(bare);
  if (groups === undefined || groups.slice(0, 5).some((group) => group !== 0) || groups[5] !== 0xffff) return bare;
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** The eight groups of a valid IPv6 address without zone. */
export function ipv6Groups(address: string): readonly number[] | undefined {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const text =
    dotted === null
      ? address
      : `${dotted[1]}${((Number(dotted[2]) << 8) | Number(dotted[3])).toString(16)}:${((Number(dotted[4]) << 8) | Number(dotted[5])).toString(16)}`;
  const [head = "", tail] = text.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = 8 - left.length - right.length;
  if (missing < 0 || (tail === undefined && missing !== 0)) return undefined;
  return [...left, ...Array.from({ length: missing }, () => "0"), ...right].map((group) => Number.parseInt(group, 16));
}
