// WASI 0.2 as the QuickJS engine shows it to JavaScript: resources are classes, a `result` is returned or thrown, an
// `option` is the value or null, a variant is `{ tag, val }`, u64 is a number. Only what the guest uses.
// The namespace is `wazi` while a component is being built; see sdk/build/engine/quickjs-base.ts for why.

declare module "wazi:io/poll@0.2.10" {
  export class Pollable {
    ready(): boolean;
    [Symbol.dispose](): void;
  }
  /** Blocks until one is ready; gives the positions of those that are. */
  export function poll(pollables: readonly Pollable[]): readonly number[];
}

declare module "wazi:io/streams@0.2.10" {
  import type { Pollable } from "wazi:io/poll@0.2.10";
  export class InputStream {
    read(byteCount: number): Uint8Array;
    subscribe(): Pollable;
    [Symbol.dispose](): void;
  }
  export class OutputStream {
    checkWrite(): number;
    write(bytes: Uint8Array): void;
    flush(): void;
    blockingWriteAndFlush(bytes: Uint8Array): void;
    subscribe(): Pollable;
    [Symbol.dispose](): void;
  }
}

declare module "wazi:clocks/monotonic-clock@0.2.10" {
  import type { Pollable } from "wazi:io/poll@0.2.10";
  /** Nanoseconds. */
  export function now(): number;
  export function subscribeDuration(nanoseconds: number): Pollable;
}

declare module "wazi:random/random@0.2.10" {
  export function getRandomBytes(byteCount: number): Uint8Array;
}

/** As StarlingMonkey shows it. */
declare module "wasi:cli/exit@0.2.10" {
  export function exit(status: { readonly tag: "ok" | "err" }): never;
}

declare module "wazi:cli/environment@0.2.10" {
  export function getEnvironment(): readonly (readonly [string, string])[];
}

declare module "wazi:cli/stdout@0.2.10" {
  import type { OutputStream } from "wazi:io/streams@0.2.10";
  export function getStdout(): OutputStream;
}

declare module "wazi:cli/stderr@0.2.10" {
  import type { OutputStream } from "wazi:io/streams@0.2.10";
  export function getStderr(): OutputStream;
}

declare module "wazi:http/types@0.2.10" {
  import type { Pollable } from "wazi:io/poll@0.2.10";
  import type { InputStream, OutputStream } from "wazi:io/streams@0.2.10";
  export type Method = { readonly tag: string; readonly val?: string };
  export type Scheme = { readonly tag: "HTTP" | "HTTPS" | "other"; readonly val?: string };
  export type Result<T> = { readonly tag: "ok"; readonly val: T } | { readonly tag: "err"; readonly val: unknown };
  export class Fields {
    static fromList(entries: readonly (readonly [string, Uint8Array])[]): Fields;
    entries(): readonly (readonly [string, Uint8Array])[];
    [Symbol.dispose](): void;
  }
  export class IncomingBody {
    stream(): InputStream;
    [Symbol.dispose](): void;
  }
  export class IncomingRequest {
    method(): Method;
    pathWithQuery(): string | null;
    scheme(): Scheme | null;
    authority(): string | null;
    headers(): Fields;
    consume(): IncomingBody;
    [Symbol.dispose](): void;
  }
  export class OutgoingBody {
    write(): OutputStream;
    static finish(body: OutgoingBody, trailers: Fields | null): void;
    [Symbol.dispose](): void;
  }
  export class OutgoingResponse {
    constructor(headers: Fields);
    setStatusCode(status: number): void;
    body(): OutgoingBody;
  }
  export class ResponseOutparam {
    static set(outparam: ResponseOutparam, response: Result<OutgoingResponse>): void;
  }
  export class OutgoingRequest {
    constructor(headers: Fields);
    setMethod(method: Method): void;
    setPathWithQuery(target: string | null): void;
    setScheme(scheme: Scheme | null): void;
    setAuthority(authority: string | null): void;
    body(): OutgoingBody;
  }
  export class IncomingResponse {
    status(): number;
    headers(): Fields;
    consume(): IncomingBody;
    [Symbol.dispose](): void;
  }
  export class FutureIncomingResponse {
    subscribe(): Pollable;
    get(): Result<Result<IncomingResponse>> | null;
    [Symbol.dispose](): void;
  }
}

declare module "wazi:http/outgoing-handler@0.2.10" {
  import type { FutureIncomingResponse, OutgoingRequest } from "wazi:http/types@0.2.10";
  export function handle(request: OutgoingRequest, options: null): FutureIncomingResponse;
}
