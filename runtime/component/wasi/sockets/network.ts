import type { Caller } from "../guest-context.ts";
import type { IoError } from "../io-error.ts";
import { guestClass, notConstructible, Resource } from "../resource.ts";

/** `wasi:sockets/network.network`: the one network that there is; what may be reached in it the egress judge says. */
export class Network extends Resource {}

/** wasi:sockets/network@0.2 */
export const socketsNetwork = (_caller: Caller): object => ({
  Network: guestClass(Network, notConstructible, {}),
  networkErrorCode: (error: IoError) => (error.cause?.kind === "network" ? error.cause.code : undefined),
});

/** wasi:sockets/instance-network@0.2 */
export const socketsInstanceNetwork = (caller: Caller): object => ({
  instanceNetwork: () => new Network(caller.context),
});
