import type { Caller, GuestContext } from "../guest-context.ts";
import { guestClass, notConstructible, Resource } from "../resource.ts";
import { err, ok } from "../result.ts";
import type { IpFamily, IpSocketAddress } from "../sockets/ip-address.ts";
import { sendDatagram, UdpEndpoint } from "../sockets/udp-endpoint.ts";
import { socketError, socketOutcome, type SocketOutcome } from "./socket-error.ts";
import { notYet, whenReady } from "./waiting.ts";

type Datagram = [data: Uint8Array, from: IpSocketAddress];

/** `wasi:sockets/types.udp-socket` of 0.3. */
export class UdpSocket extends Resource {
  readonly #endpoint: UdpEndpoint;

  constructor(context: GuestContext, endpoint: UdpEndpoint) {
    super(context);
    this.#endpoint = endpoint;
  }

  static create(context: GuestContext, family: IpFamily): SocketOutcome<UdpSocket> {
    const endpoint = socketOutcome(UdpEndpoint.create(context, family));
    return endpoint.tag === "ok" ? ok(new UdpSocket(context, endpoint.val)) : endpoint;
  }

  bind(address: IpSocketAddress): SocketOutcome<undefined> {
    return socketOutcome(this.#endpoint.bind(address));
  }

  connect(remote: IpSocketAddress): SocketOutcome<undefined> {
    const bound = this.#endpoint.bound();
    if (bound.tag === "err") return err(socketError(bound.val));
    return socketOutcome(this.#endpoint.associate(bound.val, remote));
  }

  disconnect(): SocketOutcome<undefined> {
    const { channel } = this.#endpoint;
    if (channel?.remote === undefined) return err({ tag: "invalid-state" });
    return socketOutcome(this.#endpoint.associate(channel, undefined));
  }

  send(
    data: Uint8Array,
    remote: IpSocketAddress | undefined,
  ): SocketOutcome<undefined> | Promise<SocketOutcome<undefined>> {
    const bound = this.#endpoint.bound();
    if (bound.tag === "err") return err(socketError(bound.val));
    const channel = bound.val;
    return whenReady(this.context, channel.sendable, () => {
      // As send(2) does: an error that the network has told meanwhile is told now.
      const permitted = channel.checkSend();
      return socketOutcome(permitted.tag === "err" ? permitted : sendDatagram(channel, data, remote));
    });
  }

  receive(): SocketOutcome<Datagram> | Promise<SocketOutcome<Datagram>> {
    const { channel } = this.#endpoint;
    if (channel === undefined) return err({ tag: "invalid-state" });
    return whenReady<SocketOutcome<Datagram>>(this.context, channel.receivable, () => {
      const [datagram] = channel.receive(1);
      return datagram === undefined ? notYet : ok<Datagram>([datagram.data, datagram.remoteAddress]);
    });
  }

  getLocalAddress(): SocketOutcome<IpSocketAddress> {
    return socketOutcome(this.#endpoint.localAddress());
  }

  getRemoteAddress(): SocketOutcome<IpSocketAddress> {
    return socketOutcome(this.#endpoint.remoteAddress());
  }

  getAddressFamily(): IpFamily {
    return this.#endpoint.family;
  }

  getUnicastHopLimit(): SocketOutcome<number> {
    return ok(this.#endpoint.hopLimit);
  }

  setUnicastHopLimit(hopLimit: number): SocketOutcome<undefined> {
    return socketOutcome(this.#endpoint.setHopLimit(hopLimit));
  }

  getReceiveBufferSize(): SocketOutcome<bigint> {
    return ok(this.#endpoint.receiveBufferBytes);
  }

  setReceiveBufferSize(size: bigint): SocketOutcome<undefined> {
    return socketOutcome(this.#endpoint.setReceiveBufferBytes(size));
  }

  getSendBufferSize(): SocketOutcome<bigint> {
    return ok(this.#endpoint.sendBufferBytes);
  }

  setSendBufferSize(size: bigint): SocketOutcome<undefined> {
    return socketOutcome(this.#endpoint.setSendBufferBytes(size));
  }

  protected override dropped(): void {
    this.#endpoint.close();
  }
}

/** The class as one instance sees it. */
export const udpSocketClass = (caller: Caller): object =>
  guestClass(UdpSocket, notConstructible, { create: (family: IpFamily) => UdpSocket.create(caller.context, family) });
