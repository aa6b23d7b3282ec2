import { GuestFault } from "../../guest-fault.ts";
import type { GuestContext } from "../guest-context.ts";
import { Pollable } from "../io-poll.ts";
import { Resource } from "../resource.ts";
import { err, ok, type Result } from "../result.ts";
import type { IpSocketAddress } from "./ip-address.ts";
import type { NetworkErrorCode } from "./network-error.ts";
import type { IncomingDatagram, UdpChannel } from "./udp-channel.ts";
import { sendDatagram } from "./udp-endpoint.ts";

/** `wasi:sockets/udp.outgoing-datagram`. */
export interface OutgoingDatagram {
  readonly data: Uint8Array;
  readonly remoteAddress?: IpSocketAddress | undefined;
}

/** The pair of streams that `udp-socket.stream` gave last is the one that works. */
export interface Association {
  isCurrent: boolean;
}

abstract class DatagramStream extends Resource {
  protected readonly channel: UdpChannel;
  readonly #association: Association;

  constructor(context: GuestContext, channel: UdpChannel, association: Association) {
    super(context);
    this.channel = channel;
    this.#association = association;
    channel.retain();
  }

  protected get isOver(): boolean {
    return !this.#association.isCurrent;
  }

  protected override dropped(): void {
    this.channel.release();
  }
}

/** `wasi:sockets/udp.incoming-datagram-stream`. */
export class IncomingDatagramStream extends DatagramStream {
  /** An empty list = none has come. */
  receive(countMax: bigint): Result<readonly IncomingDatagram[], NetworkErrorCode> {
    if (this.isOver) return err("invalid-state");
    return ok(this.channel.receive(countMax > 1024n ? 1024 : Number(countMax)));
  }

  subscribe(): Pollable {
    return new Pollable(this.context, this.channel.receivable);
  }
}

/** `wasi:sockets/udp.outgoing-datagram-stream`. */
export class OutgoingDatagramStream extends DatagramStream {
  #permitted = 0;

  checkSend(): Result<bigint, NetworkErrorCode> {
    if (this.isOver) return err("invalid-state");
    const permitted = this.channel.checkSend();
    this.#permitted = permitted.tag === "ok" ? permitted.val : 0;
    return permitted.tag === "ok" ? ok(BigInt(permitted.val)) : permitted;
  }

  /** Gives how many were sent; an error only when the first was not. Traps when it is given more than were permitted. */
  send(datagrams: readonly OutgoingDatagram[]): Result<bigint, NetworkErrorCode> {
    if (this.isOver) return err("invalid-state");
    if (datagrams.length > this.#permitted) {
      throw new GuestFault("GUEST_FAILED", "the guest sent more datagrams than check-send had allowed");
    }
    for (const [index, datagram] of datagrams.entries()) {
      const sent = sendDatagram(this.channel, datagram.data, datagram.remoteAddress);
      if (sent.tag === "err") return index === 0 ? sent : ok(BigInt(index));
      this.#permitted--;
    }
    return ok(BigInt(datagrams.length));
  }

  subscribe(): Pollable {
    return new Pollable(this.context, this.channel.sendable);
  }
}
