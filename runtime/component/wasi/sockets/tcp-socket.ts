import { assert } from "@shallop/sdk/internal";
import type { Caller, GuestContext } from "../guest-context.ts";
import { InputStream } from "../input-stream.ts";
import { Pollable } from "../io-poll.ts";
import { OutputStream } from "../output-stream.ts";
import { guestClass, notConstructible, Resource } from "../resource.ts";
import { done, err, ok, type Result } from "../result.ts";
import type { IpFamily, IpSocketAddress } from "./ip-address.ts";
import { durationNs } from "./keep-alive.ts";
import type { Network } from "./network.ts";
import type { NetworkErrorCode } from "./network-error.ts";
import type { TcpConnection } from "./tcp-connection.ts";
import { TcpEndpoint } from "./tcp-endpoint.ts";

type Outcome<Value> = Result<Value, NetworkErrorCode>;
type Streams = [input: InputStream, output: OutputStream];

/** `wasi:sockets/tcp.tcp-socket`: an endpoint whose operations have a start and a finish. */
export class TcpSocket extends Resource {
  readonly #endpoint: TcpEndpoint;
  /** What was started and is not finished. */
  #started: "bind" | "connect" | "listen" | undefined;

  constructor(context: GuestContext, endpoint: TcpEndpoint) {
    super(context);
    this.#endpoint = endpoint;
  }

  static create(context: GuestContext, family: IpFamily): Outcome<TcpSocket> {
    const endpoint = TcpEndpoint.create(context, family);
    return endpoint.tag === "ok" ? ok(new TcpSocket(context, endpoint.val)) : endpoint;
  }

  startBind(_network: Network, address: IpSocketAddress): Outcome<undefined> {
    return this.#start("bind", () => this.#endpoint.bind(address));
  }

