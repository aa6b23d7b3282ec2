import { type Clock, describeError, type Random } from "@shallop/sdk/internal";
import { ImageFault, type ImageFaultCode } from "./fault.ts";
import { checkOnward, errorText, type ExchangeResponse, type HttpExchange, type RequestBody } from "./http-exchange.ts";
import { type RegistryHost, registryHost, registryUrl } from "./reference.ts";
import type { AuthScope, RegistryAuth } from "./registry-auth.ts";
import type { RegistryMirror, RegistryMirrors } from "./registry-mirrors.ts";

/** Where a registry is really reached, when that is not where its name says. */
export interface RegistryEndpoint {
  /** Without `/v2/`: `https://control-plane:6443`. */
  readonly url: string;
  /** Sent as bearer token with each request; nothing else is asked for then. */
  readonly token?: string;
  /** PEM of the authority that signed the server's certificate. */
  readonly authority?: string;
}

export interface RegistryCall {
  readonly registry: RegistryHost;
  readonly method: string;
  /** Below `/v2/`, or the absolute URL that the registry gave for an upload. */
  readonly target: string | URL;
  readonly scope: AuthScope;
  /** What is being done, for the fault: `reading the manifest of registry/app:1`. */
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** Statuses that the caller reads itself; every other one is a fault. */
  readonly accept: readonly number[];
  /** The code of a 404 that is not accepted. */
  readonly missing?: ImageFaultCode;
  /** False when a second try would not mean the same: the piece of an upload. The caller starts again elsewhere. */
  readonly repeatable?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface RegistryAnswer extends ExchangeResponse {
  /** The first URL, which relative places are relative to. */
  readonly endpoint: URL;
}

/** With the delays below: about 8 s of a registry that is down, before a person is told. */
const attemptsMax = 5;
const backoffMsMin = 250;
const backoffMsMax = 5_000;
/** A registry that wants a longer pause than this is named to the person, who decides. */
const retryAfterMsMax = 30_000;

/** A mirror that did not answer is not asked again so soon: each image would wait for it. */
const mirrorRestMs = 60_000;

const retryableStatuses: readonly number[] = [408, 429, 500, 502, 503, 504];

export interface CallerOptions {
  readonly exchange: HttpExchange;
  readonly auth: RegistryAuth;
  readonly clock: Clock;
  readonly random: Random;
  readonly endpoints: ReadonlyMap<string, RegistryEndpoint>;
  readonly mirrors: RegistryMirrors;
  readonly plainHttp: ReadonlySet<string>;
}

/** Calls a registry: finds its endpoint, logs in when asked to, tries again what may be tried again. */
export class RegistryCaller {
  readonly #options: CallerOptions;
  /** Mirrors that did not answer, until when they are left alone. Bounded by the mirrors that there are. */
  readonly #resting = new Map<string, number>();

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  /**
   * Resolves with an answer that has one of the accepted statuses; its body must be read or destroyed.
   *
   * @throws ImageFault UNAUTHORIZED | DENIED | RATE_LIMITED | REGISTRY_UNREACHABLE | REGISTRY_INVALID |
   *   CREDENTIALS_INVALID | the call's `missing`
   */
  async call(call: RegistryCall): Promise<RegistryAnswer> {
    return (await this.#mirrored(call)) ?? this.#direct(call);
  }

  /** What a mirror of the registry answers; undefined when there is none that has it. Only reading is mirrored. */
  async #mirrored(call: RegistryCall): Promise<RegistryAnswer | undefined> {
    const { target, method } = call;
    if (typeof target !== "string" || (method !== "GET" && method !== "HEAD")) return undefined;
    for (const mirror of this.#options.mirrors.get(call.registry) ?? []) {
      const restsUntilMs = this.#resting.get(mirror.origin) ?? -Infinity;
      if (restsUntilMs > this.#options.clock.nowMs()) continue;
      try {
        const answer = await this.#authorized(throughMirror(call, mirror, target), new URL(mirror.origin));
        if (answer.status < 300 && call.accept.includes(answer.status)) return answer;
        answer.body.destroy();
      } catch (error) {
        call.signal?.throwIfAborted();
        // What is wrong with a mirror is no reason not to ask the registry itself.
        if (!(error instanceof ImageFault)) {
          this.#resting.set(mirror.origin, this.#options.clock.nowMs() + mirrorRestMs);
        }
      }
    }
    return undefined;
  }

  async #direct(call: RegistryCall): Promise<RegistryAnswer> {
    const attempts = call.repeatable === false ? 1 : attemptsMax;
    for (let attempt = 1; ; attempt++) {
      call.signal?.throwIfAborted();
      const isLast = attempt >= attempts;
      const answer = await this.#authorized(call).catch((error: unknown) => {
        call.signal?.throwIfAborted();
        if (isLast || isFinal(error)) throw unreachableFault(call, error);
        return undefined;
      });
      if (answer !== undefined && call.accept.includes(answer.status)) return answer;
      const wanted =
        answer === undefined ? undefined : retryAfterMs(answer.headers["retry-after"], this.#options.clock.wallMs());
      const delayMs = wanted ?? this.backoffMs(attempt);
      if (answer !== undefined) {
        const mayPass = retryableStatuses.includes(answer.status) && delayMs <= retryAfterMsMax;
        if (!mayPass || isLast) throw await refusal(call, answer);
        answer.body.destroy();
      }
      await this.#options.clock.sleep(delayMs, call.signal);
    }
  }

