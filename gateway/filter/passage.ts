import type { Clock, Random } from "@shallop/sdk/internal";
import type { AcceptedRequest } from "../listen/http-server.ts";
import type { ClientEnd } from "../proxy/client-end.ts";
import type { ExchangeRules } from "../proxy/exchange.ts";
import { GatewayFault } from "../proxy/fault-status.ts";
import type { BackendSource, Picked } from "../route/backends.ts";
import { changeHeaders, changePath, type HeaderChanges, redirectLocation } from "../route/filters.ts";
import type { CompiledPolicy } from "../route/policy.ts";
import { headerValue } from "../route/predicates.ts";
import type { Match } from "../route/rule.ts";
import { AnswerHeaders } from "./answer-headers.ts";
import { CompressedAnswer, negotiateCoding } from "./compressed-answer.ts";
import { corsChanges, isPreflight, preflightHeaders } from "./cors.ts";
import { guard, type Pass } from "./guard.ts";
import { MirrorEnd, MirroredRequest } from "./mirror.ts";
import { PolicyState, type SecretSource } from "./policy-state.ts";
import { Seat, SeatedAnswer } from "./seat.ts";
import { sessionToken } from "./session.ts";

export interface PassageContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly secrets: SecretSource;
  readonly backends: BackendSource;
  /** Port of HTTPS, as redirects name it; undefined: there is none. */
  readonly httpsPort: () => number | undefined;
  /** How many gateways the cluster has. */
  readonly gateways: () => number;
  /** All objects have been heard of: what is not known is not there. */
  readonly complete: () => boolean;
}

/** A request that goes on, as its rule would have it. */
export interface Forwarded {
  readonly request: AcceptedRequest;
  /** Key of a revision, or of a Service's pods. */
  readonly target: string;
  readonly rules: ExchangeRules | undefined;
  readonly mirrors: readonly { readonly request: AcceptedRequest; readonly target: string }[];
  /** Calls `listener` once the answer has been given to the connection: some of it may be in a compressor. */
  readonly whenWritten: ((listener: () => void) => void) | undefined;
}

/** An answer that the rule gives itself. */
export interface DirectAnswer {
  readonly peer: ClientEnd;
  readonly status: number;
  /** Flat. */
  readonly headers: readonly string[];
  readonly body?: string;
}

export type Passed = Forwarded | DirectAnswer;

/** What rules do with requests before they go on, and with answers. State of policies lives as long as they do. */
export class Passages {
  readonly #context: PassageContext;
  readonly #states = new WeakMap<CompiledPolicy, PolicyState>();

  constructor(context: PassageContext) {
    this.#context = context;
  }

  /**
   * `peer` of the result is the client's end with what the rule does to answers.
   * @throws GatewayFault of guards; BACKEND_MISSING, NOT_PREPARED, ROUTES_UNKNOWN, RULE_UNUSABLE
   */
  pass(request: AcceptedRequest, match: Match): Passed | Promise<Passed> {
    const cors = match.rule.filters?.cors;
    if (cors === undefined) return this.#pass(request, match);
    const tell = (error: unknown): never => {
      throw toldToPages(error, corsChanges(cors, request.headers.headers));
    };
    try {
      const passed = this.#pass(request, match);
      return passed instanceof Promise ? passed.catch(tell) : passed;
    } catch (error) {
      return tell(error);
    }
  }

