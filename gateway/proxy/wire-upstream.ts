import type { Duplex } from "node:stream";
import { describeError } from "@shallop/sdk/internal";
import { WireConnection, type WireFault } from "@shallop/sdk/wire";
import { GatewayFault } from "./fault-status.ts";
import type { CancelUpstream, Upstream, UpstreamHandlers, UpstreamRequest } from "./upstream.ts";

export interface WireUpstreamOptions {
  /** Makes a connection to the pod. */
  readonly dial: () => Promise<Duplex>;
  /**
   * The pod is on this machine: nothing that it has said is lost on the way. Requests go out with the connection then, ahead of its hello.
   */
  readonly isNear: boolean;
  /** The pod asks for no new requests. */
  readonly draining: () => void;
}

interface Waiting {
  readonly request: UpstreamRequest;
  readonly handlers: UpstreamHandlers;
  cancel: CancelUpstream;
  cancelled: boolean;
}

/** Requests to a wasm pod: streams of one wire connection, dialled again when it is gone or takes no more. */
export class WireUpstream implements Upstream {
  readonly upgrades = false;
  readonly #options: WireUpstreamOptions;
  #connection: WireConnection | undefined;
  #waiting: Waiting[] = [];
  #retired = false;

  constructor(options: WireUpstreamOptions) {
    this.#options = options;
  }

  open(request: UpstreamRequest, handlers: UpstreamHandlers): CancelUpstream {
    const connection = this.#connection;
    if (connection?.accepting === true) return openStream(connection, request, handlers);
    const waiting: Waiting = { request, handlers, cancelled: false, cancel: () => void (waiting.cancelled = true) };
    this.#waiting.push(waiting);
    if (this.#waiting.length === 1) this.#dial();
    return () => waiting.cancel();
  }

  retire(): void {
    this.#retired = true;
    this.#connection?.close();
    this.#connection = undefined;
  }

  #dial(): void {
    this.#options.dial().then(
      (socket) => this.#dialled(socket),
      (error: unknown) => {
        const isFault = error instanceof GatewayFault;
        this.#failWaiting(isFault ? error : new GatewayFault("CONNECT_FAILED", describeError(error), { cause: error }));
      },
    );
  }

  /** A pod says hello before it reads: a connection that is lost until then has cost nothing, whatever was sent. */
  #dialled(socket: Duplex): void {
    const { isNear } = this.#options;
    const connection = new WireConnection(socket, {
      greeted: () => !isNear && this.#use(connection),
      draining: () => {
        this.#forget(connection);
        connection.close();
        this.#options.draining();
      },
      closed: (fault) => {
        this.#forget(connection);
        if (!connection.isGreeted && !isNear) this.#failWaiting(ungreetedFault(fault));
      },
    });
    if (isNear) this.#use(connection);
  }

  #use(connection: WireConnection): void {
    // One that takes no more streams finishes those that it has.
    this.#connection?.close();
    this.#connection = connection;
    const waiting = this.#waiting.splice(0);
    for (const one of waiting) {
      if (one.cancelled) continue;
      if (connection.accepting) one.cancel = openStream(connection, one.request, one.handlers);
      else one.handlers.failed(new GatewayFault("REFUSED", "the connection to the pod takes no more requests"));
    }
    if (this.#retired) this.retire();
  }

  #failWaiting(fault: GatewayFault): void {
    for (const waiting of this.#waiting.splice(0)) if (!waiting.cancelled) waiting.handlers.failed(fault);
  }

  #forget(connection: WireConnection): void {
    if (this.#connection === connection) this.#connection = undefined;
  }
}

function openStream(connection: WireConnection, request: UpstreamRequest, handlers: UpstreamHandlers): CancelUpstream {
  const stream = connection.request(request.head, {
    head: (head) => handlers.head(head),
    data: (chunk) => handlers.data(chunk),
    end: (trailers) => handlers.end(trailers),
    failed: (fault: WireFault) =>
      handlers.failed(
        connection.isGreeted ? new GatewayFault(fault.code, fault.message, { cause: fault }) : ungreetedFault(fault),
      ),
    writable: () => handlers.writable(),
  });
  handlers.opened(stream);
  return () => stream.abort("CANCELLED", "the client has gone, or its time is over");
}

function ungreetedFault(cause: WireFault | undefined): GatewayFault {
  const code = cause?.code === "PROTOCOL" ? "PROTOCOL" : "CONNECT_FAILED";
  return new GatewayFault(code, "the pod ended the connection before it had taken it", { cause });
}
