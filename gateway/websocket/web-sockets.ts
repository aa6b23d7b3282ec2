import type { Clock, Timer } from "@shallop/sdk/internal";
import { type PeerMessage, type WebSocketData, webSocketHeaders } from "@shallop/sdk/wire";
import type { Forwarded } from "../filter/passage.ts";
import { isLoopback, type OpenRequest } from "../listen/connections.ts";
import type { AcceptedRequest } from "../listen/http-server.ts";
import type { GatewayLimits } from "../limits.ts";
import { answerFault } from "../proxy/answer-fault.ts";
import type { ClientEnd } from "../proxy/client-end.ts";
import { GatewayFault } from "../proxy/fault-status.ts";
import { headerValue } from "../route/predicates.ts";
import type { RevisionTarget } from "../route/target.ts";
import { lineBytesMaxFor, sentData } from "./actions.ts";
import { CallEnd, type CallSink } from "./call-end.ts";
import { Framing } from "./framing.ts";
import { type Acceptance, HandshakeEnd } from "./handshake-end.ts";
import { type Addressee, HeldSocket, type SocketEvent } from "./held-socket.ts";
import { type Addressed, SaidLines } from "./said-lines.ts";
import { Topics } from "./topics.ts";

/** A request and where it goes. */
export type Asked = Pick<Forwarded, "request" | "target" | "rules">;

export interface WebSocketsOptions {
  readonly clock: Clock;
  readonly limits: GatewayLimits;
  readonly uuid: () => string;
  /** Makes a request. */
  readonly exchange: (asked: Asked, over: () => void) => OpenRequest;
  /** Where a call of a connection goes now, which went to `target` before. @throws GatewayFault when it has nowhere to go */
  readonly targetOf: (request: AcceptedRequest, target: string) => string;
  readonly revision: (key: string) => RevisionTarget | undefined;
  readonly peers: Peers;
  /** A function gave an answer that is none. */
  readonly complain: (requestId: string, revision: string, reason: string) => void;
}

/** The cluster's other gateways, which hold WebSockets of the same services. */
interface Peers {
  /** There is none. */
  readonly isEmpty: boolean;
  /** Sends it to all of them, as well as that goes. */
  tell(message: PeerMessage): void;
}

/** A connection, and how its function is called. */
interface Held {
  readonly socket: HeldSocket;
  /** The handshake, by which its calls are routed. */
  readonly original: AcceptedRequest;
  /** The same as its rule has let it through: each call is made like it. */
  readonly request: AcceptedRequest;
  readonly rules: Asked["rules"];
  target: string;
  readonly service: string;
  readonly over: () => void;
}

/** The WebSockets that this gateway holds for components: who they are, whom they may speak to, and how many there may be. */
export class WebSockets {
  readonly #options: WebSocketsOptions;
  readonly #framing: Framing;
  readonly #heldById = new Map<string, Held>();
  readonly #topicsByService = new Map<string, Topics<HeldSocket>>();
  readonly #counts = new Map<string, number>();
  readonly #ticker: Timer;

  constructor(options: WebSocketsOptions) {
    const { clock, limits } = options;
    this.#options = options;
    this.#framing = new Framing(limits.webSocketMessageBytesMax);
    // What has come meanwhile is read first: after a while without a processor the time is up for all, and their answers are there.
    this.#ticker = clock.every(limits.webSocketPingMs, () => setImmediate(() => this.#sweep()));
  }

  get size(): number {
    return this.#heldById.size;
  }

  close(): void {
    this.#ticker.cancel();
  }

  /** Says in a handshake that a function may have it held. */
  announce({ headers, id }: AcceptedRequest): void {
    headers.headers.push(webSocketHeaders.event, "open", webSocketHeaders.id, id, ...heard);
  }

