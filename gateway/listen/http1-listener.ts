import type { Socket } from "node:net";
import { fieldLine, fieldLines, type ParsedRequest, statusLine } from "@shallop/sdk/http1";
import type { Clock, Log, Random, Timer } from "@shallop/sdk/internal";
import type { GatewayLimits } from "../limits.ts";
import { faultResponse, GatewayFault, type GatewayFaultCode } from "../proxy/fault-status.ts";
import { expectation, readClientFields } from "../proxy/http1-request.ts";
import type { ClientHeaders } from "../proxy/request-head.ts";
import { readRequestTarget, type RequestTarget } from "../proxy/request-target.ts";
import type { ClientConnection } from "./connections.ts";
import type { Http1Client } from "./http1-client.ts";
import { Http1Connection, type Http1Host } from "./http1-connection.ts";
import type { ReceivedRequest, Refusal } from "./received-request.ts";
import { UpgradeClient } from "./upgrade-client.ts";

export interface Http1ListenerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: GatewayLimits;
  readonly received: (request: ReceivedRequest) => void;
  readonly refused: (refusal: Refusal) => void;
}

/** HTTP/1.1 of clients. One timer looks after the time of all connections. */
export class Http1Listener {
  readonly #options: Http1ListenerOptions;
  readonly #connections = new Set<Http1Connection>();
  readonly #looking: Timer;
  readonly #host: Http1Host & { dateLine: string };

  constructor(options: Http1ListenerOptions) {
    this.#options = options;
    const { clock, limits } = options;
    this.#host = {
      headerBytesMax: limits.headerBytesMax,
      headerTimeoutMs: limits.headerTimeoutMs,
      idleTimeoutMs: limits.idleTimeoutMs,
      dateLine: dateLine(clock),
      keepLines: `connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(limits.idleTimeoutMs / 1000)}\r\n`,
      nowMs: () => clock.nowMs(),
      request: (connection, head, peer) => this.#request(connection, head, peer),
      upgrade: (connection, head, rest) => this.#upgrade(connection, head, rest),
      refusal: ({ client }, code) => this.#refusal(client, code),
      ended: (connection) => this.#connections.delete(connection),
    };
    this.#looking = clock.every(limits.headerCheckMs, () => this.#look());
  }

  /** Takes over a connection whose client speaks HTTP/1; its first bytes are unread. */
  take(socket: Socket, client: ClientConnection): void {
    this.#connections.add(new Http1Connection(socket, client, this.#host));
  }

  closeIdle(): void {
    for (const connection of this.#connections) if (connection.isIdle) connection.end();
  }

  /** There are no connections any more. */
  close(): void {
    this.#looking.cancel();
  }

  #look(): void {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    this.#host.dateLine = dateLine(clock);
    for (const connection of this.#connections) connection.look(nowMs);
  }

  #request({ client }: Http1Connection, head: ParsedRequest, peer: Http1Client): void {
    const expected = expectation(head);
    this.#options.received({
      peer,
      connection: client,
      scheme: client.scheme,
      protocol: head.isOld ? "1.0" : "1.1",
      expectsContinue: expected !== undefined,
      read: () => {
        if (expected === "unknown") throw new GatewayFault("EXPECTATION_FAILED", "");
        return this.#read(head);
      },
    });
  }

  #upgrade({ client, socket }: Http1Connection, head: ParsedRequest, rest: Buffer): void {
    const { clock, received } = this.#options;
    received({
      peer: new UpgradeClient(socket, rest, clock),
      connection: client,
      scheme: client.scheme,
      protocol: head.isOld ? "1.0" : "1.1",
      expectsContinue: false,
      read: () => {
        const { headers, target } = this.#read(head);
        if (head.method !== "GET" || head.bodyBytes !== 0)
          throw new GatewayFault("BAD_REQUEST", "A WebSocket begins with a GET without a body.");
        checkWebSocket(head.headers);
        return { headers: { ...headers, isUpgrade: true }, target };
      },
    });
  }

  #read(head: ParsedRequest): { readonly headers: ClientHeaders; readonly target: RequestTarget } {
    const headers = readClientFields(head, this.#options.limits.headerCountMax);
    const target = readRequestTarget({ method: head.method, url: head.target }, head.host);
    if (head.method === "TRACE") throw new GatewayFault("NOT_SUPPORTED", "This gateway does not answer TRACE.");
    return { headers, target };
  }

  #refusal(client: ClientConnection, code: GatewayFaultCode): string {
    const { log, random, refused } = this.#options;
    log.debug("a client sent what is no request", { code });
    const id = random.uuid();
    const { status, headers, body } = faultResponse(code, id);
    refused({ client, id, code, status, byteCount: body.length });
    return `${statusLine(status)}${fieldLines(headers)}connection: close\r\n\r\n${body}`;
  }
}

/** RFC 9110, 5.6.7. */
const dateLine = (clock: Clock): string => fieldLine("date", new Date(clock.wallMs()).toUTCString());

// 16 bytes in base64.
const keyForm = /^[+/0-9A-Za-z]{22}==$/;

/** RFC 6455, 4.2.1 and 4.4. `headers`: flat. @throws GatewayFault */
function checkWebSocket(headers: readonly string[]): void {
  if (valueOf(headers, "sec-websocket-version") !== "13")
    throw new GatewayFault("WEBSOCKET_VERSION", "", { headers: ["sec-websocket-version", "13"] });
  if (!keyForm.test(valueOf(headers, "sec-websocket-key") ?? ""))
    throw new GatewayFault("BAD_REQUEST", "A WebSocket begins with a key of 16 bytes in base64.");
}

/** Undefined when there is none, or more than one. */
function valueOf(headers: readonly string[], name: string): string | undefined {
  const values = headers.filter((_, at) => at % 2 === 1 && headers[at - 1] === name);
  return values.length === 1 ? values[0] : undefined;
}
