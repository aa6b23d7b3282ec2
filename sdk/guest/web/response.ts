import { Body, type BodyInit, type ReceivedBody, TypedText } from "./body.ts";
import { Headers, type HeadersInit } from "./headers.ts";

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

/** https://fetch.spec.whatwg.org/#response-class */
export class Response extends Body {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly url: string;
  readonly type: "default" | "error" = "default";
  readonly redirected: boolean;

  constructor(body?: BodyInit | ReceivedBody | TypedText | null, init: ResponseInit = {}) {
    const status = init.status ?? 200;
    if (!Number.isInteger(status) || status < 200 || status > 599)
      throw new RangeError(`${status} is no status of a response`);
    if (nullBodyStatuses.has(status) && body !== null && body !== undefined) {
      throw new TypeError(`a response with status ${status} has no body`);
    }
    const headers = new Headers(init.headers);
    super(body, headers);
    this.status = status;
    this.statusText = init.statusText ?? "";
    this.headers = headers;
    this.url = init.url ?? "";
    this.redirected = init.redirected ?? false;
  }

  /** The answer of a fetch that failed; nothing here gives one, service workers' code asks for one. */
  static error(): Response {
    return Object.assign(new Response(), { type: "error", status: 0 });
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

  get ok(): boolean {
    return this.status >= 200 && this.status <= 299;
  }

  clone(): Response {
    const { status, statusText, headers, url, redirected } = this;
    return new Response(this.tee(), { status, statusText, headers, url, redirected });
  }
}
