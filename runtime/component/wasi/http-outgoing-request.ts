import type { GuestContext } from "./guest-context.ts";
import { type GuestTimeouts, isAuthority, isPathWithQuery, type RequestLine } from "./http-call-target.ts";
import { BodySink } from "./http-body-sink.ts";
import type { Fields } from "./http-fields.ts";
import { type HttpMethod, type HttpScheme, methodToken } from "./http-method.ts";
import { OutgoingBody } from "./http-outgoing.ts";
import { Resource } from "./resource.ts";
import { done, failed, ok, type Result } from "./result.ts";

/** `wasi:http/types.outgoing-request`. */
export class OutgoingRequest extends Resource {
  readonly #headers: Fields;
  #method: HttpMethod = { tag: "get" };
  #target: string | undefined;
  #scheme: HttpScheme | undefined;
  #authority: string | undefined;
  #body: BodySink | undefined;

  constructor(context: GuestContext, headers: Fields) {
    super(context);
    this.#headers = headers.freeze();
    headers[Symbol.dispose]();
  }

  body(): Result<OutgoingBody, undefined> {
    if (this.#body !== undefined) return failed;
    this.#body = new BodySink(this.context.settings.bounds.bufferBytesMax);
    return ok(new OutgoingBody(this.context, this.#body));
  }

  method(): HttpMethod {
    return this.#method;
  }

  setMethod(method: HttpMethod): Result<undefined, undefined> {
    if (methodToken(method) === undefined) return failed;
    this.#method = method;
    return done;
  }

  pathWithQuery(): string | undefined {
    return this.#target;
  }

  setPathWithQuery(target: string | undefined): Result<undefined, undefined> {
    if (target !== undefined && !isPathWithQuery(target)) return failed;
    this.#target = target;
    return done;
  }

  scheme(): HttpScheme | undefined {
    return this.#scheme;
  }

  setScheme(scheme: HttpScheme | undefined): Result<undefined, undefined> {
    this.#scheme = scheme;
    return done;
  }

  authority(): string | undefined {
    return this.#authority;
  }

  setAuthority(authority: string | undefined): Result<undefined, undefined> {
    if (authority !== undefined && !isAuthority(authority)) return failed;
    this.#authority = authority;
    return done;
  }

  headers(): Fields {
    return this.#headers.immutableCopy();
  }

  /** For the outgoing handler. */
  get line(): RequestLine {
    return {
      method: this.#method,
      scheme: this.#scheme,
      authority: this.#authority,
      pathWithQuery: this.#target,
    };
  }

  /** For the outgoing handler. */
  get flatHeaders(): readonly string[] {
    return this.#headers.toFlat();
  }

  /** For the outgoing handler; undefined when the guest asked for no body. */
  get bodySink(): BodySink | undefined {
    return this.#body;
  }
}

/** `wasi:http/types.request-options`. Durations in nanoseconds. */
export class RequestOptions extends Resource {
  #connectTimeoutNs: bigint | undefined;
  #firstByteTimeoutNs: bigint | undefined;
  #betweenBytesTimeoutNs: bigint | undefined;

  connectTimeout(): bigint | undefined {
    return this.#connectTimeoutNs;
  }

  setConnectTimeout(durationNs: bigint | undefined): Result<undefined, undefined> {
    this.#connectTimeoutNs = durationNs;
    return done;
  }

  firstByteTimeout(): bigint | undefined {
    return this.#firstByteTimeoutNs;
  }

  setFirstByteTimeout(durationNs: bigint | undefined): Result<undefined, undefined> {
    this.#firstByteTimeoutNs = durationNs;
    return done;
  }

  betweenBytesTimeout(): bigint | undefined {
    return this.#betweenBytesTimeoutNs;
  }

  setBetweenBytesTimeout(durationNs: bigint | undefined): Result<undefined, undefined> {
    this.#betweenBytesTimeoutNs = durationNs;
    return done;
  }

  /** For the outgoing handler. */
  get timeouts(): GuestTimeouts {
    return {
      connectNs: this.#connectTimeoutNs,
      firstByteNs: this.#firstByteTimeoutNs,
      betweenBytesNs: this.#betweenBytesTimeoutNs,
    };
  }
}