  #pass(request: AcceptedRequest, match: Match): Passed | Promise<Passed> {
    const { filters, policy } = match.rule;
    if (filters === undefined && policy === undefined) return this.#plain(request, match);
    if (filters?.isUnknown === true) throw new GatewayFault("RULE_UNUSABLE", "the rule has a filter that is not known");
    const early = this.#answerEarly(request, match);
    if (early !== undefined) return early;
    if (policy === undefined) return this.#forward(request, match, undefined);
    const passed = guard(request, { policy, state: this.#stateOf(policy) }, this.#context);
    if (passed instanceof Promise) return passed.then((pass) => this.#forward(request, match, pass));
    return this.#forward(request, match, passed);
  }

  #plain(request: AcceptedRequest, match: Match): Forwarded {
    const picked = this.#pick(match, undefined);
    const { requestHeaders, responseHeaders } = picked.backend ?? {};
    const target = this.#targetOf(picked);
    if (requestHeaders === undefined && responseHeaders === undefined)
      return { request, target, rules: undefined, mirrors: [], whenWritten: undefined };
    const peer = responseHeaders === undefined ? request.peer : new AnswerHeaders(request.peer, [responseHeaders]);
    const headers = { ...request.headers, headers: changeHeaders(request.headers.headers, requestHeaders) };
    return { request: { ...request, peer, headers }, target, rules: undefined, mirrors: [], whenWritten: undefined };
  }

  /** Redirects, and what browsers ask before they ask: no pod is needed for these, and no credentials. */
  #answerEarly(request: AcceptedRequest, { rule, prefix }: Match): DirectAnswer | undefined {
    const { peer, clientScheme: scheme, host, target } = request;
    const { filters, policy } = rule;
    const httpsPort = this.#context.httpsPort();
    if (policy?.redirectToHttps === true && scheme === "http" && httpsPort !== undefined) {
      const filter = { scheme: "https", port: httpsPort } as const;
      const location = redirectLocation(filter, { scheme, host, port: undefined, target, prefix });
      return { peer, status: 308, headers: ["location", location] };
    }
    if (filters?.cors !== undefined && isPreflight(peer.method, request.headers.headers))
      return { peer, status: 204, headers: preflightHeaders(filters.cors, request.headers.headers) };
    if (filters?.redirect === undefined) return undefined;
    const port = portOf(request.authority);
    const location = redirectLocation(filters.redirect, { scheme, host, port, target, prefix });
    const changes = filters.responseHeaders;
    return {
      peer: changes === undefined ? peer : new AnswerHeaders(peer, [changes]),
      status: filters.redirect.statusCode ?? 302,
      headers: ["location", location],
    };
  }

  #forward(original: AcceptedRequest, match: Match, pass: Pass | undefined): Forwarded {
    const { filters, policy } = match.rule;
    const session = policy?.session;
    const wallMs = session === undefined ? 0 : this.#context.clock.wallMs();
    const token = session === undefined ? undefined : sessionToken(session, original.headers.headers, wallMs);
    const picked = this.#pick(match, token?.target);
    const target = this.#targetOf(picked);
    const seat = session === undefined ? undefined : new Seat(token?.pod);
    const changes: readonly (HeaderChanges | undefined)[] = [
      pass,
      filters?.requestHeaders,
      picked.backend?.requestHeaders,
    ];
    const headers = changes.reduce((list, one) => changeHeaders(list, one), original.headers.headers);
    const answer = this.#answerChanges(original, match, picked);
    const compressed = this.#compressed(original, policy);
    const plain = answer.length === 0 ? original.peer : new AnswerHeaders(original.peer, answer);
    const { clientScheme: scheme } = original;
    const begunSeconds = token?.begunSeconds ?? Math.floor(wallMs / 1000);
    const shaped =
      session === undefined || seat === undefined
        ? plain
        : new SeatedAnswer(plain, { rule: session, seat, target, begunSeconds, scheme, wallMs });
    const client = compressed === undefined ? shaped : new CompressedAnswer(shaped, compressed.rule, compressed.coding);
    const rewritten: AcceptedRequest = {
      ...original,
      peer: client,
      headers: { ...original.headers, headers },
      authority: filters?.rewriteHost ?? original.authority,
      askedAuthority: original.authority,
      target: changePath(original.target, filters?.rewritePath, match.prefix),
    };
    const mirrors = this.#mirrors(rewritten, match);
    const copies = mirrors.map(({ request }) => request.peer as MirrorEnd);
    return {
      request: copies.length === 0 ? rewritten : { ...rewritten, peer: new MirroredRequest(client, copies) },
      target,
      rules: policy === undefined ? undefined : { ...this.#rules(policy), seat },
      mirrors,
      whenWritten: client instanceof CompressedAnswer ? (listener) => client.whenWritten(listener) : undefined,
    };
  }

