import { describeError } from "@shallop/sdk/internal";
import { type WebSocketAction, webSocketType } from "@shallop/sdk/wire";
import { ClientDecorator } from "../filter/client-decorator.ts";
import type { OpenRequest } from "../listen/connections.ts";
import { answerFault } from "../proxy/answer-fault.ts";
import type { AnswerRest, ClientEnd } from "../proxy/client-end.ts";
import { headerValue } from "../route/predicates.ts";
import { ActionReader } from "./actions.ts";
import type { HeldSocket } from "./held-socket.ts";

export type Acceptance = Extract<WebSocketAction, { readonly accept: unknown }>["accept"];

export interface HandshakeOptions {
  readonly requestId: string;
  readonly lineBytesMax: number;
  /** Gives the client its 101, with these headers among others; undefined when it has gone. */
  readonly hold: (acceptance: Acceptance, headers: readonly string[]) => HeldSocket | undefined;
  /** The function gave an answer that is none. */
  readonly complain: (reason: string) => void;
  /** The handshake has come to nothing, or the pod itself holds the connection and it has ended. */
  readonly over: () => void;
}

/**
 * The client's end of a request to speak WebSocket, until it is known who holds the connection: a native pod, which answers
 * 101; or the gateway, which a function asks for that by the type of its answer.
 */
export class HandshakeEnd extends ClientDecorator implements OpenRequest {
  readonly #options: HandshakeOptions;
  /** Of the answer that the gateway carries out; undefined: it goes to the client. */
  #reader: ActionReader | undefined;
  #headers: readonly string[] = [];
  #isRefused = false;
  #isOurs = false;
  #held: HeldSocket | undefined;
  #request: OpenRequest | undefined;
  #closed: (() => void) | undefined;

  constructor(inner: ClientEnd, options: HandshakeOptions) {
    super(inner);
    this.#options = options;
    inner.onceClosed(() => this.#closed?.());
  }

  /** The request whose end this is. */
  set request(request: OpenRequest) {
    if (!this.#isOurs) this.#request = request;
  }

  refuse(code: "BAD_REQUEST"): void {
    this.#request?.refuse(code);
  }

  /** The gateway stops. */
  override closeAfter(): void {
    if (this.#held === undefined) super.closeAfter();
    else this.#held.drain();
  }

  /** The request is done with. */
  requestOver(): void {
    this.#request = undefined;
    if (this.#held === undefined) this.#options.over();
  }

  override onceClosed(listener: () => void): void {
    this.#closed = listener;
  }

  override writeHead(status: number, headers: readonly string[], rest: AnswerRest): void {
    if (status === 200 && headerValue(headers, "content-type") === webSocketType) {
      this.#isOurs = true;
      this.#headers = headers;
      this.#reader = new ActionReader(this.#options.lineBytesMax, (action) => this.#act(action));
    } else if (status >= 200 && status < 300) this.#refuse("NO_WEBSOCKET");
    else super.writeHead(status, headers, rest);
  }

  override flushHead(): void {
    if (!this.#isOurs && !this.#isRefused) super.flushHead();
  }

  override write(chunk: Buffer): boolean {
    if (this.#isRefused) return true;
    if (this.#reader === undefined) return super.write(chunk);
    this.#take(chunk);
    return true;
  }

  override end(rest: Buffer | string | undefined, trailers?: readonly string[]): void {
    if (this.#isRefused) return;
    const reader = this.#reader;
    if (reader === undefined) return super.end(rest, trailers);
    if (rest !== undefined) this.#take(Buffer.from(rest));
    this.#try(() => {
      reader.end();
      // An answer without a line agrees all the same.
      if (!this.#isRefused) this.#hold({});
    });
    this.#done();
  }

  override cutShort(): void {
    if (this.#held !== undefined) this.#held.close(1011, "the function failed");
    else if (!this.#isOurs) return super.cutShort();
    else if (!this.#isRefused) this.#refuse("GUEST_FAILED");
    this.#done();
  }

  override pause(): void {
    if (!this.#isOurs) super.pause();
  }

  override resume(): void {
    if (!this.#isOurs) super.resume();
  }

  override discardRest(): void {
    if (!this.#isOurs || this.#isRefused) super.discardRest();
  }

  #done(): void {
    this.#reader = undefined;
    this.#held?.called();
  }

  #take(chunk: Buffer): void {
    this.#try(() => {
      if (!this.#isRefused) this.#reader?.take(chunk);
    });
  }

  #try(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#options.complain(describeError(error));
      if (this.#held === undefined) this.#refuse("ANSWER_INVALID");
      else this.#held.close(1011, "the function gave an answer that is none");
    }
  }

  #act(action: WebSocketAction): void {
    if ("accept" in action && this.#held === undefined) this.#hold(action.accept);
    else {
      this.#hold({});
      this.#held?.act(action);
    }
  }

  #hold(acceptance: Acceptance): void {
    if (this.#held !== undefined || !this.#isOurs) return;
    this.#held = this.#options.hold(acceptance, this.#headers);
    this.#headers = [];
    // The connection's own close is the held socket's business; what the request holds is let go of.
    this.#closed = undefined;
  }

  #refuse(code: "NO_WEBSOCKET" | "ANSWER_INVALID" | "GUEST_FAILED"): void {
    this.#isRefused = true;
    answerFault(this.inner, { code, requestId: this.#options.requestId });
  }
}
