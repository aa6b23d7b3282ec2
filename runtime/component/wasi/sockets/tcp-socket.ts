import { BoundSocket, Socket } from "node:net";
import { unreachable } from "@shallop/sdk/internal";
import type { GuestContext } from "../guest-context.ts";
import type { InputStream } from "../input-stream.ts";
import { Pollable } from "../io-poll.ts";
import type { OutputStream } from "../output-stream.ts";
import { guestClass, notConstructible, Resource } from "../resource.ts";
import { done, err, ok, type Result } from "../result.ts";
import { Listeners } from "../waitable.ts";
import { bindAddress } from "./bind-address.ts";
import { addressText, type IpFamily, type IpSocketAddress, isRemote, socketAddress } from "./ip-address.ts";
import {
  applyKeepAlive,
  defaultKeepAlive,
  durationNs,
  type KeepAlive,
  keepAliveCount,
  keepAliveSeconds,
} from "./keep-alive.ts";
import type { Network } from "./network.ts";
import { type NetworkErrorCode, networkErrorOf } from "./network-error.ts";
import { type SocketSlot, takeSlot } from "./socket-slot.ts";
import { TcpConnection } from "./tcp-connection.ts";
import { TcpListener } from "./tcp-listener.ts";

type Outcome<Value> = Result<Value, NetworkErrorCode>;
type Streams = [input: InputStream, output: OutputStream];

/** Operational semantics of WASI sockets, "TcpSocketOperationalSemantics.md". */
type State =
  | { readonly phase: "unbound" }
  | { readonly phase: "bind-started"; readonly bound: BoundSocket; readonly local: IpSocketAddress }
  | { readonly phase: "bound"; readonly bound: BoundSocket; readonly local: IpSocketAddress }
  | { readonly phase: "connecting"; readonly connection: TcpConnection }
  | { readonly phase: "connected"; readonly connection: TcpConnection }
  | { readonly phase: "listen-started"; readonly listener: TcpListener; readonly local: IpSocketAddress }
  | { readonly phase: "listening"; readonly listener: TcpListener; readonly local: IpSocketAddress }
  | { readonly phase: "closed" };

// Connections that wait for a guest which accepts one after the other. Each is a descriptor of the node.
const backlogMax = 32;

/** `wasi:sockets/tcp.tcp-socket`. */
export class TcpSocket extends Resource {
  readonly #family: IpFamily;
  readonly #slot: SocketSlot;
  readonly #listeners = new Listeners();
  readonly #undoEnd: () => void;
  #state: State = { phase: "unbound" };
  #keepAlive = defaultKeepAlive;
  #backlog = backlogMax;

  constructor(context: GuestContext, family: IpFamily, slot: SocketSlot) {
    super(context);
    this.#family = family;
    this.#slot = slot;
    this.#undoEnd = context.onEnd(() => this.#unbind());
  }

  static create(context: GuestContext, family: IpFamily): Outcome<TcpSocket> {
    const slot = takeSlot(context);
    return slot === undefined ? err("new-socket-limit") : ok(new TcpSocket(context, family, slot));
  }

