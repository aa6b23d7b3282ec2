import type { FutureReader, StreamReader } from "../../abi/stream.ts";
import type { Caller, GuestContext } from "../guest-context.ts";
import { guestClass, notConstructible, Resource } from "../resource.ts";
import { done, err, ok } from "../result.ts";
import type { IpFamily, IpSocketAddress } from "../sockets/ip-address.ts";
import { durationNs } from "../sockets/keep-alive.ts";
import type { TcpConnection } from "../sockets/tcp-connection.ts";
import { TcpEndpoint } from "../sockets/tcp-endpoint.ts";
import type { Waitable } from "../waitable.ts";
import { ByteReader, emptyReader } from "./byte-reader.ts";
import { pourAll } from "./pour.ts";
import {
  type SocketError,
  socketError,
  socketErrorOfCause,
  socketOutcome,
  type SocketOutcome,
} from "./socket-error.ts";
import { futureOf, notYet, whenReady } from "./waiting.ts";

type Ending = Promise<SocketOutcome<undefined>>;

const invalidState = err({ tag: "invalid-state" } as const);

/** `wasi:sockets/types.tcp-socket` of 0.3: `../sockets/` with streams and futures. */
export class TcpSocket extends Resource {
  readonly #endpoint: TcpEndpoint;
  #isReceived = false;
  #isSent = false;
  /** The handle, and the stream of `listen`: the socket is closed when the last of them is dropped. */
  #users = 1;

  constructor(context: GuestContext, endpoint: TcpEndpoint) {
    super(context);
    this.#endpoint = endpoint;
  }

  static create(context: GuestContext, family: IpFamily): SocketOutcome<TcpSocket> {
    const endpoint = socketOutcome(TcpEndpoint.create(context, family));
    return endpoint.tag === "ok" ? ok(new TcpSocket(context, endpoint.val)) : endpoint;
  }

