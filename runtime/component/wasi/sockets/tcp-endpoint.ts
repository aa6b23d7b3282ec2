import { BoundSocket, type Socket } from "node:net";
import { assert, unreachable } from "@shallop/sdk/internal";
import type { KeepAlive } from "../../egress/egress.ts";
import type { GuestContext } from "../guest-context.ts";
import { done, err, ok, type Result } from "../result.ts";
import { Listeners } from "../waitable.ts";
import { bindAddress } from "./bind-address.ts";
import { addressText, anyAddress, type IpFamily, type IpSocketAddress, isRemote, socketAddress } from "./ip-address.ts";
import { applyKeepAlive, defaultKeepAlive, keepAliveCount, keepAliveSeconds } from "./keep-alive.ts";
import { type NetworkErrorCode, networkErrorOf } from "./network-error.ts";
import { type SocketSlot, takeSlot } from "./socket-slot.ts";
import { TcpConnection } from "./tcp-connection.ts";
import { TcpListener } from "./tcp-listener.ts";

type Outcome<Value> = Result<Value, NetworkErrorCode>;

/** Operational semantics of WASI sockets, "TcpSocketOperationalSemantics.md". */
type State =
  | { readonly phase: "unbound" }
  | { readonly phase: "bound"; readonly bound: BoundSocket; readonly local: IpSocketAddress }
  | { readonly phase: "connecting"; readonly connection: TcpConnection }
  | { readonly phase: "connected"; readonly connection: TcpConnection }
  | { readonly phase: "listening"; readonly listener: TcpListener; readonly local: IpSocketAddress }
  | { readonly phase: "closed" };

// Connections that wait for a guest which accepts one after the other. Each is a descriptor of the node.
const backlogMax = 32;

/** What a TCP socket of any WASI is: its states, its options, and what the egress judge allows it. */
export class TcpEndpoint {
  readonly family: IpFamily;
  /** Told when a connection has opened or failed, when it listens, and when somebody has connected to it. */
  readonly changed = new Listeners();
  readonly #context: GuestContext;
  readonly #slot: SocketSlot;
  readonly #undoEnd: () => void;
  #state: State = { phase: "unbound" };
  #keepAlive = defaultKeepAlive;
  #backlog = backlogMax;

  private constructor(context: GuestContext, family: IpFamily, slot: SocketSlot) {
    this.#context = context;
    this.family = family;
    this.#slot = slot;
    this.#undoEnd = context.onEnd(() => this.#unbind());
  }

  static create(context: GuestContext, family: IpFamily): Outcome<TcpEndpoint> {
    const slot = takeSlot(context);
    return slot === undefined ? err("new-socket-limit") : ok(new TcpEndpoint(context, family, slot));
  }

  get phase(): State["phase"] {
    return this.#state.phase;
  }

  /** The connection, while it opens and when it is open. */
  get connection(): TcpConnection | undefined {
    const state = this.#state;
    return state.phase === "connecting" || state.phase === "connected" ? state.connection : undefined;
  }

  get listener(): TcpListener | undefined {
    return this.#state.phase === "listening" ? this.#state.listener : undefined;
  }

