import type { Datagrams } from "../../egress/datagrams.ts";
import type { GuestContext } from "../guest-context.ts";
import { done, err, ok, type Result } from "../result.ts";
import { Listeners, type Waitable } from "../waitable.ts";
import { addressText, endKey, type IpFamily, type IpSocketAddress, socketAddress } from "./ip-address.ts";
import { type NetworkErrorCode, networkErrorOf } from "./network-error.ts";
import type { SocketSlot } from "./socket-slot.ts";

/** `wasi:sockets/udp.incoming-datagram`. */
export interface IncomingDatagram {
  readonly data: Uint8Array;
  readonly remoteAddress: IpSocketAddress;
}

// Datagrams that wait for the guest; what comes beyond is lost, as datagrams are when nobody reads.
const waitingMax = 256;
// Datagrams on their way to the system. It takes them at once, unless its own buffer is full.
const sendingMax = 16;
// Ends that a client has sent to and whose answers it gets. One who asks more of them at once waits for none for long.
const peersMax = 1024;

/** A bound UDP socket. Closed when the socket and its streams are dropped, or the instance ends. */
export class UdpChannel {
  readonly family: IpFamily;
  readonly #context: GuestContext;
  readonly #datagrams: Datagrams;
  readonly #slot: SocketSlot;
  readonly #listeners = new Listeners();
  readonly #undoEnd: () => void;
  /** Whom a socket without leave to listen hears: those it has sent to. */
  readonly #peers: Set<string> | undefined;
  #waiting: IncomingDatagram[] = [];
  #waitingBytes = 0;
  #sending = 0;
  #sendFailure: NetworkErrorCode | undefined;
  #remote: IpSocketAddress | undefined;
  #users = 1;
  #closed = false;

  /** @throws what bind(2) says */
  constructor(
    context: GuestContext,
    slot: SocketSlot,
    bind: { readonly family: IpFamily; readonly host: string; readonly port: number; readonly hearsAll: boolean },
  ) {
    this.family = bind.family;
    this.#context = context;
    this.#slot = slot;
    this.#peers = bind.hearsAll ? undefined : new Set();
    const { host, port } = bind;
    this.#datagrams = context.settings.egress.openDatagrams({ family: bind.family === "ipv4" ? 4 : 6, host, port });
    this.#datagrams.start({
      arrived: (data, from) => this.#arrive(data, socketAddress(from.address, from.port)),
      failed: (error) => this.#failSend(networkErrorOf(error)),
    });
    this.#undoEnd = context.onEnd(() => this.#close());
  }

  get local(): IpSocketAddress {
    const { address, port } = this.#datagrams.local;
    return socketAddress(address, port);
  }

  /** The open socket, for its options. */
  get datagrams(): Datagrams {
    return this.#datagrams;
  }

  get remote(): IpSocketAddress | undefined {
    return this.#remote;
  }

  /** From now on it is heard from and sent to `remote` alone; undefined = anybody again. */
  associate(remote: IpSocketAddress | undefined): void {
    this.#remote = remote;
    if (remote !== undefined) this.#meet(endKey(remote));
    const kept = this.#waiting.filter((datagram) => this.#hears(endKey(datagram.remoteAddress)));
    this.#waitingBytes = kept.reduce((sum, { data }) => sum + data.length, 0);
    this.#waiting = kept;
  }

  receive(countMax: number): readonly IncomingDatagram[] {
    const taken = this.#waiting.splice(0, countMax);
    for (const { data } of taken) this.#waitingBytes -= data.length;
    return taken;
  }

  /** How many datagrams may be sent now. An error of one that was sent is told once. */
  checkSend(): Result<number, NetworkErrorCode> {
    const failure = this.#sendFailure;
    this.#sendFailure = undefined;
    return failure === undefined ? ok(sendingMax - this.#sending) : err(failure);
  }

  send(data: Uint8Array, remote: IpSocketAddress): Result<undefined, NetworkErrorCode> {
    const address = addressText(remote);
    if (!this.#context.settings.egress.allows(address)) return err("access-denied");
    this.#meet(endKey(remote));
    this.#sending++;
    this.#datagrams.send(data, { address, port: remote.val.port }, (error) => {
      this.#sending--;
      if (error === undefined) this.#listeners.notify();
      else this.#failSend(networkErrorOf(error));
    });
    return done;
  }

  readonly receivable: Waitable = {
    ready: () => this.#waiting.length > 0,
    subscribe: (listener) => this.#listeners.add(listener),
  };

  readonly sendable: Waitable = {
    ready: () => this.#sending < sendingMax || this.#sendFailure !== undefined,
    subscribe: (listener) => this.#listeners.add(listener),
  };

  retain(): void {
    this.#users++;
  }

  release(): void {
    if (--this.#users === 0) this.#close();
  }

  #arrive(data: Uint8Array, from: IpSocketAddress): void {
    if (!this.#hears(endKey(from))) return;
    if (this.#waiting.length >= waitingMax) return;
    if (this.#waitingBytes + data.length > this.#context.settings.bounds.bufferBytesMax) return;
    this.#waitingBytes += data.length;
    this.#waiting.push({ data, remoteAddress: from });
    this.#listeners.notify();
  }

  #hears(key: string): boolean {
    if (this.#remote !== undefined) return key === endKey(this.#remote);
    return this.#peers === undefined || this.#peers.has(key);
  }

  #meet(key: string): void {
    const peers = this.#peers;
    if (peers === undefined) return;
    peers.delete(key);
    peers.add(key);
    const [oldest] = peers;
    if (peers.size > peersMax && oldest !== undefined) peers.delete(oldest);
  }

  #failSend(code: NetworkErrorCode): void {
    this.#sendFailure = code;
    this.#listeners.notify();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#undoEnd();
    this.#datagrams.close();
    this.#slot.release();
  }
}
