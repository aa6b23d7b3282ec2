import type { ReadableStream } from "web-streams-polyfill";
import { AbortSignal } from "./abort.ts";
import { Body, type BodyInit, type ReceivedBody } from "./body.ts";
import { Headers, type HeadersInit } from "./headers.ts";

export interface RequestInit {
  readonly method?: string;
  readonly headers?: HeadersInit;
  readonly body?: BodyInit | null;
  readonly signal?: AbortSignal | null;
  readonly redirect?: "follow" | "error" | "manual";
}

// Methods that the standard writes in upper case however they are given.
const normalized = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);

/** What a request consists of, when it comes from the host. */
export class ReceivedRequest {
  readonly method: string;
  readonly headers: Headers;
  readonly body: ReceivedBody | null;
  readonly signal = undefined;
  readonly redirect = "follow";
  /** Asked for once, and only when somebody asks for it. */
  readonly url: () => string;

  constructor(
    method: string,
    headers: Headers,
    rest: { readonly url: () => string; readonly body: ReceivedBody | null },
  ) {
    this.method = method;
    this.headers = headers;
    this.body = rest.body;
    this.url = rest.url;
  }
}

/** https://fetch.spec.whatwg.org/#request-class */
export class Request extends Body {
  readonly method: string;
  readonly headers: Headers;
  readonly redirect: "follow" | "error" | "manual";
  #url: string | (() => string);
  #signal: AbortSignal | undefined;

  constructor(input: Request | string | URL | ReceivedRequest, init: RequestInit = {}) {
    const { method, headers, body, url, signal, redirect } =
      input instanceof ReceivedRequest ? input : Request.#parts(input, init);
    super(body, headers);
    this.method = method;
    this.headers = headers;
    this.redirect = redirect;
    this.#url = url;
    this.#signal = signal;
  }

  static #parts(input: Request | string | URL, init: RequestInit) {
    const from = input instanceof Request ? input : undefined;
    const method = methodOf(init.method ?? from?.method ?? "GET");
    const headers = new Headers(init.headers ?? from?.headers);
    const body = init.body === undefined ? Request.#bodyOf(from) : init.body;
    if (body !== null && body !== undefined && (method === "GET" || method === "HEAD")) {
      throw new TypeError(`a ${method} request has no body`);
    }
    const url = from === undefined ? new URL(String(input)).href : from.#url;
    const signal = init.signal ?? from?.signal;
    return { method, headers, body, url, signal, redirect: init.redirect ?? from?.redirect ?? "follow" } as const;
  }

  /** The other request's body moves to the new one. */
  static #bodyOf(from: Request | undefined): ReceivedBody | Uint8Array | ReadableStream<Uint8Array> | null {
    if (from === undefined) return null;
    if (from.bodyUsed) throw new TypeError("the request's body was read already");
    return Body.move(from);
  }

  get url(): string {
    if (typeof this.#url === "function") this.#url = this.#url();
    return this.#url;
  }

  get signal(): AbortSignal {
    return (this.#signal ??= new AbortSignal());
  }

  clone(): Request {
    return new Request(this.url, { ...this.#init(), body: this.tee() });
  }

  #init(): RequestInit {
    return { method: this.method, headers: this.headers, signal: this.signal, redirect: this.redirect };
  }
}

function methodOf(method: string): string {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) throw new TypeError(`${JSON.stringify(method)} is no method`);
  const upper = method.toUpperCase();
  if (upper === "CONNECT" || upper === "TRACE" || upper === "TRACK")
    throw new TypeError(`the method ${method} is forbidden`);
  return normalized.has(upper) ? upper : method;
}
