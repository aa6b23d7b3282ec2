import type { GuestContext } from "./guest-context.ts";
import { alwaysReady } from "./waitable.ts";
import { Pollable } from "./io-poll.ts";
import { guestClass, notConstructible, Resource } from "./resource.ts";
import { err, type Result } from "./result.ts";

/** The one `wasi:sockets/network.error-code` that a guest sees here: raw sockets are not granted to Wasm pods. */
type NetworkError = "access-denied";

const denied = (): Result<never, NetworkError> => err("access-denied");

class Network extends Resource {}

/** A resource that no guest can get, with methods that all refuse. */
abstract class DeniedResource extends Resource {
  subscribe(): Pollable {
    return new Pollable(this.context, alwaysReady);
  }
}

class ResolveAddressStream extends DeniedResource {}
class TcpSocket extends DeniedResource {
  isListening(): boolean {
    return false;
  }
  addressFamily(): string {
    return "ipv4";
  }
}
class UdpSocket extends DeniedResource {
  addressFamily(): string {
    return "ipv4";
  }
}
class IncomingDatagramStream extends DeniedResource {}
class OutgoingDatagramStream extends DeniedResource {}

const deniedMethods: readonly (readonly [{ readonly prototype: object }, readonly string[]])[] = [
  [ResolveAddressStream, ["resolveNextAddress"]],
  [
    TcpSocket,
    [
      "startBind",
      "finishBind",
      "startConnect",
      "finishConnect",
      "startListen",
      "finishListen",
      "accept",
      "localAddress",
      "remoteAddress",
      "setListenBacklogSize",
      "keepAliveEnabled",
      "setKeepAliveEnabled",
      "keepAliveIdleTime",
      "setKeepAliveIdleTime",
      "keepAliveInterval",
      "setKeepAliveInterval",
      "keepAliveCount",
      "setKeepAliveCount",
      "hopLimit",
      "setHopLimit",
      "receiveBufferSize",
      "setReceiveBufferSize",
      "sendBufferSize",
      "setSendBufferSize",
      "shutdown",
    ],
  ],
  [
    UdpSocket,
    [
      "startBind",
      "finishBind",
      "stream",
      "localAddress",
      "remoteAddress",
      "unicastHopLimit",
      "setUnicastHopLimit",
      "receiveBufferSize",
      "setReceiveBufferSize",
      "sendBufferSize",
      "setSendBufferSize",
    ],
  ],
  [IncomingDatagramStream, ["receive"]],
  [OutgoingDatagramStream, ["checkSend", "send"]],
];
for (const [owner, names] of deniedMethods) {
  for (const name of names) Object.defineProperty(owner.prototype, name, { value: denied });
}

/** wasi:sockets/network@0.2 */
export const socketsNetwork = (_context: GuestContext): object => ({
  Network: guestClass(Network, notConstructible, {}),
  networkErrorCode: () => undefined,
});

/** wasi:sockets/instance-network@0.2 */
export const socketsInstanceNetwork = (context: GuestContext): object => ({
  instanceNetwork: () => new Network(context),
});

/** wasi:sockets/ip-name-lookup@0.2 */
export const socketsIpNameLookup = (_context: GuestContext): object => ({
  ResolveAddressStream: guestClass(ResolveAddressStream, notConstructible, {}),
  resolveAddresses: denied,
});

/** wasi:sockets/tcp@0.2 */
export const socketsTcp = (_context: GuestContext): object => ({
  TcpSocket: guestClass(TcpSocket, notConstructible, {}),
});

/** wasi:sockets/tcp-create-socket@0.2 */
export const socketsTcpCreate = (_context: GuestContext): object => ({ createTcpSocket: denied });

/** wasi:sockets/udp@0.2 */
export const socketsUdp = (_context: GuestContext): object => ({
  UdpSocket: guestClass(UdpSocket, notConstructible, {}),
  IncomingDatagramStream: guestClass(IncomingDatagramStream, notConstructible, {}),
  OutgoingDatagramStream: guestClass(OutgoingDatagramStream, notConstructible, {}),
});

/** wasi:sockets/udp-create-socket@0.2 */
export const socketsUdpCreate = (_context: GuestContext): object => ({ createUdpSocket: denied });
