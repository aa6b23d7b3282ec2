import { isIP } from "node:net";
import { assert } from "@shallop/sdk/internal";
import { ipv6Groups } from "../../egress/address-judge.ts";

/** `wasi:sockets/network.ip-address-family`. */
export type IpFamily = "ipv4" | "ipv6";

/** `wasi:sockets/network.ip-address`: four bytes, or eight groups of 16 bits. */
export interface IpAddress {
  readonly tag: IpFamily;
  readonly val: readonly number[];
}

/** `wasi:sockets/network.ip-socket-address`. */
export type IpSocketAddress =
  | { readonly tag: "ipv4"; readonly val: { readonly port: number; readonly address: readonly number[] } }
  | {
      readonly tag: "ipv6";
      readonly val: {
        readonly port: number;
        readonly flowInfo: number;
        readonly address: readonly number[];
        readonly scopeId: number;
      };
    };

export const anyAddress = { ipv4: "0.0.0.0", ipv6: "::" } as const satisfies Record<IpFamily, string>;
export const loopbackAddress = { ipv4: "127.0.0.1", ipv6: "::1" } as const satisfies Record<IpFamily, string>;

/** As the operating system writes it, a zone (`%1`) included. */
export function addressText({ tag, val }: IpSocketAddress): string {
  if (tag === "ipv4") return val.address.join(".");
  const text = val.address.map((group) => group.toString(16)).join(":");
  return val.scopeId === 0 ? text : `${text}%${val.scopeId}`;
}

/** `text` is an IP address. */
export function parseAddress(text: string): IpAddress {
  const [bare = ""] = text.split("%");
  const version = isIP(bare);
  assert(version !== 0, "not an IP address");
  if (version === 4) return { tag: "ipv4", val: bare.split(".").map(Number) };
  return { tag: "ipv6", val: ipv6Groups(bare.toLowerCase()) ?? [] };
}

export function socketAddress(text: string, port: number): IpSocketAddress {
  const { tag, val } = parseAddress(text);
  if (tag === "ipv4") return { tag, val: { port, address: val } };
  return { tag, val: { port, flowInfo: 0, address: val, scopeId: Number(text.split("%")[1] ?? 0) || 0 } };
}

/** One text per remote end. */
export const endKey = (address: IpSocketAddress): string => `${addressText(address)} ${address.val.port}`;

export const isUnspecified = ({ val }: IpSocketAddress): boolean => val.address.every((part) => part === 0);

export function isLoopback({ tag, val }: IpSocketAddress): boolean {
  if (tag === "ipv4") return val.address[0] === 127;
  return val.address.every((group, index) => group === (index === 7 ? 1 : 0));
}

/** Multicast and broadcast are no addresses of one end. */
function isUnicast({ tag, val }: IpSocketAddress): boolean {
  const first = val.address[0] ?? 0;
  if (tag === "ipv6") return first < 0xff00;
  return (first < 224 || first > 239) && val.address.some((byte) => byte !== 255);
}

/** `::ffff:1.2.3.4`: a second name of an IPv4 address, which sockets of WASI do not know (they have no dual stack). */
const isMapped = ({ tag, val }: IpSocketAddress): boolean =>
  tag === "ipv6" && val.address[5] === 0xffff && val.address.slice(0, 5).every((group) => group === 0);

/** Whether a socket of `family` may be bound to it, as far as the interface goes. */
export const isLocal = (address: IpSocketAddress, family: IpFamily): boolean =>
  address.tag === family && isUnicast(address) && !isMapped(address);

/** Whether a socket of `family` may send to it, as far as the interface goes. */
export const isRemote = (address: IpSocketAddress, family: IpFamily): boolean =>
  isLocal(address, family) && !isUnspecified(address) && address.val.port !== 0;