  finishBind(): Outcome<undefined> {
    if (this.#started !== "bind") return err("not-in-progress");
    this.#started = undefined;
    return done;
  }

  startConnect(_network: Network, address: IpSocketAddress): Outcome<undefined> {
    return this.#start("connect", () => this.#endpoint.connect(address));
  }

  finishConnect(): Outcome<Streams> {
    if (this.#started !== "connect") return err("not-in-progress");
    const connected = this.#endpoint.finishConnect();
    if (connected === undefined) return err("would-block");
    this.#started = undefined;
    return connected.tag === "ok" ? ok(streamsOf(this.context, connected.val)) : connected;
  }

  startListen(): Outcome<undefined> {
    if (this.#started === undefined && this.#endpoint.phase !== "bound") return err("invalid-state");
    return this.#start("listen", () => this.#endpoint.listen());
  }

  finishListen(): Outcome<undefined> {
    const { listener } = this.#endpoint;
    if (this.#started !== "listen" || listener === undefined) return err("not-in-progress");
    if (listener.state === "starting") return err("would-block");
    this.#started = undefined;
    if (listener.state === "listening") return done;
    this.#endpoint.closeFailed();
    return err(listener.failure);
  }

  accept(): Outcome<[socket: TcpSocket, ...Streams]> {
    if (!this.isListening()) return err("invalid-state");
    const accepted = this.#endpoint.accept();
    if (accepted === undefined) return err("would-block");
    if (accepted.tag === "err") return accepted;
    const { connection } = accepted.val;
    assert(connection !== undefined, "what is accepted is connected");
    return ok([new TcpSocket(this.context, accepted.val), ...streamsOf(this.context, connection)]);
  }

  localAddress(): Outcome<IpSocketAddress> {
    return this.#started === "bind" ? err("invalid-state") : this.#endpoint.localAddress();
  }

  remoteAddress(): Outcome<IpSocketAddress> {
    return this.#endpoint.remoteAddress();
  }

  isListening(): boolean {
    return this.#endpoint.phase === "listening" && this.#started === undefined;
  }

  addressFamily(): IpFamily {
    return this.#endpoint.family;
  }

  setListenBacklogSize(size: bigint): Outcome<undefined> {
    return this.#endpoint.setListenBacklogSize(size);
  }

  keepAliveEnabled(): Outcome<boolean> {
    return ok(this.#endpoint.keepAlive.enabled);
  }

  setKeepAliveEnabled(enabled: boolean): Outcome<undefined> {
    return this.#endpoint.setKeepAliveEnabled(enabled);
  }

  keepAliveIdleTime(): Outcome<bigint> {
    return ok(durationNs(this.#endpoint.keepAlive.idleSeconds));
  }

  setKeepAliveIdleTime(idleNs: bigint): Outcome<undefined> {
    return this.#endpoint.setKeepAliveIdleTime(idleNs);
  }

  keepAliveInterval(): Outcome<bigint> {
    return ok(durationNs(this.#endpoint.keepAlive.intervalSeconds));
  }

  setKeepAliveInterval(intervalNs: bigint): Outcome<undefined> {
    return this.#endpoint.setKeepAliveInterval(intervalNs);
  }

  keepAliveCount(): Outcome<number> {
    return ok(this.#endpoint.keepAlive.count);
  }

  setKeepAliveCount(count: number): Outcome<undefined> {
    return this.#endpoint.setKeepAliveCount(count);
  }

  // Node has no way to these socket options.

  hopLimit(): Outcome<number> {
    return err("not-supported");
  }

  setHopLimit(hops: number): Outcome<undefined> {
    return err(hops === 0 ? "invalid-argument" : "not-supported");
  }

  receiveBufferSize(): Outcome<bigint> {
    return err("not-supported");
  }

  setReceiveBufferSize(size: bigint): Outcome<undefined> {
    return err(size === 0n ? "invalid-argument" : "not-supported");
  }

  sendBufferSize(): Outcome<bigint> {
    return err("not-supported");
  }

  setSendBufferSize(size: bigint): Outcome<undefined> {
    return err(size === 0n ? "invalid-argument" : "not-supported");
  }

  /** Ready when `finish-bind`, `finish-connect`, `finish-listen` or `accept` has an answer other than `would-block`. */
  subscribe(): Pollable {
    return new Pollable(this.context, {
      ready: () => this.#isReady(),
      subscribe: (listener) => this.#endpoint.changed.add(listener),
    });
  }

  shutdown(how: "receive" | "send" | "both"): Outcome<undefined> {
    const { connection, phase } = this.#endpoint;
    if (connection === undefined || phase !== "connected") return err("invalid-state");
    if (how !== "send") connection.stopReceiving();
    if (how !== "receive") connection.stopSending();
    return done;
  }

  protected override dropped(): void {
    this.#endpoint.close();
  }

  #start(what: "bind" | "connect" | "listen", run: () => Outcome<unknown>): Outcome<undefined> {
    if (this.#started !== undefined) return err("concurrency-conflict");
    const begun = run();
    if (begun.tag === "err") return begun;
    this.#started = what;
    return done;
  }

  #isReady(): boolean {
    const { connection, listener } = this.#endpoint;
    if (this.#started === "connect") return connection?.failure !== undefined || connection?.ends !== undefined;
    if (this.#started === "listen") return listener?.state !== "starting";
    return listener === undefined || listener.hasConnection;
  }
}

function streamsOf(context: GuestContext, connection: TcpConnection): Streams {
  const incoming = connection.incoming();
  const outgoing = connection.outgoing();
  return [
    new InputStream(context, incoming.source, incoming.drop),
    new OutputStream(context, outgoing.sink, outgoing.drop),
  ];
}

/** wasi:sockets/tcp@0.2 */
export const socketsTcp = (_caller: Caller): object => ({
  TcpSocket: guestClass(TcpSocket, notConstructible, {}),
});

/** wasi:sockets/tcp-create-socket@0.2 */
export const socketsTcpCreate = (caller: Caller): object => ({
  createTcpSocket: (family: IpFamily) => TcpSocket.create(caller.context, family),
});