  /** How long to wait after the failed attempt of this number, from 1: doubled each time, with jitter. */
  backoffMs(attempt: number): number {
    const full = Math.min(backoffMsMax, backoffMsMin * 2 ** (attempt - 1));
    // Half fixed, half chance: nodes that were refused together do not come back together.
    return full / 2 + this.#options.random.below(Math.ceil(full / 2) + 1);
  }

  async #authorized(call: RegistryCall, mirror?: URL): Promise<RegistryAnswer> {
    const { registry, scope, signal } = call;
    const override = this.#options.endpoints.get(registry);
    const base = mirror ?? this.#base(registry, override);
    const url = call.target instanceof URL ? call.target : new URL(`${base.href.replace(/\/$/, "")}/v2/${call.target}`);
    if (url.host !== base.host) checkOnward(base, url, "sends an upload");
    const send = (authorization: string | undefined): Promise<ExchangeResponse> =>
      this.#options.exchange.send({
        method: call.method,
        url,
        headers: {
          ...call.headers,
          // An upload that the registry sends elsewhere is authorised by its URL, not by us.
          ...(authorization === undefined || url.host !== base.host ? {} : { authorization }),
        },
        ...(call.body === undefined ? {} : { body: call.body }),
        ...(override?.authority === undefined || url.host !== base.host ? {} : { authority: override.authority }),
        signal,
      });
    const known =
      override?.token === undefined ? this.#options.auth.cached(registry, scope) : `Bearer ${override.token}`;
    const first = await send(known);
    const challenge = first.headers["www-authenticate"];
    if (first.status !== 401 || override?.token !== undefined || challenge === undefined || url.host !== base.host) {
      return { ...first, endpoint: url };
    }
    first.body.destroy();
    this.#options.auth.forget(registry, scope);
    const from = { host: registry, url: base, authority: override?.authority };
    const answer = await this.#options.auth.answer(from, challenge, scope, signal);
    const second = await send(answer);
    if (second.status === 401) this.#options.auth.forget(registry, scope);
    return { ...second, endpoint: url };
  }

  #base(registry: RegistryHost, override: RegistryEndpoint | undefined): URL {
    if (override !== undefined) return new URL(override.url);
    const { url } = registryUrl(registry);
    return new URL(this.#options.plainHttp.has(registry) ? url.replace(/^https:/, "http:") : url);
  }
}

/** The same question to a mirror: there, the registry is another one, and names may begin otherwise. */
function throughMirror(call: RegistryCall, { origin, prefix }: RegistryMirror, target: string): RegistryCall {
  const registry = registryHost(new URL(origin).host);
  if (prefix === undefined) return { ...call, registry, target };
  const scope = call.scope.replaceAll("repository:", `repository:${prefix}/`);
  return { ...call, registry, scope, target: `${prefix}/${target}` };
}

/** Certificates do not become valid by waiting, and a name that does not exist now will not in two seconds. */
const isFinal = (error: unknown): boolean => (error instanceof ImageFault && !error.retryable) || isFinalCode(error);

const isFinalCode = (error: unknown): boolean =>
  error instanceof Error &&
  "code" in error &&
  /^(ENOTFOUND$|ERR_TLS|CERT_|.*_CERT|UNABLE_TO_|EPROTO$)/.test(String(error.code));

function unreachableFault(call: RegistryCall, error: unknown): ImageFault {
  if (error instanceof ImageFault) return error;
  const text = `${call.what} failed: ${call.registry} cannot be reached (${describeError(error)})`;
  return new ImageFault("REGISTRY_UNREACHABLE", text, { cause: error, retryable: true });
}

async function refusal(call: RegistryCall, answer: RegistryAnswer): Promise<ImageFault> {
  const said = await errorText(answer);
  const text = `${call.what} failed: ${call.registry} answered ${said}`;
  switch (answer.status) {
    case 401:
      return new ImageFault("UNAUTHORIZED", `${text}; run docker login ${call.registry}`);
    case 403:
      return new ImageFault("DENIED", text);
    case 404:
      return new ImageFault(call.missing ?? "REGISTRY_INVALID", text);
    case 413:
      return new ImageFault("TOO_LARGE", text);
    case 429:
      return new ImageFault("RATE_LIMITED", text, { retryable: true });
    default:
      return retryableStatuses.includes(answer.status)
        ? new ImageFault("REGISTRY_UNREACHABLE", text, { retryable: true })
        : new ImageFault("REGISTRY_INVALID", text);
  }
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3), as milliseconds from now. */
export function retryAfterMs(header: string | undefined, wallMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - wallMs);
}
