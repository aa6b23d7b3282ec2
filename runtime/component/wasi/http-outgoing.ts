import type { GuestResponse } from "../engine.ts";
import type { GuestContext } from "./guest-context.ts";
import { parseContentLength } from "./header-rules.ts";
import { BodySink } from "./http-body-sink.ts";
import { describeErrorCode, type HttpErrorCode } from "./http-error-code.ts";
import type { Fields } from "./http-fields.ts";
import { OutputStream } from "./output-stream.ts";
import { Resource } from "./resource.ts";
import { done, err, failed, ok, type Result } from "./result.ts";

/** `wasi:http/types.outgoing-body`. */
export class OutgoingBody extends Resource {
  readonly #sink: BodySink;
  #taken = false;

  constructor(context: GuestContext, sink: BodySink) {
    super(context);
    this.#sink = sink;
  }

  write(): Result<OutputStream, undefined> {
    if (this.#taken) return failed;
    this.#taken = true;
    return ok(new OutputStream(this.context, this.#sink));
  }

  /** The static `finish`. */
  finish(trailers: Fields | undefined): Result<undefined, HttpErrorCode> {
    const complete = this.#sink.finish(trailers?.toFlat());
    trailers?.[Symbol.dispose]();
    this[Symbol.dispose]();
    return complete ? done : err({ tag: "HTTP-response-body-size", val: undefined });
  }

  protected override dropped(): void {
    // After finish this does nothing.
    this.#sink.fail("the guest dropped a body that it had not finished");
  }
}

/** `wasi:http/types.outgoing-response`. */
export class OutgoingResponse extends Resource {
  readonly #headers: Fields;
  #status = 200;
  #body: BodySink | undefined;

  constructor(context: GuestContext, headers: Fields) {
    super(context);
    this.#headers = headers.freeze();
    headers[Symbol.dispose]();
  }

  statusCode(): number {
    return this.#status;
  }

  setStatusCode(status: number): Result<undefined, undefined> {
    // 1xx are no final answers (RFC 9110, 15.2), and three digits are all there is.
    if (status < 200 || status > 999) return failed;
    this.#status = status;
    return done;
  }

  headers(): Fields {
    return this.#headers.immutableCopy();
  }

  body(): Result<OutgoingBody, undefined> {
    if (this.#body !== undefined) return failed;
    this.#body = new BodySink(this.context.settings.bounds.bufferBytesMax);
    return ok(new OutgoingBody(this.context, this.#body));
  }

  /** Begins the answer. */
  send(response: GuestResponse, isHead: boolean): void {
    this[Symbol.dispose]();
    const contentLength = parseContentLength(this.#headers.getText("content-length"));
    if (contentLength === null) return response.fail("the guest's content-length is not one number");
    response.respond(this.#status, this.#headers.toFlat());
    const body = this.#body ?? new BodySink(0);
    const discard = isHead || this.#status === 204 || this.#status === 304;
    body.attach(response, { contentLength, discard });
    // The guest asked for no body: there is none.
    if (this.#body === undefined) body.finish();
  }
}

/** `wasi:http/types.response-outparam`. */
export class ResponseOutparam extends Resource {
  readonly #response: GuestResponse;
  readonly #isHead: boolean;
  #set = false;

  constructor(context: GuestContext, response: GuestResponse, isHead: boolean) {
    super(context);
    this.#response = response;
    this.#isHead = isHead;
  }

  /** Has the guest answered? */
  get isSet(): boolean {
    return this.#set;
  }

  /** Early hints and their like go nowhere: the wire to the gateway has final answers only. */
  sendInformational(_status: number, headers: Fields): Result<undefined, HttpErrorCode> {
    headers[Symbol.dispose]();
    return done;
  }

  /** The static `set`. */
  answer(result: Result<OutgoingResponse, HttpErrorCode>): void {
    this[Symbol.dispose]();
    if (this.#set) return;
    this.#set = true;
    if (result.tag === "ok") result.val.send(this.#response, this.#isHead);
    else this.#response.fail(`the guest answered with the error ${describeErrorCode(result.val)}`);
  }
}
