import type { ReadableStream } from "web-streams-polyfill";
import { AbortSignal } from "./abort.ts";
import { Body, type BodyInit, type ReceivedBody } from "./body.ts";
import { Headers, type HeadersInit } from "./headers.ts";
import { inspected } from "./inspect.ts";

export interface RequestInit {
  readonly method?: string;
  readonly headers?: HeadersInit;
  readonly body?: BodyInit | null;
  readonly signal?: AbortSignal | null;
  readonly redirect?: "follow" | "error" | "manual";
}

// Methods that the standard writes in upper case however they are given.
const normalized = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);

/** What a request consists of, beside its body. */
interface RequestParts {
  readonly method: string;
  readonly headers: Headers;
  readonly url: string;
  readonly redirect: "follow" | "error" | "manual";
}

/** Of one that comes from the host: each part is asked for once, and only when somebody wants it. */
export abstract class ReceivedRequest implements RequestParts {
  #method: string | undefined;
  #headers: Headers | undefined;
  #url: string | undefined;

  protected abstract askMethod(): string;
  protected abstract askHeaders(): Headers;
  protected abstract askUrl(): string;
  /** Asked for once. */
  abstract get body(): ReceivedBody | null;

  get method(): string {
    return (this.#method ??= this.askMethod());
  }

  get headers(): Headers {
    return (this.#headers ??= this.askHeaders());
  }

  get url(): string {
    return (this.#url ??= this.askUrl());
  }

  get redirect(): "follow" {
    return "follow";
  }

  /** An interpreter comes past fewer objects than with `instanceof`. */
  static is(value: object): value is ReceivedRequest {
    return #url in value;
  }
}

/** https://fetch.spec.whatwg.org/#request-class */
export class Request extends Body {
  readonly #parts: RequestParts;
  #signal: AbortSignal | undefined;

  constructor(input: Request | string | URL | ReceivedRequest, init: RequestInit = {}) {
    if (typeof input === "object" && ReceivedRequest.is(input)) {
      super(null, input);
      this.#parts = input;
      return;
    }
    const from = input instanceof Request ? input : undefined;
    const method = methodOf(init.method ?? from?.method ?? "GET");
    const headers = new Headers(init.headers ?? from?.headers);
    const body = init.body === undefined ? Request.#bodyOf(from) : init.body;
    if (body !== null && body !== undefined && (method === "GET" || method === "HEAD")) {
      throw new TypeError(`a ${method} request has no body`);
    }
    super(body);
    const type = Body.typeOf(this);
    if (type !== undefined) headers.setMissing("content-type", type);
    const url = from === undefined ? new URL(String(input)).href : from.url;
    this.#parts = { method, headers, url, redirect: init.redirect ?? from?.redirect ?? "follow" };
    this.#signal = init.signal ?? from?.signal;
  }

  /** The other request's body moves to the new one. */
  static #bodyOf(from: Request | undefined): ReceivedBody | Uint8Array | ReadableStream<Uint8Array> | null {
    if (from === undefined) return null;
    if (from.bodyUsed) throw new TypeError("the request's body was read already");
    return Body.move(from);
  }

  get method(): string {
    return this.#parts.method;
  }

  override get headers(): Headers {
    return this.#parts.headers;
  }

  get url(): string {
    return this.#parts.url;
  }

  get redirect(): "follow" | "error" | "manual" {
    return this.#parts.redirect;
  }

  get signal(): AbortSignal {
    return (this.#signal ??= new AbortSignal());
  }

  clone(): Request {
    return new Request(this.url, { ...this.#init(), body: this.tee() });
  }

  [inspected](): object {
    const { method, url, headers } = this;
    return { method, url, headers };
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
