import { assert } from "@shallop/sdk/internal";

/** An IPv4 network: `10.88.4.0/22`. */
export interface Subnet {
  /** First address, as a number of 32 bits. */
  readonly first: number;
  readonly prefixLength: number;
}

/** Reads `a.b.c.d/n`; undefined when it is none, or has bits set behind the prefix. */
export function parseSubnet(text: string): Subnet | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (match === null) return undefined;
  const [a = 256, b = 256, c = 256, d = 256, prefixLength = 33] = match.slice(1).map(Number);
  if ([a, b, c, d].some((byte) => byte > 255) || prefixLength > 32) return undefined;
  const first = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
  return first % sizeOf(prefixLength) === 0 ? { first, prefixLength } : undefined;
}

const sizeOf = (prefixLength: number): number => 2 ** (32 - prefixLength);

const subnetSize = (subnet: Subnet): number => sizeOf(subnet.prefixLength);

function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

export const formatSubnet = (subnet: Subnet): string => `${formatAddress(subnet.first)}/${subnet.prefixLength}`;

/** The address of the node's bridge: the first that is not the network's own. */
export const gatewayOf = (subnet: Subnet): string => formatAddress(subnet.first + 1);

/** How many pods fit: without the network's address, the gateway's and the broadcast address. */
export const podAddressCount = (subnet: Subnet): number => subnetSize(subnet) - 3;

export function podAddress(subnet: Subnet, index: number): string {
  assert(index >= 0 && index < podAddressCount(subnet));
  return formatAddress(subnet.first + 2 + index);
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.first < b.first + subnetSize(b) && b.first < a.first + subnetSize(a);
}

// A Linux bridge has at most 1,024 ports (BR_MAX_PORTS), which is what a /22 has addresses for.
const nodePrefixLength = 22;

/**
 * The parts of `range` that a node could take, those left out that overlap `taken`. In order: which one a node takes is
 * decided by who makes its bridge first.
 */
export function freeSubnets(range: Subnet, taken: readonly Subnet[]): readonly Subnet[] {
  const prefixLength = Math.max(range.prefixLength, nodePrefixLength);
  const candidates: Subnet[] = [];
  for (let first = range.first; first < range.first + subnetSize(range); first += sizeOf(prefixLength)) {
    const candidate = { first, prefixLength };
    if (!taken.some((other) => overlaps(candidate, other))) candidates.push(candidate);
  }
  return candidates;
}
