import type { ReadableStream } from "web-streams-polyfill";
import { AbortSignal } from "./abort.ts";
import { Body, type BodyInit } from "./body.ts";
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

/** https://fetch.spec.whatwg.org/#request-class */
export class Request extends Body {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly signal: AbortSignal;
  readonly redirect: "follow" | "error" | "manual";

  constructor(input: Request | string | URL, init: RequestInit = {}) {
    const from = input instanceof Request ? input : undefined;
    const method = methodOf(init.method ?? from?.method ?? "GET");
    const headers = new Headers(init.headers ?? from?.headers);
    const body = init.body === undefined ? bodyOf(from) : init.body;
    if (body !== null && body !== undefined && (method === "GET" || method === "HEAD")) {
      throw new TypeError(`a ${method} request has no body`);
    }
    super(body, headers);
    this.method = method;
    this.headers = headers;
    this.url = from?.url ?? new URL(String(input)).href;
    this.signal = init.signal ?? from?.signal ?? new AbortSignal();
    this.redirect = init.redirect ?? from?.redirect ?? "follow";
  }

  clone(): Request {
    return new Request(this.url, { ...this.#init(), body: this.tee() });
  }

  #init(): RequestInit {
    return { method: this.method, headers: this.headers, signal: this.signal, redirect: this.redirect };
  }
}

/** The other request's body moves to the new one. */
function bodyOf(from: Request | undefined): Uint8Array | ReadableStream<Uint8Array> | null {
  if (from === undefined) return null;
  if (from.bodyUsed) throw new TypeError("the request's body was read already");
  return from.takeBytes() ?? from.body;
}

function methodOf(method: string): string {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) throw new TypeError(`${JSON.stringify(method)} is no method`);
  const upper = method.toUpperCase();
  if (upper === "CONNECT" || upper === "TRACE" || upper === "TRACK")
    throw new TypeError(`the method ${method} is forbidden`);
  return normalized.has(upper) ? upper : method;
}
