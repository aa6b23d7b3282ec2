import type { ParsedResponse } from "@shallop/sdk/http1";
import { HttpExchange } from "./http-exchange.ts";
import type { PodConnection } from "./pod-connection.ts";

/**
 * A request to speak WebSocket with a native pod (RFC 6455, 4). What the client says reaches the pod after its 101 only: a
 * pod that answers anything else has agreed to nothing.
 */
export class UpgradeExchange extends HttpExchange {
  #hasSwitched = false;

  override get isSent(): boolean {
    return true;
  }

  override begin(connection: PodConnection): void {
    this.connection = connection;
    this.sendHead();
  }

  override write(chunk: Buffer): boolean {
    return !this.#hasSwitched || (this.connection?.write(chunk) ?? true);
  }

  override end(): void {
    if (this.#hasSwitched) this.connection?.finish();
  }

  override drained(): void {
    if (this.#hasSwitched) this.handlers.writable();
  }

  override informed(): void {
    // There is no page to hint at.
  }

  override answered(head: ParsedResponse): void {
    this.#hasSwitched = head.status === 101;
    const isAsked = head.upgrade?.toLowerCase() === "websocket" && /(?:^|[ ,])upgrade(?:$|[ ,])/.test(head.connection);
    if (this.#hasSwitched && !isAsked) return this.abandon("the pod switched to a protocol that was not asked for");
    this.handlers.opened(this);
    // What was opened may have been given up.
    if (!this.isOver) this.pass(head);
  }
}
