import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import type { Caller, GuestContext } from "../guest-context.ts";
import { Pollable } from "../io-poll.ts";
import { guestClass, notConstructible, Resource } from "../resource.ts";
import { err, ok, type Result } from "../result.ts";
import { Listeners } from "../waitable.ts";
import { type IpAddress, parseAddress } from "./ip-address.ts";
import type { Network } from "./network.ts";
import { type NetworkErrorCode, networkErrorOf } from "./network-error.ts";
import { takeSlot } from "./socket-slot.ts";

type Addresses = Result<readonly IpAddress[], NetworkErrorCode>;

/** `wasi:sockets/ip-name-lookup.resolve-address-stream`. */
export class ResolveAddressStream extends Resource {
  readonly #listeners = new Listeners();
  #addresses: Addresses | undefined;
  #next = 0;

  resolveNextAddress(): Result<IpAddress | undefined, NetworkErrorCode> {
    const addresses = this.#addresses;
    if (addresses === undefined) return err("would-block");
    return addresses.tag === "ok" ? ok(addresses.val[this.#next++]) : addresses;
  }

  subscribe(): Pollable {
    return new Pollable(this.context, {
      ready: () => this.#addresses !== undefined,
      subscribe: (listener) => this.#listeners.add(listener),
    });
  }

  settle(addresses: Addresses): void {
    this.#addresses = addresses;
    this.#listeners.notify();
  }
}

/** wasi:sockets/ip-name-lookup@0.2: what the egress judge lets a guest know, which is what it lets it reach. */
export const socketsIpNameLookup = (caller: Caller): object => ({
  ResolveAddressStream: guestClass(ResolveAddressStream, notConstructible, {}),
  resolveAddresses: (_network: Network, name: string) => resolve(caller.context, name),
});

function resolve(context: GuestContext, name: string): Result<ResolveAddressStream, NetworkErrorCode> {
  const answer = addressesOf(context, name);
  if (!(answer instanceof Promise) && answer.tag === "err") return answer;
  const stream = new ResolveAddressStream(context);
  if (answer instanceof Promise) {
    void answer.then((addresses) => {
      if (!context.ended) stream.settle(addresses);
    });
  } else stream.settle(answer);
  return ok(stream);
}

/** The addresses of a name; at once when nobody has to be asked. */
export function addressesOf(context: GuestContext, name: string): Addresses | Promise<Addresses> {
  // Unicode names become what DNS knows (RFC 5891); other ways to write an address (`0x7f.1`) become that address.
  const address = name.replace(/^\[|\]$/g, "");
  const host = isIP(address) === 0 ? domainToASCII(name) : address;
  if (host === "") return err("invalid-argument");
  // Nothing is asked; what is connected to later is judged then.
  if (isIP(host) !== 0) return ok([parseAddress(host)]);
  // A question takes a socket of the node's resolver, and one of its threads.
  const slot = takeSlot(context);
  if (slot === undefined) return err("temporary-resolver-failure");
  return context.settings.egress
    .addressesOf(host)
    .then(
      (addresses) => ok(addresses.map((one) => parseAddress(one.address))),
      (error: unknown) => err(networkErrorOf(error)),
    )
    .finally(() => slot.release());
}
