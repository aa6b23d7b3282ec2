import type { Duplex } from "node:stream";
import { type Clock, describeError, type Timer } from "@shallop/sdk/internal";
import { GatewayFault } from "./fault-status.ts";
import { HttpExchange } from "./http-exchange.ts";
import { PodConnection } from "./pod-connection.ts";
import { podRequestHead } from "./pod-request-head.ts";
import { UpgradeExchange } from "./upgrade-exchange.ts";
import type { CancelUpstream, Upstream, UpstreamHandlers, UpstreamRequest } from "./upstream.ts";

export interface HttpUpstreamOptions {
  readonly clock: Clock;
  /** Makes a connection to the pod. */
  readonly dial: () => Promise<Duplex>;
}

// An idle connection that the pod may close at any moment is worth little; Node's own servers keep one for 5 s.
const idleMsMax = 4_000;
// More connections than requests at once are never needed; more idle ones than this are not worth their memory.
const idleMax = 64;

/** Requests to a native pod: HTTP/1.1, one at a time on each kept connection. */
export class HttpUpstream implements Upstream {
  readonly upgrades = true;
  readonly #options: HttpUpstreamOptions;
  /** Those that take a request; the last was used last. */
  readonly #idle: PodConnection[] = [];
  /** Looks after the idle ones, while there are any. */
  #sweep: Timer | undefined;
  #isRetired = false;

  constructor(options: HttpUpstreamOptions) {
    this.#options = options;
  }

  open(request: UpstreamRequest, handlers: UpstreamHandlers): CancelUpstream {
    const head = podRequestHead(request);
    if (head === undefined) {
      const fault = new GatewayFault("BAD_REQUEST", "the request cannot be written as HTTP/1.1");
      queueMicrotask(() => handlers.failed(fault));
      return () => undefined;
    }
    const exchange = request.isUpgrade
      ? new UpgradeExchange(request, head, handlers)
      : new HttpExchange(request, head, handlers);
    const kept = this.#take();
    if (kept === undefined) this.#connect(exchange);
    else kept.begin(exchange);
    return () => exchange.cancel();
  }

  retire(): void {
    this.#isRetired = true;
    this.#sweep?.cancel();
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  #connect(exchange: HttpExchange): void {
    const { dial } = this.#options;
    dial().then(
      (socket) => {
        const connection = new PodConnection(socket, this);
        if (exchange.isOver) this.free(connection);
        else connection.begin(exchange);
      },
      (error: unknown) => {
        const isFault = error instanceof GatewayFault;
        exchange.failed(isFault ? error : new GatewayFault("CONNECT_FAILED", describeError(error), { cause: error }));
      },
    );
  }

  #take(): PodConnection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.isUsable) return connection;
    }
  }

  /** For a connection: its request is over. */
  free(connection: PodConnection): void {
    if (!connection.isUsable) return;
    if (this.#isRetired || this.#idle.length >= idleMax) return connection.destroy();
    connection.idleSinceMs = this.#options.clock.nowMs();
    this.#idle.push(connection);
    this.#sweep ??= this.#options.clock.after(idleMsMax, () => this.#closeIdle());
  }

  /** For a connection: the pod has closed it. */
  closed(connection: PodConnection): void {
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  #closeIdle(): void {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    // The oldest come first.
    let count = 0;
    // A timer of Node may fire a millisecond early.
    while ((this.#idle[count]?.idleSinceMs ?? nowMs) <= nowMs - idleMsMax + 1) count++;
    for (const connection of this.#idle.splice(0, count)) connection.destroy();
    const [oldest] = this.#idle;
    this.#sweep =
      oldest === undefined ? undefined : clock.after(oldest.idleSinceMs + idleMsMax - nowMs, () => this.#closeIdle());
  }
}
