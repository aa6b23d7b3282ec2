import type { LiveGateway, LoadReport } from "@shallop/sdk/wire";

/** A gateway says every three seconds that it is there, and each second while it has requests. */
const silentMsMax = 10_000;
/** Each holds a connection to the API server; more are a mistake in somebody's loop. */
const gatewaysMax = 1_000;

interface Entry extends LiveGateway {
  readonly seenMs: number;
}

/** The gateways that live, so that each can know the others. Times are given, monotonic milliseconds. */
export class GatewayDirectory {
  readonly #entries = new Map<string, Entry>();

  /** Notes a report. @returns all that live */
  report({ gateway: name, peerAddress, isLeaving }: LoadReport, nowMs: number): readonly LiveGateway[] {
    this.#entries.delete(name);
    if (isLeaving !== true)
      this.#entries.set(name, { name, seenMs: nowMs, ...(peerAddress === undefined ? {} : { peerAddress }) });
    for (const [other, { seenMs }] of this.#entries)
      if (nowMs - seenMs > silentMsMax || this.#entries.size > gatewaysMax) this.#entries.delete(other);
    return [...this.#entries.values()].map(({ seenMs: _seenMs, ...gateway }) => gateway);
  }
}