  /** Says in a request for `target` that its answer may begin with what it says to WebSockets, if anybody could hear that. */
  announceHearers({ headers }: AcceptedRequest, target: string): void {
    if (this.#heldById.size === 0 && this.#options.peers.isEmpty) return;
    const service = this.#options.revision(target)?.service ?? target;
    if (!this.#options.peers.isEmpty || this.#counts.has(serviceKey(service))) headers.headers.push(...heard);
  }

  /** Carries out the lines that stand before the answer of a function. */
  said({ service }: RevisionTarget, byteCount: number): SaidLines {
    return new SaidLines(byteCount, {
      lineBytesMax: lineBytesMaxFor(this.limits.webSocketMessageBytesMax),
      send: (action) => this.#send(service, action.send, addresseeOf(action)),
    });
  }

  /** Another gateway has something for connections of a service. */
  hear({ service, data, id, topic }: PeerMessage): void {
    this.#deliver(service, data, { id, topic });
  }

  /**
   * Makes the request of a handshake; `original` is it as the client sent it.
   * @throws GatewayFault ORIGIN_REFUSED, WEBSOCKETS_FULL
   */
  shake(asked: Asked, original: AcceptedRequest, over: () => void): OpenRequest {
    const { request, rules, target } = asked;
    const revision = this.#options.revision(target);
    const service = revision?.service ?? target;
    checkOrigin(request, revision);
    const leave = this.#enter(request, service);
    const key = headerValue(request.headers.headers, "sec-websocket-key") ?? "";
    const template = {
      ...request,
      headers: { ...request.headers, headers: withoutHandshake(request.headers.headers) },
    };
    const done = (): void => {
      leave();
      over();
    };
    const end: HandshakeEnd = new HandshakeEnd(request.peer, {
      requestId: request.id,
      lineBytesMax: this.#options.limits.webSocketMessageBytesMax,
      complain: (reason) => this.#options.complain(request.id, target, reason),
      hold: (acceptance, headers) => {
        const accepted = { acceptance, headers, key, layers: request.peer };
        const held = { original, request: template, rules, target, service, over: done };
        return this.#hold(held, accepted, revision?.idleTimeoutMs ?? 0);
      },
      over: done,
    });
    end.request = this.#options.exchange({ request: { ...request, peer: end }, target, rules }, () =>
      end.requestOver(),
    );
    return end;
  }

  /** Called by connections. */

  get clock(): Clock {
    return this.#options.clock;
  }

  get limits(): GatewayLimits {
    return this.#options.limits;
  }

  call(socket: HeldSocket, event: SocketEvent, sink: CallSink): void {
    const held = this.#heldById.get(socket.id);
    if (held === undefined) return sink.end(false);
    const { exchange, targetOf, uuid } = this.#options;
    const { request, rules } = held;
    const body = event.kind === "message" ? event.data : event.reason;
    const peer = new CallEnd("POST", body, sink);
    const id = uuid();
    try {
      held.target = targetOf(held.original, held.target);
      const headers = [...request.headers.headers, ...callHeaders(socket, event, body.length)];
      const call = {
        ...request,
        peer,
        id,
        headers: { ...request.headers, headers, contentLength: body.length, isUpgrade: false },
      };
      exchange({ request: call, target: held.target, rules }, () => undefined);
    } catch (error) {
      const code = error instanceof GatewayFault ? error.code : "RULE_UNUSABLE";
      answerFault(peer, { code, requestId: id });
    }
  }

  send(from: HeldSocket, data: WebSocketData, to: Addressee): void {
    const service = this.#heldById.get(from.id)?.service;
    if (service !== undefined) this.#send(service, data, to, from);
  }

  subscribe(socket: HeldSocket, topic: string): void {
    const service = this.#heldById.get(socket.id)?.service;
    if (service === undefined) return;
    let topics = this.#topicsByService.get(service);
    if (topics === undefined) {
      topics = new Topics();
      this.#topicsByService.set(service, topics);
    }
    topics.subscribe(topic, socket);
  }

  unsubscribe(socket: HeldSocket, topic: string): void {
    const service = this.#heldById.get(socket.id)?.service;
    const topics = service === undefined ? undefined : this.#topicsByService.get(service);
    topics?.unsubscribe(topic, socket);
    if (topics?.isEmpty === true && service !== undefined) this.#topicsByService.delete(service);
  }

  complain(socket: HeldSocket, reason: string): void {
    const held = this.#heldById.get(socket.id);
    if (held !== undefined) this.#options.complain(socket.id, held.target, reason);
  }

  over(socket: HeldSocket): void {
    const held = this.#heldById.get(socket.id);
    this.#heldById.delete(socket.id);
    held?.over();
  }

  #send(service: string, data: WebSocketData, to: Addressee, from?: HeldSocket): void {
    const isReached = this.#deliver(service, data, to, from);
    const { peers } = this.#options;
    if (isReached || peers.isEmpty) return;
    const { id, topic } = to;
    peers.tell({ service, data, ...(id === undefined ? {} : { id }), ...(topic === undefined ? {} : { topic }) });
  }

  /** @returns whether nobody else can be meant */
  #deliver(service: string, given: WebSocketData, { id, topic }: Addressee, from?: HeldSocket): boolean {
    const to = id === undefined ? undefined : this.#heldById.get(id);
    const isHere = to?.service === service;
    const hearers = topic === undefined ? [] : (this.#topicsByService.get(service)?.of(topic) ?? []);
    const { data, isBinary } = sentData(given);
    if (isHere) to.socket.deliver(data, isBinary);
    for (const socket of hearers) if (socket !== from) socket.deliver(data, isBinary);
    return isHere && topic === undefined;
  }

