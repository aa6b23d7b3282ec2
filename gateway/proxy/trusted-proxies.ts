import { BlockList, isIP, isIPv6 } from "node:net";
import { type ClientAddress, clientAddress } from "./request-head.ts";

/** What a request says of who made it: worth as much as who says it. */
export interface ClientClaims {
  /** `X-Forwarded-For`, all of them joined; undefined: there is none. */
  readonly address: string | undefined;
  /** `X-Forwarded-Proto`. */
  readonly scheme: string | undefined;
}

export interface KnownClient {
  readonly client: ClientAddress;
  /** As the client speaks it, which may end before the gateway. */
  readonly scheme: "http" | "https";
}

// More hops than any request has; a longer list is somebody's nonsense.
const hopsMax = 32;

/** The proxies in front of the gateway whose word on their clients holds: balancers that end connections, or TLS. */
export class TrustedProxies {
  readonly #ranges = new BlockList();

  /** @throws Error when one is neither an address nor a range of them (RFC 4632) */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [address = "", bits, ...rest] = range.split("/");
      const family = isIPv6(address) ? "ipv6" : "ipv4";
      if (isIP(address) === 0 || rest.length > 0 || (bits !== undefined && !/^[0-9]{1,3}$/.test(bits)))
        throw new Error(`${JSON.stringify(range)} is neither an address nor a range such as 10.0.0.0/8`);
      if (bits === undefined) this.#ranges.addAddress(address, family);
      else this.#ranges.addSubnet(address, Number(bits), family);
    }
  }

  trusts(address: string): boolean {
    return this.#ranges.check(address, isIPv6(address) ? "ipv6" : "ipv4");
  }

  /**
   * Who speaks, where `peer` is at the other end of the connection. Each proxy has added at the end whom it had before it: read from
   * there, the first that is not trusted is the client, and what stands before it is only what he says.
   */
  clientOf(peer: ClientAddress, scheme: "http" | "https", claims: ClientClaims): KnownClient {
    if (!this.trusts(peer.address)) return { client: peer, scheme };
    const said = claims.scheme?.split(",").at(-1)?.trim().toLowerCase();
    return {
      client: this.#clientBefore(peer, claims.address ?? ""),
      scheme: said === "http" || said === "https" ? said : scheme,
    };
  }

  #clientBefore(peer: ClientAddress, list: string): ClientAddress {
    const way = [peer.address];
    for (const hop of list.split(",").slice(-hopsMax).reverse()) {
      const address = addressOf(hop.trim());
      // Whoever has said this is the last of whom anything is known.
      if (address === undefined) break;
      way.unshift(address);
      if (!this.trusts(address)) break;
    }
    const [address = peer.address] = way;
    return { ...clientAddress(address), way: way.join(", ") };
  }
}

/** Some proxies add the port, and then brackets around an address of IPv6. */
function addressOf(hop: string): string | undefined {
  const [, bracketed, dotted] = /^(?:\[([^\]]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5})$/.exec(hop) ?? [];
  const address = (bracketed ?? dotted ?? hop).replace(/^::ffff:(?=[0-9.]+$)/i, "");
  return isIP(address) === 0 || address.includes("%") ? undefined : address;
}