  startBind(_network: Network, address: IpSocketAddress): Outcome<undefined> {
    if (this.#isBusy()) return err("concurrency-conflict");
    if (this.#state.phase !== "unbound") return err("invalid-state");
    const host = bindAddress(address, this.#family, this.context.settings.egress.policy);
    if (host.tag === "err") return host;
    try {
      // bind(2) itself: it does not block, and nothing listens yet.
      const bound = new BoundSocket({ host: host.val, port: address.val.port, ipv6Only: this.#family === "ipv6" });
      const local = bound.address();
      this.#state = { phase: "bind-started", bound, local: socketAddress(local.address, local.port) };
    } catch (error) {
      return err(networkErrorOf(error));
    }
    return done;
  }

  finishBind(): Outcome<undefined> {
    if (this.#state.phase !== "bind-started") return err("not-in-progress");
    this.#state = { ...this.#state, phase: "bound" };
    return done;
  }

  startConnect(_network: Network, address: IpSocketAddress): Outcome<undefined> {
    if (this.#isBusy()) return err("concurrency-conflict");
    const state = this.#state;
    if (state.phase !== "unbound" && state.phase !== "bound") return err("invalid-state");
    if (!isRemote(address, this.#family)) return err("invalid-argument");
    const host = addressText(address);
    // The address that is connected to is the one that is judged: no name comes in between.
    if (!this.context.settings.egress.allows(host)) return err("access-denied");
    const socket = new Socket({
      allowHalfOpen: true,
      ...(state.phase === "bound" ? { handle: state.bound } : {}),
    });
    const connection = new TcpConnection(this.context, socket, this.#slot);
    this.#state = { phase: "connecting", connection };
    connection.onSettled(() => this.#listeners.notify());
    connection.expectOpen();
    applyKeepAlive(socket, this.#keepAlive);
    socket.connect({ host, port: address.val.port });
    return done;
  }

  finishConnect(): Outcome<Streams> {
    if (this.#state.phase !== "connecting") return err("not-in-progress");
    const { connection } = this.#state;
    if (connection.failure !== undefined) {
      this.#state = { phase: "closed" };
      return err(connection.failure);
    }
    if (connection.ends === undefined) return err("would-block");
    this.#state = { phase: "connected", connection };
    return ok(connection.streams());
  }

  startListen(): Outcome<undefined> {
    if (this.#isBusy()) return err("concurrency-conflict");
    const state = this.#state;
    if (state.phase !== "bound") return err("invalid-state");
    const options = { backlog: this.#backlog, slot: this.#slot, changed: () => this.#listeners.notify() };
    const listener = new TcpListener(this.context, state.bound, options);
    this.#state = { phase: "listen-started", listener, local: state.local };
    return done;
  }

  finishListen(): Outcome<undefined> {
    const state = this.#state;
    if (state.phase !== "listen-started") return err("not-in-progress");
    if (state.listener.state === "starting") return err("would-block");
    if (state.listener.state === "failed") {
      this.#state = { phase: "closed" };
      return err(state.listener.failure);
    }
    this.#state = { ...state, phase: "listening" };
    return done;
  }

  accept(): Outcome<[socket: TcpSocket, ...Streams]> {
    if (this.#state.phase !== "listening") return err("invalid-state");
    const { listener } = this.#state;
    if (!listener.hasConnection) return err("would-block");
    const slot = takeSlot(this.context);
    if (slot === undefined) return err("new-socket-limit");
    const socket = listener.accept();
    if (socket === undefined) {
      slot.release();
      return err("would-block");
    }
    const accepted = new TcpSocket(this.context, this.#family, slot);
    return ok([accepted, ...accepted.#adopt(socket, this.#keepAlive)]);
  }

  localAddress(): Outcome<IpSocketAddress> {
    const state = this.#state;
    switch (state.phase) {
      case "bound":
      case "listen-started":
      case "listening":
        return ok(state.local);
      case "connecting":
      case "connected":
        return state.connection.ends === undefined ? err("invalid-state") : ok(state.connection.ends.local);
      case "unbound":
      case "bind-started":
      case "closed":
        return err("invalid-state");
      default:
        return unreachable(state);
    }
  }

  remoteAddress(): Outcome<IpSocketAddress> {
    const state = this.#state;
    const ends = state.phase === "connected" ? state.connection.ends : undefined;
    return ends === undefined ? err("invalid-state") : ok(ends.remote);
  }

  isListening(): boolean {
    return this.#state.phase === "listening";
  }

  addressFamily(): IpFamily {
    return this.#family;
  }

  setListenBacklogSize(size: bigint): Outcome<undefined> {
    if (size === 0n) return err("invalid-argument");
    const { phase } = this.#state;
    if (phase === "listen-started" || phase === "listening") return err("not-supported");
    if (phase !== "unbound" && phase !== "bind-started" && phase !== "bound") return err("invalid-state");
    this.#backlog = size > BigInt(backlogMax) ? backlogMax : Number(size);
    return done;
  }

  keepAliveEnabled(): Outcome<boolean> {
    return ok(this.#keepAlive.enabled);
  }

  setKeepAliveEnabled(enabled: boolean): Outcome<undefined> {
    return this.#setKeepAlive({ enabled });
  }

  keepAliveIdleTime(): Outcome<bigint> {
    return ok(durationNs(this.#keepAlive.idleSeconds));
  }

  setKeepAliveIdleTime(idleNs: bigint): Outcome<undefined> {
    if (idleNs === 0n) return err("invalid-argument");
    return this.#setKeepAlive({ idleSeconds: keepAliveSeconds(idleNs) });
  }

  keepAliveInterval(): Outcome<bigint> {
    return ok(durationNs(this.#keepAlive.intervalSeconds));
  }

  setKeepAliveInterval(intervalNs: bigint): Outcome<undefined> {
    if (intervalNs === 0n) return err("invalid-argument");
    return this.#setKeepAlive({ intervalSeconds: keepAliveSeconds(intervalNs) });
  }

  keepAliveCount(): Outcome<number> {
    return ok(this.#keepAlive.count);
  }

  setKeepAliveCount(count: number): Outcome<undefined> {
    if (count === 0) return err("invalid-argument");
    return this.#setKeepAlive({ count: keepAliveCount(count) });
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
      subscribe: (listener) => this.#listeners.add(listener),
    });
  }

  shutdown(how: "receive" | "send" | "both"): Outcome<undefined> {
    if (this.#state.phase !== "connected") return err("invalid-state");
    const { connection } = this.#state;
    if (how !== "send") connection.stopReceiving();
    if (how !== "receive") connection.stopSending();
    return done;
  }

  protected override dropped(): void {
    const state = this.#state;
    if (state.phase === "connecting" || state.phase === "connected") state.connection.release();
    if (state.phase === "listen-started" || state.phase === "listening") state.listener.close();
    this.#unbind();
    this.#state = { phase: "closed" };
  }

  #adopt(socket: Socket, keepAlive: KeepAlive): Streams {
    const connection = new TcpConnection(this.context, socket, this.#slot);
    this.#state = { phase: "connected", connection };
    this.#setKeepAlive(keepAlive);
    return connection.streams();
  }

  #setKeepAlive(change: Partial<KeepAlive>): Outcome<undefined> {
    this.#keepAlive = { ...this.#keepAlive, ...change };
    const state = this.#state;
    if (state.phase === "connecting" || state.phase === "connected") {
      applyKeepAlive(state.connection.socket, this.#keepAlive);
    }
    return done;
  }

  #isBusy(): boolean {
    return ["bind-started", "connecting", "listen-started"].includes(this.#state.phase);
  }

  #isReady(): boolean {
    const state = this.#state;
    if (state.phase === "connecting")
      return state.connection.failure !== undefined || state.connection.ends !== undefined;
    if (state.phase === "listen-started") return state.listener.state !== "starting";
    if (state.phase === "listening") return state.listener.hasConnection;
    return true;
  }

  /** What connections and listeners hold they close themselves. */
  #unbind(): void {
    this.#undoEnd();
    const { phase } = this.#state;
    if (this.#state.phase === "bind-started" || this.#state.phase === "bound") this.#state.bound[Symbol.dispose]();
    if (["unbound", "bind-started", "bound"].includes(phase)) this.#slot.release();
  }
}

/** wasi:sockets/tcp@0.2 */
export const socketsTcp = (_context: GuestContext): object => ({
  TcpSocket: guestClass(TcpSocket, notConstructible, {}),
});

/** wasi:sockets/tcp-create-socket@0.2 */
export const socketsTcpCreate = (context: GuestContext): object => ({
  createTcpSocket: (family: IpFamily) => TcpSocket.create(context, family),
});
