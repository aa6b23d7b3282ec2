import type { GuestContext } from "../guest-context.ts";
import { Pollable } from "../io-poll.ts";
import { guestClass, notConstructible, Resource } from "../resource.ts";
import { done, err, ok, type Result } from "../result.ts";
import { alwaysReady } from "../waitable.ts";
import { bindAddress } from "./bind-address.ts";
import {
  addressText,
  anyAddress,
  type IpFamily,
  type IpSocketAddress,
  isLocal,
  isRemote,
  isUnspecified,
} from "./ip-address.ts";
import type { Network } from "./network.ts";
import { type NetworkErrorCode, networkErrorOf } from "./network-error.ts";
import { type SocketSlot, takeSlot } from "./socket-slot.ts";
import { UdpChannel } from "./udp-channel.ts";
import { type Association, IncomingDatagramStream, OutgoingDatagramStream } from "./udp-streams.ts";

type Outcome<Value> = Result<Value, NetworkErrorCode>;

/** Operational semantics of WASI sockets, "UdpSocketOperationalSemantics.md". */
type State = { readonly phase: "unbound" } | { readonly phase: "bind-started" | "bound"; readonly channel: UdpChannel };

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

/** `wasi:sockets/udp.udp-socket`. */
export class UdpSocket extends Resource {
  readonly #family: IpFamily;
  readonly #slot: SocketSlot;
  readonly #undoEnd: () => void;
  #state: State = { phase: "unbound" };
  #association: Association | undefined;
  #options: Options = { hopLimit: 64, receiveBytes: undefined, sendBytes: undefined };

  constructor(context: GuestContext, family: IpFamily, slot: SocketSlot) {
    super(context);
    this.#family = family;
    this.#slot = slot;
    this.#undoEnd = context.onEnd(() => this.#slot.release());
  }

  static create(context: GuestContext, family: IpFamily): Outcome<UdpSocket> {
    const slot = takeSlot(context);
    return slot === undefined ? err("new-socket-limit") : ok(new UdpSocket(context, family, slot));
  }

  /**
   * A client binds to no address and no port: that is allowed always, and it hears those alone whom it has sent to.
   * Anything else is listening.
   */
  startBind(_network: Network, address: IpSocketAddress): Outcome<undefined> {
    if (this.#state.phase === "bind-started") return err("concurrency-conflict");
    if (this.#state.phase !== "unbound") return err("invalid-state");
    if (!isLocal(address, this.#family)) return err("invalid-argument");
    const isClient = isUnspecified(address) && address.val.port === 0;
    const host = isClient
      ? ok(anyAddress[this.#family])
      : bindAddress(address, this.#family, this.context.settings.egress.policy);
    if (host.tag === "err") return host;
    const bind = { family: this.#family, host: host.val, port: address.val.port, hearsAll: !isClient };
    try {
      // bind(2) does not block.
      this.#state = { phase: "bind-started", channel: new UdpChannel(this.context, this.#slot, bind) };
      return this.#setOptions({});
    } catch (error) {
      return err(networkErrorOf(error));
    }
  }

  finishBind(): Outcome<undefined> {
    if (this.#state.phase !== "bind-started") return err("not-in-progress");
    this.#state = { phase: "bound", channel: this.#state.channel };
    return done;
  }

  stream(remote: IpSocketAddress | undefined): Outcome<[IncomingDatagramStream, OutgoingDatagramStream]> {
    if (this.#state.phase !== "bound") return err("invalid-state");
    const { channel } = this.#state;
    if (remote !== undefined) {
      if (!isRemote(remote, this.#family)) return err("invalid-argument");
      if (!this.context.settings.egress.allows(addressText(remote))) return err("access-denied");
    }
    if (this.#association !== undefined) this.#association.isCurrent = false;
    const association: Association = { isCurrent: true };
    this.#association = association;
    channel.associate(remote);
    return ok([
      new IncomingDatagramStream(this.context, channel, association),
      new OutgoingDatagramStream(this.context, channel, association),
    ]);
  }

  localAddress(): Outcome<IpSocketAddress> {
    return this.#state.phase === "bound" ? ok(this.#state.channel.local) : err("invalid-state");
  }

  remoteAddress(): Outcome<IpSocketAddress> {
    const remote = this.#state.phase === "bound" ? this.#state.channel.remote : undefined;
    return remote === undefined ? err("invalid-state") : ok(remote);
  }

  addressFamily(): IpFamily {
    return this.#family;
  }

  unicastHopLimit(): Outcome<number> {
    return ok(this.#options.hopLimit);
  }

  setUnicastHopLimit(hopLimit: number): Outcome<undefined> {
    return hopLimit === 0 ? err("invalid-argument") : this.#setOptions({ hopLimit });
  }

  receiveBufferSize(): Outcome<bigint> {
    const { receiveBytes } = this.#options;
    if (receiveBytes !== undefined) return ok(BigInt(receiveBytes));
    return ok(BigInt(this.#open?.getRecvBufferSize() ?? bufferBytesDefault));
  }

  setReceiveBufferSize(size: bigint): Outcome<undefined> {
    return size === 0n ? err("invalid-argument") : this.#setOptions({ receiveBytes: bufferBytes(size) });
  }

  sendBufferSize(): Outcome<bigint> {
    const { sendBytes } = this.#options;
    if (sendBytes !== undefined) return ok(BigInt(sendBytes));
    return ok(BigInt(this.#open?.getSendBufferSize() ?? bufferBytesDefault));
  }

  setSendBufferSize(size: bigint): Outcome<undefined> {
    return size === 0n ? err("invalid-argument") : this.#setOptions({ sendBytes: bufferBytes(size) });
  }

  /** Binding is done at once: there is never anything to wait for. */
  subscribe(): Pollable {
    return new Pollable(this.context, alwaysReady);
  }

  protected override dropped(): void {
    this.#undoEnd();
    // An open socket gives its slot back itself, when its streams are dropped too.
    if (this.#state.phase === "unbound") this.#slot.release();
    else this.#state.channel.release();
  }

  get #open(): UdpChannel["socket"] | undefined {
    return this.#state.phase === "unbound" ? undefined : this.#state.channel.socket;
  }

  #setOptions(change: Partial<Options>): Outcome<undefined> {
    const options = { ...this.#options, ...change };
    const socket = this.#open;
    try {
      socket?.setTTL(options.hopLimit);
      if (options.receiveBytes !== undefined) socket?.setRecvBufferSize(options.receiveBytes);
      if (options.sendBytes !== undefined) socket?.setSendBufferSize(options.sendBytes);
    } catch (error) {
      return err(networkErrorOf(error));
    }
    this.#options = options;
    return done;
  }
}

const bufferBytes = (size: bigint): number => (size > BigInt(bufferBytesMax) ? bufferBytesMax : Number(size));

/** wasi:sockets/udp@0.2 */
export const socketsUdp = (_context: GuestContext): object => ({
  UdpSocket: guestClass(UdpSocket, notConstructible, {}),
  IncomingDatagramStream: guestClass(IncomingDatagramStream, notConstructible, {}),
  OutgoingDatagramStream: guestClass(OutgoingDatagramStream, notConstructible, {}),
});

/** wasi:sockets/udp-create-socket@0.2 */
export const socketsUdpCreate = (context: GuestContext): object => ({
  createUdpSocket: (family: IpFamily) => UdpSocket.create(context, family),
});
