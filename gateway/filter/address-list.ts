import { BlockList, isIPv6 } from "node:net";

/** Which clients may come, by address. */
export class AddressList {
  readonly #allow: BlockList | undefined;
  readonly #deny: BlockList;

  constructor({ allow, deny }: { readonly allow: readonly string[]; readonly deny: readonly string[] }) {
    this.#allow = allow.length === 0 ? undefined : listOf(allow);
    this.#deny = listOf(deny);
  }

  /** Denied addresses are refused even where they are allowed, too. */
  admits(address: string): boolean {
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    return !this.#deny.check(address, family) && (this.#allow?.check(address, family) ?? true);
  }
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}
