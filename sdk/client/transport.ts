import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { ApiFault } from "../api/fault.ts";
import type { Clock } from "../internal/clock.ts";
import { describeError, errorCode } from "../internal/fault.ts";
import type { Credentials } from "./credentials.ts";
import { faultOfAnswer } from "./status-fault.ts";

/** One request, as it goes out. */
export interface Call {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly body?: { readonly type: string; readonly text: string };
  readonly signal?: AbortSignal | undefined;
  readonly accept?: string;
}

export interface TransportOptions {
  readonly clock: Clock;
  readonly userAgent: string;
  /** Until the answer is complete; for streams until it has begun. */
  readonly timeoutMs: number;
}

// One process asks for a few things at a time; more of them wait for a connection rather than open one each.
const requestSocketsMax = 32;
// Each watch and each log that is followed holds one for as long as it lasts.
const streamSocketsMax = 256;
// A page of 500 objects of 250 KiB. Objects have a few KiB; the server refuses to store more than 3 MiB in one.
const answerBytesMax = 128 * 1024 * 1024;
// The answer to a failed request is a Status, or an error page.
const refusalBytesMax = 1024 * 1024;
// A peer that vanished without a word is noticed by the kernel.
const keepAliveProbeMs = 30_000;

// TLS errors that mean "this is not the server that was meant": https://nodejs.org/api/tls.html, "X509 certificate error codes".
const certificateErrors =
  /^(CERT_|ERR_TLS_CERT_ALTNAME_INVALID|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_)/;

/** HTTPS to one server: connections that are kept, its authority pinned, a deadline for every answer. */
export class Transport {
  readonly #base: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #requests: Agent;
  readonly #streams: Agent;

  constructor(credentials: Credentials, { clock, userAgent, timeoutMs }: TransportOptions) {
    const { server, token, authority, certificate, key } = credentials;
    this.#base = new URL(server);
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#headers = {
      "user-agent": userAgent,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const tls = {
      ...(authority === undefined ? {} : { ca: authority }),
      ...(certificate === undefined || key === undefined ? {} : { cert: certificate, key }),
    };
    const keep = { keepAlive: true, keepAliveMsecs: keepAliveProbeMs };
    this.#requests = new Agent({ ...tls, ...keep, maxSockets: requestSocketsMax });
    this.#streams = new Agent({ ...tls, ...keep, maxSockets: streamSocketsMax, maxFreeSockets: 1 });
  }

  /** The complete answer. @throws ApiFault; the signal's reason when aborted */
  async text(call: Call): Promise<string> {
    using exchange = new Exchange(this.#clock, this.#timeoutMs, this.#doing(call), call.signal);
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await this.#send(call, this.#requests, exchange);
        await refuseErrors(response, exchange);
        const text = await collect(response, answerBytesMax);
        exchange.complete();
        return text;
      } catch (error) {
        // The server may close a kept connection at the moment it is used again. To ask twice is safe, to write is not.
        if (attempt === 1 && call.method === "GET" && exchange.reused && errorCode(error) === "ECONNRESET") continue;
        throw exchange.fault(error);
      }
    }
  }

  /**
   * The answer as it comes. Ends without throwing when the call's signal is aborted, or when no byte came for
   * `idleMsMax`. @throws ApiFault
   */
  async *chunks(call: Call, idleMsMax = Infinity): AsyncGenerator<Uint8Array> {
    using exchange = new Exchange(this.#clock, this.#timeoutMs, this.#doing(call), call.signal);
    try {
      const response = await this.#send(call, this.#streams, exchange);
      await refuseErrors(response, exchange);
      exchange.begun(idleMsMax);
      for await (const chunk of response) {
        exchange.begun(idleMsMax);
        if (chunk instanceof Uint8Array) yield chunk;
      }
      exchange.complete();
    } catch (error) {
      if (call.signal?.aborted === true || exchange.wasIdle) return;
      throw exchange.fault(error);
    }
  }

  close(): void {
    this.#requests.destroy();
    this.#streams.destroy();
  }

  #doing({ method, path }: Call): string {
    return `${method} ${this.#base.origin}${path}`;
  }

  #send(call: Call, agent: Agent, exchange: Exchange): Promise<IncomingMessage> {
    const { method, path, body, accept = "application/json" } = call;
    return new Promise((resolve, reject) => {
      const request = httpsRequest({
        agent,
        method,
        // URL keeps the brackets of an IPv6 address, which no resolver knows.
        host: this.#base.hostname.replaceAll(/^\[|\]$/g, ""),
        port: this.#base.port || 443,
        path: `${this.#base.pathname.replace(/\/$/, "")}${path}`,
        headers: {
          ...this.#headers,
          accept,
          ...(body === undefined
            ? {}
            : { "content-type": body.type, "content-length": Buffer.byteLength(body.text, "utf8") }),
        },
      });
      request.once("response", (response) => {
        exchange.reused = request.reusedSocket;
        // Told to whoever reads it; when nobody does any more, it is not of interest.
        response.on("error", () => undefined);
        resolve(response);
      });
      request.on("error", (error) => {
        exchange.reused = request.reusedSocket;
        reject(error);
      });
      exchange.bind((reason) => request.destroy(reason));
      request.end(body?.text);
    });
  }
}