  #hold(
    held: Omit<Held, "socket">,
    { acceptance, headers, key, layers }: Accepted,
    idleTimeoutMs: number,
  ): HeldSocket | undefined {
    const detached = held.original.peer.detach?.();
    const { id } = held.request;
    if (detached === undefined) return undefined;
    const webSocket = this.#framing.open({
      ...detached,
      key,
      protocol: acceptance.protocol,
      writeHead: (more) => layers.writeHead(101, [...withoutBody(headers), ...more], "body"),
    });
    if (webSocket === undefined) return undefined;
    const events = new Set<string>(acceptance.events ?? ["message", "close"]);
    const socket = new HeldSocket({ id, owner: this, webSocket, stream: detached.socket, idleTimeoutMs, events });
    this.#heldById.set(id, { ...held, socket });
    return socket;
  }

  /** Counts a connection while it is open. @returns what ends that. @throws GatewayFault WEBSOCKETS_FULL */
  #enter({ client }: AcceptedRequest, service: string): () => void {
    const { webSocketsPerServiceMax, webSocketsPerTenantMax, webSocketsPerAddressMax } = this.#options.limits;
    const { address } = client;
    const bounds: readonly (readonly [string, number])[] = [
      [serviceKey(service), webSocketsPerServiceMax],
      [`tenant ${service.slice(0, service.indexOf("/"))}`, webSocketsPerTenantMax],
      [`address ${address}`, isLoopback(address) || webSocketsPerAddressMax === 0 ? Infinity : webSocketsPerAddressMax],
    ];
    const counts = this.#counts;
    if (bounds.some(([key, most]) => (counts.get(key) ?? 0) >= most)) throw new GatewayFault("WEBSOCKETS_FULL", "");
    for (const [key] of bounds) counts.set(key, (counts.get(key) ?? 0) + 1);
    return () => {
      for (const [key] of bounds) {
        const count = (counts.get(key) ?? 1) - 1;
        if (count === 0) counts.delete(key);
        else counts.set(key, count);
      }
    };
  }

  #sweep(): void {
    const nowMs = this.clock.nowMs();
    for (const { socket } of this.#heldById.values()) socket.sweep(nowMs, this.limits.webSocketPingMs);
  }
}

/** Of the count of a service's connections. */
const serviceKey = (service: string): string => `service ${service}`;

const heard = [webSocketHeaders.heard, "1"] as const;

const addresseeOf = (action: Addressed): Addressee => ({
  id: "to" in action ? action.to : undefined,
  topic: "topic" in action ? action.topic : undefined,
});

interface Accepted {
  readonly acceptance: Acceptance;
  /** Of the function's answer, flat. */
  readonly headers: readonly string[];
  /** `Sec-WebSocket-Key`. */
  readonly key: string;
  /** The client's end, with what its rule does to answers. */
  readonly layers: ClientEnd;
}

/** Browsers say where a page is from, and let any page open a WebSocket to anywhere. @throws GatewayFault ORIGIN_REFUSED */
function checkOrigin({ headers }: AcceptedRequest, revision: RevisionTarget | undefined): void {
  const origins = revision?.webSocket.origins;
  const origin = headerValue(headers.headers, "origin");
  if (origins !== undefined && origin !== undefined && !origins.has(origin.toLowerCase())) {
    throw new GatewayFault("ORIGIN_REFUSED", "");
  }
}

function callHeaders(socket: HeldSocket, event: SocketEvent, byteCount: number): readonly string[] {
  const headers = [
    "content-length",
    String(byteCount),
    webSocketHeaders.event,
    event.kind,
    webSocketHeaders.id,
    socket.id,
    ...heard,
  ];
  if (socket.state !== undefined) headers.push(webSocketHeaders.state, socket.state);
  const isBinary = event.kind === "message" && event.isBinary;
  headers.push("content-type", isBinary ? "application/octet-stream" : "text/plain; charset=utf-8");
  if (event.kind === "close") headers.push(webSocketHeaders.code, String(event.code));
  return headers;
}

const ofHandshake = /^(sec-websocket-(key|version|extensions)|content-(length|type)|x-shallop-websocket.*)$/;
const ofBody = /^(content-(length|type|encoding)|sec-websocket-.*)$/;

const without = (headers: readonly string[], names: RegExp): string[] =>
  headers.filter((_item, index) => !names.test(headers[index - (index % 2)] ?? ""));

/** What is the handshake's own, and no part of what the client says of itself. */
const withoutHandshake = (headers: readonly string[]): string[] => without(headers, ofHandshake);
const withoutBody = (headers: readonly string[]): string[] => without(headers, ofBody);
