import type { Caller } from "../guest-context.ts";
import { err, type Result } from "../result.ts";
import type { IpAddress } from "../sockets/ip-address.ts";
import { addressesOf } from "../sockets/ip-name-lookup.ts";
import type { NetworkErrorCode } from "../sockets/network-error.ts";
import { tcpSocketClass } from "./tcp-socket.ts";
import { udpSocketClass } from "./udp-socket.ts";

/** wasi:sockets/types@0.3 */
export const socketsTypes = (caller: Caller): object => ({
  TcpSocket: tcpSocketClass(caller),
  UdpSocket: udpSocketClass(caller),
});

type LookupCode =
  | "access-denied"
  | "invalid-argument"
  | "name-unresolvable"
  | "temporary-resolver-failure"
  | "permanent-resolver-failure";

/** `wasi:sockets/ip-name-lookup.error-code`. */
type LookupError = { readonly tag: LookupCode } | { readonly tag: "other"; readonly val: string | undefined };
type Addresses = Result<readonly IpAddress[], LookupError>;

const lookupCodes: ReadonlySet<string> = new Set<LookupCode>([
  "access-denied",
  "invalid-argument",
  "name-unresolvable",
  "temporary-resolver-failure",
  "permanent-resolver-failure",
]);

const lookupError = (code: NetworkErrorCode): LookupError =>
  lookupCodes.has(code) ? { tag: code as LookupCode } : { tag: "other", val: code === "unknown" ? undefined : code };

/** wasi:sockets/ip-name-lookup@0.3: what the egress judge lets a guest know, which is what it lets it reach. */
export const socketsIpNameLookup = (caller: Caller): object => ({
  async resolveAddresses(name: string): Promise<Addresses> {
    const addresses = await addressesOf(caller.context, name);
    return addresses.tag === "ok" ? addresses : err(lookupError(addresses.val));
  },
});
