import { Body, type BodyInit, type ReceivedBody, TypedText } from "./body.ts";
import { Headers, type HeadersInit } from "./headers.ts";
import { inspected } from "./inspect.ts";

export interface ResponseInit {
  readonly status?: number;
  readonly statusText?: string;
  readonly headers?: HeadersInit;
  /** This and the next are set by fetch, not by the standard's constructor. */
  readonly url?: string;
  readonly redirected?: boolean;
}

export const nullBodyStatuses = new Set([101, 103, 204, 205, 304]);
const redirectStatuses = new Set([301, 302, 303, 307, 308]);

/** What a response says beside its headers and its body. */
interface ResponseParts {
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  readonly type: "default" | "error";
  readonly redirected: boolean;
}
const usual: ResponseParts = { status: 200, statusText: "", url: "", type: "default", redirected: false };

/** https://fetch.spec.whatwg.org/#response-class. Most are a text and nothing else: these have headers when somebody looks at them. */
export class Response extends Body {
  #parts = usual;
  #headers: Headers | undefined;

  constructor(body?: BodyInit | ReceivedBody | TypedText | null, init?: ResponseInit) {
    super(body);
    if (init !== undefined) this.#take(init, body !== null && body !== undefined);
  }

  #take(init: ResponseInit, hasBody: boolean): void {
    const { status = 200, statusText = "", url = "", redirected = false, headers } = init;
    if (!Number.isInteger(status) || status < 200 || status > 599)
      throw new RangeError(`${status} is no status of a response`);
    if (hasBody && nullBodyStatuses.has(status)) throw new TypeError(`a response with status ${status} has no body`);
    this.#parts = { ...usual, status, statusText, url, redirected };
    if (headers !== undefined) this.#makeHeaders(headers);
  }

  #makeHeaders(init: HeadersInit | undefined): Headers {
    const headers = new Headers(init);
    const type = Body.typeOf(this);
    if (type !== undefined) headers.setMissing("content-type", type);
    return (this.#headers = headers);
  }

  /** An interpreter comes past fewer objects than with `instanceof`. */
  static is(value: unknown): value is Response {
    return typeof value === "object" && value !== null && #headers in value;
  }

  /** The answer of a fetch that failed; nothing here gives one, service workers' code asks for one. */
  static error(): Response {
    const response = new Response();
    response.#parts = { ...usual, type: "error", status: 0 };
    return response;
  }

  static json(data: unknown, init: ResponseInit = {}): Response {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError("Response.json: the value has no JSON form");
    return new Response(new TypedText(text, "application/json"), init);
  }

  static redirect(url: string | URL, status = 302): Response {
    if (!redirectStatuses.has(status)) throw new RangeError(`${status} is no redirect status`);
    return new Response(null, { status, headers: { location: String(url) } });
  }

  get status(): number {
    return this.#parts.status;
  }

  get statusText(): string {
    return this.#parts.statusText;
  }

  override get headers(): Headers {
    return this.#headers ?? this.#makeHeaders(undefined);
  }

  get url(): string {
    return this.#parts.url;
  }

  get type(): "default" | "error" {
    return this.#parts.type;
  }

  get redirected(): boolean {
    return this.#parts.redirected;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status <= 299;
  }

  /** The host's side: the type of its body where nothing else is said of headers; undefined where they are to be looked at. */
  get onlyType(): string | undefined {
    return this.#headers === undefined ? Body.typeOf(this) : undefined;
  }

  clone(): Response {
    const { status, statusText, headers, url, redirected } = this;
    return new Response(this.tee(), { status, statusText, headers, url, redirected });
  }

  [inspected](): object {
    const { status, statusText, headers, url } = this;
    return { status, statusText, headers, url };
  }
}
