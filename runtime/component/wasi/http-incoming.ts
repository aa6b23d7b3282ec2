import type { GuestRequest } from "../engine.ts";
import type { ByteQueue } from "./byte-queue.ts";
import type { GuestContext } from "./guest-context.ts";
import { Fields } from "./http-fields.ts";
import { type HttpMethod, type HttpScheme, methodOf, schemeOf } from "./http-method.ts";
import { InputStream } from "./input-stream.ts";
import { Pollable } from "./io-poll.ts";
import { Resource } from "./resource.ts";
import { failed, ok, type Result } from "./result.ts";
import type { Waitable } from "./waitable.ts";
import type { HttpErrorCode } from "./http-error-code.ts";

/** `wasi:http/types.incoming-request`. */
export class IncomingRequest extends Resource {
  readonly #request: GuestRequest;
  #consumed = false;

  constructor(context: GuestContext, request: GuestRequest) {
    super(context);
    this.#request = request;
  }

  method(): HttpMethod {
    return methodOf(this.#request.method);
  }

  pathWithQuery(): string {
    return this.#request.target;
  }

  scheme(): HttpScheme {
    return schemeOf(this.#request.scheme);
  }

  authority(): string {
    return this.#request.authority;
  }

  headers(): Fields {
    return Fields.ofFlat(this.context, this.#request.headers);
  }

  consume(): Result<IncomingBody, undefined> {
    if (this.#consumed) return failed;
    this.#consumed = true;
    return ok(new IncomingBody(this.context, this.#request.body));
  }

  protected override dropped(): void {
    if (!this.#consumed) this.#request.body.discard();
  }
}

/** `wasi:http/types.incoming-body`. */
export class IncomingBody extends Resource {
  readonly #queue: ByteQueue;
  #taken = false;

  constructor(context: GuestContext, queue: ByteQueue) {
    super(context);
    this.#queue = queue;
  }

  stream(): Result<InputStream, undefined> {
    if (this.#taken) return failed;
    this.#taken = true;
    return ok(new InputStream(this.context, this.#queue, () => this.#queue.discard()));
  }

  /** The static `finish`: what has not been read is of no interest. */
  finish(): FutureTrailers {
    this[Symbol.dispose]();
    return new FutureTrailers(this.context, this.#queue);
  }

  protected override dropped(): void {
    this.#queue.discard();
  }
}

/** `wasi:http/types.future-trailers`. Trailers are read off the connection by the gateway and not handed on: none. */
export class FutureTrailers extends Resource {
  readonly #queue: ByteQueue;
  #given = false;

  constructor(context: GuestContext, queue: ByteQueue) {
    super(context);
    this.#queue = queue;
  }

  subscribe(): Pollable {
    const always: Waitable = { ready: () => true, subscribe: () => () => undefined };
    return new Pollable(this.context, always);
  }

  get(): Result<Result<undefined, HttpErrorCode>, undefined> {
    if (this.#given) return failed;
    this.#given = true;
    const failure = this.#queue.failure;
    return ok(failure === undefined ? ok(undefined) : { tag: "err", val: { tag: "connection-terminated" } });
  }
}

/** `wasi:http/types.incoming-response`. */
export class IncomingResponse extends Resource {
  readonly #status: number;
  readonly #headers: readonly string[];
  readonly #body: ByteQueue;
  readonly #abandon: () => void;
  #consumed = false;

  /** `abandon` closes the connection: nobody will read the body. */
  constructor(
    context: GuestContext,
    head: { readonly status: number; readonly headers: readonly string[] },
    body: ByteQueue,
    abandon: () => void,
  ) {
    super(context);
    this.#status = head.status;
    this.#headers = head.headers;
    this.#body = body;
    this.#abandon = abandon;
  }

  status(): number {
    return this.#status;
  }

  headers(): Fields {
    return Fields.ofFlat(this.context, this.#headers);
  }

  consume(): Result<IncomingBody, undefined> {
    if (this.#consumed) return failed;
    this.#consumed = true;
    return ok(new IncomingBody(this.context, this.#body));
  }

  protected override dropped(): void {
    if (!this.#consumed) this.#abandon();
  }
}
