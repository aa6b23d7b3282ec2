import type { FutureReader, StreamReader } from "../../abi/stream.ts";
import type { GuestRequest } from "../../engine.ts";
import type { Caller, GuestContext } from "../guest-context.ts";
import { isAuthority, isPathWithQuery, type RequestLine } from "../http-call-target.ts";
import { type HttpMethod, type HttpScheme, methodOf, methodToken, schemeOf } from "../http-method.ts";
import { guestClass, notConstructible, Resource } from "../resource.ts";
import { done, failed, type Result } from "../result.ts";
import { type GivenBody, internalError, MessageBody, type Sent, type Trailers } from "./http-body.ts";
import { Fields } from "./http-fields.ts";
import type { RequestOptions } from "./http-request-options.ts";

/** `wasi:http/types.request`: one that has come, or one that a guest makes. */
export class HttpRequest extends Resource {
  readonly #headers: Fields;
  readonly #body: MessageBody;
  readonly #options: RequestOptions | undefined;
  #line: RequestLine;

  constructor(
    context: GuestContext,
    line: RequestLine,
    message: {
      readonly headers: Fields;
      readonly body: MessageBody;
      readonly options?: RequestOptions | undefined;
    },
  ) {
    super(context);
    this.#line = line;
    this.#headers = message.headers;
    this.#body = message.body;
    this.#options = message.options;
  }

  /** One that has come. */
  static arrived(context: GuestContext, request: GuestRequest): HttpRequest {
    const { method, scheme, authority, target, headers, body } = request;
    const line: RequestLine = {
      method: methodOf(method),
      scheme: schemeOf(scheme),
      authority,
      pathWithQuery: target,
    };
    const release = (): void => body.discard();
    const trailersOf = (): readonly string[] => request.trailers?.() ?? [];
    return new HttpRequest(context, line, {
      headers: ownedFields(Fields.ofFlat(context, headers)),
      body: MessageBody.arriving(context, body, { release, trailersOf }),
    });
  }

  static make(
    context: GuestContext,
    headers: Fields,
    body: GivenBody,
    options: RequestOptions | undefined,
  ): [HttpRequest, Promise<Sent>] {
    const line: RequestLine = {
      method: { tag: "get" },
      scheme: undefined,
      authority: undefined,
      pathWithQuery: undefined,
    };
    const message = MessageBody.given(body);
    const request = new HttpRequest(context, line, {
      headers: ownedFields(headers),
      body: message,
      options: options?.owned(),
    });
    return [request, message.sent];
  }

  getMethod(): HttpMethod {
    return this.#line.method;
  }

  setMethod(method: HttpMethod): Result<undefined, undefined> {
    return methodToken(method) === undefined ? failed : this.#set({ method });
  }

  getPathWithQuery(): string | undefined {
    return this.#line.pathWithQuery;
  }

  setPathWithQuery(pathWithQuery: string | undefined): Result<undefined, undefined> {
    if (pathWithQuery !== undefined && !isPathWithQuery(pathWithQuery)) return failed;
    return this.#set({ pathWithQuery });
  }

  getScheme(): HttpScheme | undefined {
    return this.#line.scheme;
  }

  setScheme(scheme: HttpScheme | undefined): Result<undefined, undefined> {
    // RFC 3986, 3.1.
    if (scheme?.tag === "other" && !/^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme.val)) return failed;
    return this.#set({ scheme });
  }

  getAuthority(): string | undefined {
    return this.#line.authority;
  }

  setAuthority(authority: string | undefined): Result<undefined, undefined> {
    if (authority !== undefined && !isAuthority(authority)) return failed;
    return this.#set({ authority });
  }

  getOptions(): RequestOptions | undefined {
    return this.#options?.immutableCopy();
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

  /** For the client. */
  get line(): RequestLine {
    return this.#line;
  }

  get options(): RequestOptions | undefined {
    return this.#options;
  }

  get headers(): Fields {
    return this.#headers;
  }

  get body(): MessageBody {
    return this.#body;
  }

  protected override dropped(): void {
    this.#body.drop(internalError("the request was dropped"));
  }

  #set(change: Partial<RequestLine>): Result<undefined, undefined> {
    this.#line = { ...this.#line, ...change };
    return done;
  }
}

/** A message's own fields, which no handle of the guest counts any more. */
export function ownedFields(given: Fields): Fields {
  given.freeze();
  given[Symbol.dispose]();
  return given;
}

/** The class as one instance sees it. */
export const requestClass = (caller: Caller): object =>
  guestClass(HttpRequest, notConstructible, {
    new: (
      headers: Fields,
      contents: StreamReader<number> | undefined,
      trailers: FutureReader<Trailers>,
      options: RequestOptions | undefined,
    ) => HttpRequest.make(caller.context, headers, { contents, trailers }, options),
    consumeBody: (request: HttpRequest, handled: FutureReader<Sent>) => request.consumeBody(handled),
  });