  /** @param token of the revision that the client had before */
  #pick({ rule, split }: Match, token: string | undefined): Picked {
    const { random, backends } = this.#context;
    // A tag names its revision: there is nothing to choose.
    if (split !== undefined && split.revisions.length === 1) return { backend: undefined, target: split.revisions[0] };
    const kept = token === undefined ? undefined : rule.backends.pickSticky(token, backends);
    return kept ?? rule.backends.pick(backends, random);
  }

  /** HTTPBackendRef: what is not there is 500; a Route that has no revision yet is asked again. */
  #targetOf({ backend, target }: Picked): string {
    if (target !== undefined) return target;
    const { backends, complete } = this.#context;
    if (backend === undefined || backend.isRefused) throw new GatewayFault("BACKEND_MISSING", "");
    if (backends.split(backend.key) !== undefined) throw new GatewayFault("NOT_PREPARED", "");
    throw new GatewayFault(complete() ? "BACKEND_MISSING" : "ROUTES_UNKNOWN", "");
  }

  #answerChanges(
    { headers }: AcceptedRequest,
    { rule }: Match,
    picked: Picked,
  ): readonly (HeaderChanges | undefined)[] {
    const { filters } = rule;
    const changes: (HeaderChanges | undefined)[] = [filters?.responseHeaders, picked.backend?.responseHeaders];
    if (filters?.cors !== undefined) changes.push(corsChanges(filters.cors, headers.headers));
    return changes.filter((one) => one !== undefined);
  }

  #compressed(
    { headers }: AcceptedRequest,
    policy: CompiledPolicy | undefined,
  ):
    | { readonly rule: NonNullable<CompiledPolicy["compression"]>; readonly coding: "br" | "gzip" | "zstd" | undefined }
    | undefined {
    const rule = policy?.compression;
    if (rule === undefined || headers.isUpgrade) return undefined;
    return { rule, coding: negotiateCoding(headerValue(headers.headers, "accept-encoding"), rule.algorithms) };
  }

  #mirrors(request: AcceptedRequest, { rule }: Match): Forwarded["mirrors"] {
    const { random, backends } = this.#context;
    const { headers, peer } = request;
    if (headers.isUpgrade) return [];
    return (rule.filters?.mirrors ?? []).flatMap(({ filter, perMillion }) => {
      if (perMillion < 1_000_000 && random.below(1_000_000) >= perMillion) return [];
      const key = `${filter.backendRef.namespace ?? rule.namespace}/${filter.backendRef.name}`;
      const target = backends.split(key)?.next(random) ?? backends.service(key);
      if (target === undefined) return [];
      const hasBody = headers.chunked || (headers.contentLength ?? 0) > 0;
      const copy = { ...request, peer: new MirrorEnd(peer.method, hasBody), id: random.uuid(), record: undefined };
      return [{ request: { ...copy, headers: { ...headers, headers: [...headers.headers] } }, target }];
    });
  }

  #rules(policy: CompiledPolicy): ExchangeRules {
    const { outliers } = this.#stateOf(policy);
    const { clock } = this.#context;
    return {
      timeoutMs: policy.timeoutMs,
      attemptTimeoutMs: policy.attemptTimeoutMs,
      bodyBytesMax: policy.bodyBytesMax,
      retry: policy.retry,
      judge:
        outliers === undefined
          ? undefined
          : (pod, status, usablePods) => outliers.judge(pod.uid, status, { nowMs: clock.nowMs(), usablePods }),
    };
  }

  #stateOf(policy: CompiledPolicy): PolicyState {
    let state = this.#states.get(policy);
    if (state === undefined) {
      state = new PolicyState(policy);
      this.#states.set(policy, state);
    }
    return state;
  }
}

/** A page of another origin that may hear the answer may hear why there is none, such as that it is to come back later. */
function toldToPages(error: unknown, changes: HeaderChanges | undefined): unknown {
  if (changes === undefined || !(error instanceof GatewayFault)) return error;
  const { code, message, cause, headers } = error;
  return new GatewayFault(code, message, { cause, headers: [...headers, ...changes.add] });
}

function portOf(authority: string): number | undefined {
  const [, port] = /:([0-9]{1,5})$/.exec(authority) ?? [];
  return port === undefined ? undefined : Number(port);
}
