import type { Caller, GuestContext } from "../guest-context.ts";
import { Pollable } from "../io-poll.ts";
import { guestClass, notConstructible, Resource } from "../resource.ts";
import { done, err, ok, type Result } from "../result.ts";
import { alwaysReady } from "../waitable.ts";
import type { IpFamily, IpSocketAddress } from "./ip-address.ts";
import type { Network } from "./network.ts";
import type { NetworkErrorCode } from "./network-error.ts";
import { UdpEndpoint } from "./udp-endpoint.ts";
import { type Association, IncomingDatagramStream, OutgoingDatagramStream } from "./udp-streams.ts";

type Outcome<Value> = Result<Value, NetworkErrorCode>;

/** `wasi:sockets/udp.udp-socket` (Operational semantics of WASI sockets, "UdpSocketOperationalSemantics.md"). */
export class UdpSocket extends Resource {
  readonly #endpoint: UdpEndpoint;
  #isBinding = false;
  #association: Association | undefined;

  constructor(context: GuestContext, endpoint: UdpEndpoint) {
    super(context);
    this.#endpoint = endpoint;
  }

  static create(context: GuestContext, family: IpFamily): Outcome<UdpSocket> {
    const endpoint = UdpEndpoint.create(context, family);
    return endpoint.tag === "ok" ? ok(new UdpSocket(context, endpoint.val)) : endpoint;
  }

  startBind(_network: Network, address: IpSocketAddress): Outcome<undefined> {
    if (this.#isBinding) return err("concurrency-conflict");
    const bound = this.#endpoint.bind(address);
    this.#isBinding = bound.tag === "ok";
    return bound;
  }

  finishBind(): Outcome<undefined> {
    if (!this.#isBinding) return err("not-in-progress");
    this.#isBinding = false;
    return done;
  }

  stream(remote: IpSocketAddress | undefined): Outcome<[IncomingDatagramStream, OutgoingDatagramStream]> {
    const { channel } = this.#endpoint;
    if (channel === undefined || this.#isBinding) return err("invalid-state");
    const associated = this.#endpoint.associate(channel, remote);
    if (associated.tag === "err") return associated;
    if (this.#association !== undefined) this.#association.isCurrent = false;
    const association: Association = { isCurrent: true };
    this.#association = association;
    return ok([
      new IncomingDatagramStream(this.context, channel, association),
      new OutgoingDatagramStream(this.context, channel, association),
    ]);
  }

  localAddress(): Outcome<IpSocketAddress> {
    return this.#isBinding ? err("invalid-state") : this.#endpoint.localAddress();
  }

  remoteAddress(): Outcome<IpSocketAddress> {
    return this.#endpoint.remoteAddress();
  }

  addressFamily(): IpFamily {
    return this.#endpoint.family;
  }

  unicastHopLimit(): Outcome<number> {
    return ok(this.#endpoint.hopLimit);
  }

  setUnicastHopLimit(hopLimit: number): Outcome<undefined> {
    return this.#endpoint.setHopLimit(hopLimit);
  }

  receiveBufferSize(): Outcome<bigint> {
    return ok(this.#endpoint.receiveBufferBytes);
  }

  setReceiveBufferSize(size: bigint): Outcome<undefined> {
    return this.#endpoint.setReceiveBufferBytes(size);
  }

  sendBufferSize(): Outcome<bigint> {
    return ok(this.#endpoint.sendBufferBytes);
  }

  setSendBufferSize(size: bigint): Outcome<undefined> {
    return this.#endpoint.setSendBufferBytes(size);
  }

  /** Binding is done at once: there is never anything to wait for. */
  subscribe(): Pollable {
    return new Pollable(this.context, alwaysReady);
  }

  protected override dropped(): void {
    this.#endpoint.close();
  }
}

/** wasi:sockets/udp@0.2 */
export const socketsUdp = (_caller: Caller): object => ({
  UdpSocket: guestClass(UdpSocket, notConstructible, {}),
  IncomingDatagramStream: guestClass(IncomingDatagramStream, notConstructible, {}),
  OutgoingDatagramStream: guestClass(OutgoingDatagramStream, notConstructible, {}),
});

/** wasi:sockets/udp-create-socket@0.2 */
export const socketsUdpCreate = (caller: Caller): object => ({
  createUdpSocket: (family: IpFamily) => UdpSocket.create(caller.context, family),
});
