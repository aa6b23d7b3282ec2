import type { FutureReader, StreamReader } from "../../abi/stream.ts";
import type { GuestResponse } from "../../engine.ts";
import type { Caller, GuestContext } from "../guest-context.ts";
import { BodySink } from "../http-body-sink.ts";
import type { CallAnswer } from "../http-client.ts";
import { parseContentLength } from "../header-rules.ts";
import { guestClass, notConstructible, Resource } from "../resource.ts";
import { done, failed, type Result } from "../result.ts";
import { type GivenBody, internalError, MessageBody, type Sent, type Trailers } from "./http-body.ts";
import { Fields } from "./http-fields.ts";
import { ownedFields } from "./http-request.ts";

export interface SendOptions {
  /** The request was HEAD: whatever the body is, it is not sent. */
  readonly isHead: boolean;
  /** Told where the body is written to, which may be failed from outside. */
  readonly begun?: (body: BodySink) => void;
}

/** `wasi:http/types.response`: one that has come, or one that a guest makes. */
export class HttpResponse extends Resource {
  readonly #headers: Fields;
  readonly #body: MessageBody;
  #status: number;

  constructor(
    context: GuestContext,
    status: number,
    message: { readonly headers: Fields; readonly body: MessageBody },
  ) {
    super(context);
    this.#status = status;
    this.#headers = message.headers;
    this.#body = message.body;
  }

  /** One that has come. */
  static arrived(context: GuestContext, answer: CallAnswer): HttpResponse {
    const release = (): void => {
      if (!answer.body.finished) answer.abandon();
    };
    return new HttpResponse(context, answer.status, {
      headers: ownedFields(Fields.ofFlat(context, answer.headers)),
      body: MessageBody.arriving(context, answer.body, { release, trailersOf: answer.trailers }),
    });
  }

  static make(context: GuestContext, headers: Fields, body: GivenBody): [HttpResponse, Promise<Sent>] {
    const message = MessageBody.given(body);
    return [new HttpResponse(context, 200, { headers: ownedFields(headers), body: message }), message.sent];
  }

  getStatusCode(): number {
    return this.#status;
  }

  setStatusCode(status: number): Result<undefined, undefined> {
    // 1xx are no final answers (RFC 9110, 15.2), and three digits are all there is.
    if (status < 200 || status > 999) return failed;
    this.#status = status;
    return done;
  }

  getHeaders(): Fields {
    return this.#headers.immutableCopy();
  }

  /** The static `consume-body`. */
  consumeBody(handled: FutureReader<Sent>): [StreamReader<number>, FutureReader<Trailers> | Promise<Trailers>] {
    const body = this.#body.consume(handled);
    this[Symbol.dispose]();
    return body;
  }

  /** Gives the answer. Resolves when all of it is with `response`, well or not; rejects when the guest fails. */
  async send(response: GuestResponse, options: SendOptions): Promise<void> {
    const { context } = this;
    const contentLength = parseContentLength(this.#headers.getText("content-length"));
    if (contentLength === null) {
      this[Symbol.dispose]();
      return response.fail("the guest's content-length is not one number");
    }
    const sink = new BodySink(context.settings.bounds.bufferBytesMax);
    response.respond(this.#status, this.#headers.toFlat());
    const discard = options.isHead || this.#status === 204 || this.#status === 304;
    sink.attach(response, { contentLength, discard });
    options.begun?.(sink);
    const sent = this.#body.sendTo(context, sink, "HTTP-response-body-size");
    this[Symbol.dispose]();
    await sent;
  }

  protected override dropped(): void {
    this.#body.drop(internalError("the response was dropped"));
  }
}

/** The class as one instance sees it. */
export const responseClass = (caller: Caller): object =>
  guestClass(HttpResponse, notConstructible, {
    new: (headers: Fields, contents: StreamReader<number> | undefined, trailers: FutureReader<Trailers>) =>
      HttpResponse.make(caller.context, headers, { contents, trailers }),
    consumeBody: (response: HttpResponse, handled: FutureReader<Sent>) => response.consumeBody(handled),
  });