  bind(address: IpSocketAddress): SocketOutcome<undefined> {
    return socketOutcome(this.#endpoint.bind(address));
  }

  connect(address: IpSocketAddress): SocketOutcome<undefined> | Promise<SocketOutcome<undefined>> {
    const begun = this.#endpoint.connect(address);
    if (begun.tag === "err") return err(socketError(begun.val));
    const settled: Waitable = {
      ready: () => begun.val.failure !== undefined || begun.val.ends !== undefined,
      subscribe: (listener) => this.#endpoint.changed.add(listener),
    };
    const finish = (): SocketOutcome<undefined> => {
      const connected = this.#endpoint.finishConnect() ?? begun;
      return connected.tag === "ok" ? done : err(socketError(connected.val));
    };
    return whenReady(this.context, settled, finish, () => this.#endpoint.close());
  }

  listen(): SocketOutcome<StreamReader<TcpSocket>> {
    const listener = socketOutcome(this.#endpoint.listen());
    if (listener.tag === "err") return listener;
    this.#users++;
    return ok(new AcceptReader(this.context, this.#endpoint, () => this.#leave()));
  }

  send(data: StreamReader<number>): FutureReader<SocketOutcome<undefined>> {
    const connection = this.#connected();
    if (connection === undefined || this.#isSent) {
      data.drop();
      return futureOf(Promise.resolve(invalidState));
    }
    this.#isSent = true;
    const { sink, drop } = connection.outgoing();
    const release = (): void => {
      connection.stopSending();
      drop();
    };
    const poured = pourAll<SocketError>(this.context, data, {
      sink,
      release,
      codeOf: (failure) => socketErrorOfCause(failure.kind === "broken" ? failure.cause : undefined),
    });
    return futureOf(poured);
  }

  receive(): [StreamReader<number>, Ending] {
    const connection = this.#connected();
    if (connection === undefined || this.#isReceived) return [emptyReader, Promise.resolve(invalidState)];
    this.#isReceived = true;
    const { source, drop } = connection.incoming();
    const reader = new ByteReader<SocketError>(this.context, { source, release: drop, codeOf: socketErrorOfCause });
    return [reader, reader.outcome];
  }

  getLocalAddress(): SocketOutcome<IpSocketAddress> {
    return socketOutcome(this.#endpoint.localAddress());
  }

  getRemoteAddress(): SocketOutcome<IpSocketAddress> {
    return socketOutcome(this.#endpoint.remoteAddress());
  }

  getIsListening(): boolean {
    return this.#endpoint.phase === "listening";
  }

  getAddressFamily(): IpFamily {
    return this.#endpoint.family;
  }

  setListenBacklogSize(size: bigint): SocketOutcome<undefined> {
    return socketOutcome(this.#endpoint.setListenBacklogSize(size));
  }

  getKeepAliveEnabled(): SocketOutcome<boolean> {
    return ok(this.#endpoint.keepAlive.enabled);
  }

  setKeepAliveEnabled(enabled: boolean): SocketOutcome<undefined> {
    return socketOutcome(this.#endpoint.setKeepAliveEnabled(enabled));
  }

  getKeepAliveIdleTime(): SocketOutcome<bigint> {
    return ok(durationNs(this.#endpoint.keepAlive.idleSeconds));
  }

  setKeepAliveIdleTime(idleNs: bigint): SocketOutcome<undefined> {
    return socketOutcome(this.#endpoint.setKeepAliveIdleTime(idleNs));
  }

  getKeepAliveInterval(): SocketOutcome<bigint> {
    return ok(durationNs(this.#endpoint.keepAlive.intervalSeconds));
  }

  setKeepAliveInterval(intervalNs: bigint): SocketOutcome<undefined> {
    return socketOutcome(this.#endpoint.setKeepAliveInterval(intervalNs));
  }

  getKeepAliveCount(): SocketOutcome<number> {
    return ok(this.#endpoint.keepAlive.count);
  }

  setKeepAliveCount(count: number): SocketOutcome<undefined> {
    return socketOutcome(this.#endpoint.setKeepAliveCount(count));
  }

  // Node has no way to these socket options.

  getHopLimit(): SocketOutcome<number> {
    return notSupported;
  }

  setHopLimit(hops: number): SocketOutcome<undefined> {
    return hops === 0 ? invalidArgument : notSupported;
  }

  getReceiveBufferSize(): SocketOutcome<bigint> {
    return notSupported;
  }

  setReceiveBufferSize(size: bigint): SocketOutcome<undefined> {
    return size === 0n ? invalidArgument : notSupported;
  }

  getSendBufferSize(): SocketOutcome<bigint> {
    return notSupported;
  }

  setSendBufferSize(size: bigint): SocketOutcome<undefined> {
    return size === 0n ? invalidArgument : notSupported;
  }

  protected override dropped(): void {
    this.#leave();
  }

  #connected(): TcpConnection | undefined {
    return this.#endpoint.phase === "connected" ? this.#endpoint.connection : undefined;
  }

  #leave(): void {
    if (--this.#users === 0) this.#endpoint.close();
  }
}

const invalidArgument = err({ tag: "invalid-argument" } as const);
const notSupported = err({ tag: "not-supported" } as const);

/** The connections of a socket that listens. Closed when the socket cannot listen. */
class AcceptReader implements StreamReader<TcpSocket> {
  readonly #context: GuestContext;
  readonly #endpoint: TcpEndpoint;
  readonly #release: () => void;
  #isDropped = false;

  constructor(context: GuestContext, endpoint: TcpEndpoint, release: () => void) {
    this.#context = context;
    this.#endpoint = endpoint;
    this.#release = release;
  }

  read(_countMax: number): readonly TcpSocket[] | undefined | Promise<readonly TcpSocket[] | undefined> {
    const changed: Waitable = {
      ready: () => this.#isOver() || this.#endpoint.listener?.hasConnection === true,
      subscribe: (listener) => this.#endpoint.changed.add(listener),
    };
    return whenReady<readonly TcpSocket[] | undefined>(this.#context, changed, () => this.#accept());
  }

  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#endpoint.changed.notify();
    this.#release();
  }

  #isOver(): boolean {
    return this.#isDropped || this.#endpoint.listener === undefined || this.#endpoint.listener.state === "failed";
  }

  #accept(): readonly TcpSocket[] | undefined | typeof notYet {
    if (this.#isOver()) return undefined;
    const accepted = this.#endpoint.accept();
    if (accepted?.tag === "ok") return [new TcpSocket(this.#context, accepted.val)];
    // The guest holds as many sockets as it may: whoever comes now is refused.
    this.#endpoint.listener?.accept()?.destroy();
    return notYet;
  }
}

/** The class as one instance sees it. */
export const tcpSocketClass = (caller: Caller): object =>
  guestClass(TcpSocket, notConstructible, { create: (family: IpFamily) => TcpSocket.create(caller.context, family) });
