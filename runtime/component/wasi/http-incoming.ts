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
    return ok(new IncomingBody(this.context, this.#request.body, this.#request.trailers));
  }

  protected override dropped(): void {
    if (!this.#consumed) this.#request.body.discard();
  }
}

/** `wasi:http/types.incoming-body`. */
export class IncomingBody extends Resource {
  readonly #queue: ByteQueue;
  readonly #trailersOf: GuestRequest["trailers"];
  #taken = false;

  /** `trailersOf` is asked when the body has been read to its end. */
  constructor(context: GuestContext, queue: ByteQueue, trailersOf?: GuestRequest["trailers"]) {
    super(context);
    this.#queue = queue;
    this.#trailersOf = trailersOf;
  }

  stream(): Result<InputStream, undefined> {
    if (this.#taken) return failed;
    this.#taken = true;
    return ok(new InputStream(this.context, this.#queue, () => this.#queue.discard()));
  }

  /** The static `finish`: what has not been read is of no interest. */
  finish(): FutureTrailers {
    const trailers = this.#queue.finished ? (this.#trailersOf?.() ?? []) : [];
    this[Symbol.dispose]();
    return new FutureTrailers(this.context, this.#queue, trailers);
  }

  protected override dropped(): void {
    this.#queue.discard();
  }
}

/** `wasi:http/types.future-trailers`. They come with the end of the body: to whoever gives that up they have not come. */
export class FutureTrailers extends Resource {
  readonly #queue: ByteQueue;
  readonly #flat: readonly string[];
  #given = false;

  /** `flat`: name, value, name, value. */
  constructor(context: GuestContext, queue: ByteQueue, flat: readonly string[]) {
    super(context);
    this.#queue = queue;
    this.#flat = flat;
  }

  subscribe(): Pollable {
    const always: Waitable = { ready: () => true, subscribe: () => () => undefined };
    return new Pollable(this.context, always);
  }

  get(): Result<Result<Fields | undefined, HttpErrorCode>, undefined> {
    if (this.#given) return failed;
    this.#given = true;
    const failure = this.#queue.failure;
    if (failure !== undefined) return ok({ tag: "err", val: { tag: "connection-terminated" } });
    return ok(ok(this.#flat.length === 0 ? undefined : Fields.ofFlat(this.context, this.#flat)));
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
