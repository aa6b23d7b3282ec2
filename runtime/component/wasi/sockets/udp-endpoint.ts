import type { GuestContext } from "../guest-context.ts";
import { done, err, ok, type Result } from "../result.ts";
import { bindAddress } from "./bind-address.ts";
import {
  addressText,
  anyAddress,
  endKey,
  type IpFamily,
  type IpSocketAddress,
  isLocal,
  isRemote,
  isUnspecified,
  socketAddress,
} from "./ip-address.ts";
import { type NetworkErrorCode, networkErrorOf } from "./network-error.ts";
import { type SocketSlot, takeSlot } from "./socket-slot.ts";
import { UdpChannel } from "./udp-channel.ts";

type Outcome<Value> = Result<Value, NetworkErrorCode>;

interface Options {
  /** `ip_default_ttl` of Linux. */
  readonly hopLimit: number;
  /** Undefined = what the system gives. */
  readonly receiveBytes: number | undefined;
  readonly sendBytes: number | undefined;
}

// `net.core.rmem_default` of Linux: what a socket that is not open yet will have.
const bufferBytesDefault = 212_992;
const bufferBytesMax = 2 ** 31 - 1;
// 65,535 less the headers of UDP and IPv4 (RFC 768, RFC 791).
const datagramBytesMax = 65_507;

/** What a UDP socket of any WASI is: bound or not, its options, and what the egress judge allows it. */
export class UdpEndpoint {
  readonly family: IpFamily;
  readonly #context: GuestContext;
  readonly #slot: SocketSlot;
  readonly #undoEnd: () => void;
  #channel: UdpChannel | undefined;
  #closed = false;
  #options: Options = { hopLimit: 64, receiveBytes: undefined, sendBytes: undefined };

  private constructor(context: GuestContext, family: IpFamily, slot: SocketSlot) {
    this.#context = context;
    this.family = family;
    this.#slot = slot;
    this.#undoEnd = context.onEnd(() => this.#slot.release());
  }

  static create(context: GuestContext, family: IpFamily): Outcome<UdpEndpoint> {
    const slot = takeSlot(context);
    return slot === undefined ? err("new-socket-limit") : ok(new UdpEndpoint(context, family, slot));
  }

  /** Once it is bound. */
  get channel(): UdpChannel | undefined {
    return this.#channel;
  }

  /**
   * A client binds to no address and no port: that is allowed always, and it hears those alone whom it has sent to.
   * Anything else is listening.
   */
  bind(address: IpSocketAddress): Outcome<undefined> {
    if (this.#channel !== undefined || this.#closed) return err("invalid-state");
    if (!isLocal(address, this.family)) return err("invalid-argument");
    const isClient = isUnspecified(address) && address.val.port === 0;
    const host = isClient
      ? ok(anyAddress[this.family])
      : bindAddress(address, this.family, this.#context.settings.egress.policy);
    if (host.tag === "err") return host;
    const bind = { family: this.family, host: host.val, port: address.val.port, hearsAll: !isClient };
    try {
      // bind(2) does not block.
      this.#channel = new UdpChannel(this.#context, this.#slot, bind);
      return this.#setOptions({});
    } catch (error) {
      return err(networkErrorOf(error));
    }
  }

  /** As a client, unless it is bound already. */
  bound(): Outcome<UdpChannel> {
    if (this.#channel === undefined) {
      const bound = this.bind(socketAddress(anyAddress[this.family], 0));
      if (bound.tag === "err") return bound;
    }
    return this.#channel === undefined ? err("invalid-state") : ok(this.#channel);
  }

  /** From now on it hears from and sends to `remote` alone; undefined = anybody again. It is bound. */
  associate(channel: UdpChannel, remote: IpSocketAddress | undefined): Outcome<undefined> {
    if (remote !== undefined) {
      if (!isRemote(remote, this.family)) return err("invalid-argument");
      if (!this.#context.settings.egress.allows(addressText(remote))) return err("access-denied");
    }
    channel.associate(remote);
    return done;
  }

  localAddress(): Outcome<IpSocketAddress> {
    return this.#channel === undefined ? err("invalid-state") : ok(this.#channel.local);
  }

  remoteAddress(): Outcome<IpSocketAddress> {
    const remote = this.#channel?.remote;
    return remote === undefined ? err("invalid-state") : ok(remote);
  }

  get hopLimit(): number {
    return this.#options.hopLimit;
  }

  setHopLimit(hopLimit: number): Outcome<undefined> {
    return hopLimit === 0 ? err("invalid-argument") : this.#setOptions({ hopLimit });
  }

  get receiveBufferBytes(): bigint {
    return BigInt(this.#options.receiveBytes ?? this.#channel?.datagrams.receiveBytes() ?? bufferBytesDefault);
  }

  setReceiveBufferBytes(size: bigint): Outcome<undefined> {
    return size === 0n ? err("invalid-argument") : this.#setOptions({ receiveBytes: bufferBytes(size) });
  }

  get sendBufferBytes(): bigint {
    return BigInt(this.#options.sendBytes ?? this.#channel?.datagrams.sendBytes() ?? bufferBytesDefault);
  }

  setSendBufferBytes(size: bigint): Outcome<undefined> {
    return size === 0n ? err("invalid-argument") : this.#setOptions({ sendBytes: bufferBytes(size) });
  }

  /** The guest has dropped the socket. An open one gives its slot back itself, when its other users are gone too. */
  close(): void {
    this.#closed = true;
    this.#undoEnd();
    if (this.#channel === undefined) this.#slot.release();
    else this.#channel.release();
  }

  #setOptions(change: Partial<Options>): Outcome<undefined> {
    const options = { ...this.#options, ...change };
    try {
      this.#channel?.datagrams.setOptions(options);
    } catch (error) {
      return err(networkErrorOf(error));
    }
    this.#options = options;
    return done;
  }
}

const bufferBytes = (size: bigint): number => (size > BigInt(bufferBytesMax) ? bufferBytesMax : Number(size));

/** Sends one datagram: to `remoteAddress`, or to whom the channel is associated with. */
export function sendDatagram(
  channel: UdpChannel,
  data: Uint8Array,
  remoteAddress: IpSocketAddress | undefined,
): Outcome<undefined> {
  const { remote, family } = channel;
  const to = remoteAddress ?? remote;
  if (to === undefined || !isRemote(to, family)) return err("invalid-argument");
  if (remote !== undefined && endKey(to) !== endKey(remote)) return err("invalid-argument");
  if (data.length > datagramBytesMax) return err("datagram-too-large");
  return channel.send(data, to);
}