/** What may end a request before its answer is complete: its caller, its deadline, silence. */
class Exchange implements Disposable {
  reused = false;
  wasIdle = false;
  readonly #clock: Clock;
  readonly doing: string;
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: number;
  #timedOut = false;
  #timer: { cancel(): void };
  #destroy: (reason: Error) => void = () => undefined;
  readonly #abort = (): void => this.#destroy(new Error("aborted"));

  constructor(clock: Clock, timeoutMs: number, doing: string, signal: AbortSignal | undefined) {
    signal?.throwIfAborted();
    this.#clock = clock;
    this.doing = doing;
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
    this.#timer = clock.after(timeoutMs, () => {
      this.#timedOut = true;
      this.#destroy(new Error("timeout"));
    });
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  bind(destroy: (reason: Error) => void): void {
    this.#destroy = destroy;
    if (this.#signal?.aborted === true) this.#abort();
  }

  /** From here on it is silence that counts. */
  begun(idleMsMax: number): void {
    this.#timer.cancel();
    if (idleMsMax === Infinity) return;
    this.#timer = this.#clock.after(idleMsMax, () => {
      this.wasIdle = true;
      this.#destroy(new Error("idle"));
    });
  }

  /** All of the answer is here: its connection may be kept. */
  complete(): void {
    this.#destroy = () => undefined;
  }

  /** What to tell the caller, whatever was thrown. */
  fault(error: unknown): unknown {
    if (this.#signal?.aborted === true) return this.#signal.reason;
    if (error instanceof ApiFault) return error;
    if (this.#timedOut) {
      return new ApiFault("Timeout", `${this.doing}: no answer within ${this.#timeoutMs} ms`, {}, { cause: error });
    }
    const hint = certificateErrors.test(errorCode(error) ?? "")
      ? " (its certificate is not one of the cluster's authority; are these the credentials of another cluster?)"
      : "";
    const text = `${this.doing}: the API server cannot be reached: ${describeReason(error)}${hint}`;
    return new ApiFault("ServiceUnavailable", text, {}, { cause: error });
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#destroy(new Error("not of interest any more"));
  }
}

/** Connecting to a name with several addresses fails with one error for each, and no message of its own. */
const describeReason = (error: unknown): string =>
  error instanceof AggregateError ? error.errors.map(describeError).join("; ") : describeError(error);

async function refuseErrors(response: IncomingMessage, exchange: Exchange): Promise<void> {
  const { statusCode = 0 } = response;
  if (statusCode >= 200 && statusCode < 300) return;
  const text = await collect(response, refusalBytesMax);
  exchange.complete();
  throw faultOfAnswer(statusCode, text, exchange.doing);
}

async function collect(response: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  for await (const chunk of response) {
    if (!(chunk instanceof Uint8Array)) continue;
    byteCount += chunk.byteLength;
    if (byteCount > bytesMax) {
      throw new ApiFault("RequestEntityTooLarge", `the API server's answer is larger than ${bytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