  bind(address: IpSocketAddress): Outcome<undefined> {
    if (this.#state.phase !== "unbound") return err("invalid-state");
    const host = bindAddress(address, this.family, this.#context.settings.egress.policy);
    return host.tag === "err" ? host : this.#bindTo(host.val, address.val.port);
  }

  /** Begins to connect; `finishConnect` says what came of it once `changed` was told. */
  connect(address: IpSocketAddress): Outcome<TcpConnection> {
    const state = this.#state;
    if (state.phase !== "unbound" && state.phase !== "bound") return err("invalid-state");
    if (!isRemote(address, this.family)) return err("invalid-argument");
    const host = addressText(address);
    // The address that is connected to is the one that is judged: no name comes in between.
    if (!this.#context.settings.egress.allows(host)) return err("access-denied");
    const bound = state.phase === "bound" ? state.bound : undefined;
    const options = { host, port: address.val.port, bound, keepAlive: this.#keepAlive };
    const outgoing = this.#context.settings.egress.connectTcp(options);
    const connection = new TcpConnection(this.#context, outgoing.socket, this.#slot);
    this.#state = { phase: "connecting", connection };
    connection.onSettled(() => this.changed.notify());
    connection.expectOpen(outgoing);
    return ok(connection);
  }

  /** Undefined while it is still opening. */
  finishConnect(): Outcome<TcpConnection> | undefined {
    if (this.#state.phase !== "connecting") return err("invalid-state");
    const { connection } = this.#state;
    if (connection.failure !== undefined) {
      this.#state = { phase: "closed" };
      return err(connection.failure);
    }
    if (connection.ends === undefined) return undefined;
    this.#state = { phase: "connected", connection };
    connection.begin();
    return ok(connection);
  }

  /** Begins to listen, on any port when it is not bound; `listener.state` says what came of it once `changed` was told. */
  listen(): Outcome<TcpListener> {
    if (this.#state.phase === "unbound") {
      const bound = this.#bindAnywhere();
      if (bound.tag === "err") return bound;
    }
    const state = this.#state;
    if (state.phase !== "bound") return err("invalid-state");
    const options = { backlog: this.#backlog, slot: this.#slot, changed: () => this.changed.notify() };
    const listener = new TcpListener(this.#context, state.bound, options);
    this.#state = { phase: "listening", listener, local: state.local };
    return ok(listener);
  }

  /** The listener has failed. */
  closeFailed(): void {
    this.#state = { phase: "closed" };
  }

  /** The next connection of a socket that listens; undefined when none waits. */
  accept(): Outcome<TcpEndpoint> | undefined {
    if (this.#state.phase !== "listening") return err("invalid-state");
    const { listener } = this.#state;
    if (!listener.hasConnection) return undefined;
    const created = TcpEndpoint.create(this.#context, this.family);
    if (created.tag === "err") return created;
    const socket = listener.accept();
    assert(socket !== undefined, "a connection waits");
    created.val.#adopt(socket, this.#keepAlive);
    return created;
  }

  localAddress(): Outcome<IpSocketAddress> {
    const state = this.#state;
    switch (state.phase) {
      case "bound":
      case "listening":
        return ok(state.local);
      case "connecting":
      case "connected":
        return state.connection.ends === undefined ? err("invalid-state") : ok(state.connection.ends.local);
      case "unbound":
      case "closed":
        return err("invalid-state");
      default:
        return unreachable(state);
    }
  }

  remoteAddress(): Outcome<IpSocketAddress> {
    const ends = this.#state.phase === "connected" ? this.#state.connection.ends : undefined;
    return ends === undefined ? err("invalid-state") : ok(ends.remote);
  }

  setListenBacklogSize(size: bigint): Outcome<undefined> {
    if (size === 0n) return err("invalid-argument");
    const { phase } = this.#state;
    if (phase === "listening") return err("not-supported");
    if (phase !== "unbound" && phase !== "bound") return err("invalid-state");
    this.#backlog = size > BigInt(backlogMax) ? backlogMax : Number(size);
    return done;
  }

  get keepAlive(): KeepAlive {
    return this.#keepAlive;
  }

  setKeepAliveEnabled(enabled: boolean): Outcome<undefined> {
    return this.#setKeepAlive({ enabled });
  }

  setKeepAliveIdleTime(idleNs: bigint): Outcome<undefined> {
    return idleNs === 0n ? err("invalid-argument") : this.#setKeepAlive({ idleSeconds: keepAliveSeconds(idleNs) });
  }

  setKeepAliveInterval(intervalNs: bigint): Outcome<undefined> {
    if (intervalNs === 0n) return err("invalid-argument");
    return this.#setKeepAlive({ intervalSeconds: keepAliveSeconds(intervalNs) });
  }

  setKeepAliveCount(count: number): Outcome<undefined> {
    return count === 0 ? err("invalid-argument") : this.#setKeepAlive({ count: keepAliveCount(count) });
  }

  /** The guest has dropped the socket. */
  close(): void {
    const state = this.#state;
    if (state.phase === "connecting" || state.phase === "connected") state.connection.release();
    if (state.phase === "listening") state.listener.close();
    this.#unbind();
    this.#state = { phase: "closed" };
  }

  #bindTo(host: string, port: number): Outcome<undefined> {
    try {
      // bind(2) itself: it does not block, and nothing listens yet.
      const bound = new BoundSocket({ host, port, ipv6Only: this.family === "ipv6" });
      const local = bound.address();
      this.#state = { phase: "bound", bound, local: socketAddress(local.address, local.port) };
      return done;
    } catch (error) {
      return err(networkErrorOf(error));
    }
  }

  #bindAnywhere(): Outcome<undefined> {
    return this.bind(socketAddress(anyAddress[this.family], 0));
  }

  #adopt(socket: Socket, keepAlive: KeepAlive): void {
    const connection = new TcpConnection(this.#context, socket, this.#slot);
    this.#state = { phase: "connected", connection };
    this.#setKeepAlive(keepAlive);
    connection.begin();
  }

  #setKeepAlive(change: Partial<KeepAlive>): Outcome<undefined> {
    this.#keepAlive = { ...this.#keepAlive, ...change };
    if (this.connection !== undefined) applyKeepAlive(this.connection.socket, this.#keepAlive);
    return done;
  }

  /** What connections and listeners hold they close themselves. */
  #unbind(): void {
    this.#undoEnd();
    const state = this.#state;
    if (state.phase === "bound") state.bound[Symbol.dispose]();
    if (state.phase === "unbound" || state.phase === "bound") this.#slot.release();
  }
}
