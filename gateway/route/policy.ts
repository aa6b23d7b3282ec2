import {
  type ApiObject,
  gatewayGroup,
  type HttpRouteFilter,
  type HttpRouteRule,
  type JwtPolicy,
  parseQuantity,
  type TrafficPolicy,
} from "@shallop/sdk/api";
import { parseDurationMs } from "@shallop/sdk/internal";

/** TrafficPolicies and the fields of rules that say the same, compiled. Filters of policies are filters of their rules. */

export interface RateLimitRule {
  readonly requests: number;
  readonly periodMs: number;
  readonly burst: number;
  readonly per: "Client" | "Route";
}

interface RetryRule {
  readonly codes: ReadonlySet<number>;
  readonly attempts: number;
  readonly backoffMs: number;
}

export interface SessionRule {
  readonly kind: "Cookie" | "Header";
  readonly name: string;
  /** The browser keeps it when it ends. */
  readonly isPermanent: boolean;
  /** Since it began, and since it was last seen; then the client is a new one. Undefined: no end. */
  readonly absoluteMs: number | undefined;
  readonly idleMs: number | undefined;
}

export interface OutlierRule {
  readonly consecutiveErrors: number;
  readonly ejectionMs: number;
  readonly maxEjectionPercent: number;
}

export interface CompressionRule {
  readonly algorithms: readonly ("br" | "gzip" | "zstd")[];
  readonly minBytes: number;
  readonly contentTypes: readonly string[];
}

/** Stays the same object while its sources do: what is counted by it, such as rates, lives as long. */
export interface CompiledPolicy {
  readonly timeoutMs: number | undefined;
  readonly attemptTimeoutMs: number | undefined;
  readonly retry: RetryRule | undefined;
  readonly session: SessionRule | undefined;
  readonly rateLimits: readonly RateLimitRule[];
  readonly outliers: OutlierRule | undefined;
  readonly compression: CompressionRule | undefined;
  readonly bodyBytesMax: number | undefined;
  /** With the namespace of its Secret: that of the policy that says it, whichever others hold beside it. */
  readonly jwt: (JwtPolicy & { readonly namespace: string }) | undefined;
  /** Names of Secrets, and their namespace. */
  readonly basicAuth:
    | { readonly secrets: readonly string[]; readonly realm: string; readonly namespace: string }
    | undefined;
  readonly clients: { readonly allow: readonly string[]; readonly deny: readonly string[] } | undefined;
  readonly redirectToHttps: boolean;
}

type PolicySpec = Omit<TrafficPolicy["spec"], "targetRefs">;

/** Something that a policy can be attached to: `GROUP/KIND/NAMESPACE/NAME`, and a section of it. */
export const targetKey = (group: string, kind: string, namespace: string, name: string): string =>
  `${group}/${kind}/${namespace}/${name}`;

// Envoy's defaults of outlier detection.
const outlierDefaults = { consecutiveErrors: 5, ejectionMs: 30_000, maxEjectionPercent: 10 } as const;
// What fits a packet is not worth a compression; nginx and Envoy begin lower, and are told so.
const compressionMinBytes = 1_024;
const compressedTypes = [
  "text/",
  "application/json",
  "application/javascript",
  "application/xml",
  "image/svg+xml",
  "application/wasm",
  "+json",
  "+xml",
];
const cookieName = "shallop-session";

/** What a rule of a HTTPRoute says itself of what policies are about. */
export const ownPolicy = ({ timeouts, retry, sessionPersistence }: HttpRouteRule): PolicySpec => ({
  ...(timeouts === undefined ? {} : { timeouts }),
  ...(retry === undefined ? {} : { retry }),
  ...(sessionPersistence === undefined ? {} : { sessionPersistence }),
});

/** What Knative's annotation `http-protocol` says: `Redirected` sends HTTP to HTTPS. */
export const knativePolicy = ({ metadata }: ApiObject): PolicySpec =>
  metadata.annotations?.["networking.knative.dev/http-protocol"]?.toLowerCase() === "redirected"
    ? { redirectToHttps: true }
    : {};

/** All policies, and which of them hold for what. */
export class PolicyBook {
  readonly #policies = new Map<string, TrafficPolicy>();
  readonly #byTarget = new Map<string, TrafficPolicy[]>();
  readonly #compiled = new Map<string, CompiledPolicy>();

  /** @returns the targets for which something may be different now */
  set(policy: TrafficPolicy): readonly string[] {
    const before = this.delete(policy.metadata.namespace ?? "", policy.metadata.name);
    this.#policies.set(keyOf(policy), policy);
    const targets = targetsOf(policy);
    for (const target of targets) {
      const all = [...(this.#byTarget.get(target) ?? []), policy];
      this.#byTarget.set(target, all.toSorted(byAge));
    }
    return [...new Set([...before, ...targets])];
  }

  delete(namespace: string, name: string): readonly string[] {
    const policy = this.#policies.get(`${namespace}/${name}`);
    if (policy === undefined) return [];
    this.#policies.delete(keyOf(policy));
    for (const key of this.#compiled.keys()) if (key.includes(policy.metadata.uid)) this.#compiled.delete(key);
    const targets = targetsOf(policy);
    for (const target of targets) {
      const left = (this.#byTarget.get(target) ?? []).filter((other) => other !== policy);
      if (left.length === 0) this.#byTarget.delete(target);
      else this.#byTarget.set(target, left);
    }
    return targets;
  }

  /** The filters that the policies of these targets add, the widest target first. */
  filters(targets: readonly string[]): readonly HttpRouteFilter[] {
    return this.#applying(targets).flatMap(({ spec }) => spec.filters ?? []);
  }

  /**
   * What holds for a rule: of each field what the narrowest of `targets` says, and before that what the rule says itself.
   * Undefined when nobody says anything.
   */
  policy(targets: readonly string[], own: PolicySpec, namespace: string): CompiledPolicy | undefined {
    const applying = this.#applying(targets);
    if (applying.length === 0 && Object.keys(own).length === 0) return undefined;
    const key = JSON.stringify([applying.map(({ metadata }) => [metadata.uid, metadata.generation]), own, namespace]);
    const known = this.#compiled.get(key);
    if (known !== undefined) return known;
    const spec: PolicySpec = Object.assign({}, ...applying.map((policy) => policy.spec), own);
    const whose = (field: "jwt" | "basicAuth"): string =>
      applying.findLast((policy) => policy.spec[field] !== undefined)?.metadata.namespace ?? namespace;
    const compiled = compilePolicy(spec, whose);
    this.#compiled.set(key, compiled);
    return compiled;
  }

  /** One policy of each target, the oldest: others are told that they conflict. */
  #applying(targets: readonly string[]): readonly TrafficPolicy[] {
    return targets.flatMap((target) => this.#byTarget.get(target)?.slice(0, 1) ?? []);
  }
}

const keyOf = ({ metadata }: TrafficPolicy): string => `${metadata.namespace ?? ""}/${metadata.name}`;

const targetsOf = ({ metadata, spec }: TrafficPolicy): readonly string[] =>
  spec.targetRefs.map(({ group = "", kind, name, sectionName }) => {
    const target = targetKey(group, kind, metadata.namespace ?? "", name);
    return sectionName === undefined || sectionName === "" ? target : `${target}#${sectionName}`;
  });

const byAge = (a: TrafficPolicy, b: TrafficPolicy): number =>
  a.metadata.creationTimestamp < b.metadata.creationTimestamp ||
  (a.metadata.creationTimestamp === b.metadata.creationTimestamp && a.metadata.name < b.metadata.name)
    ? -1
    : 1;

function compilePolicy(spec: PolicySpec, whose: (field: "jwt" | "basicAuth") => string): CompiledPolicy {
  return {
    timeoutMs: durationMs(spec.timeouts?.request),
    attemptTimeoutMs: durationMs(spec.timeouts?.backendRequest),
    retry: compileRetry(spec.retry),
    session: compileSession(spec.sessionPersistence),
    rateLimits: (spec.rateLimits ?? []).map(({ requests, period, burst, per = "Client" }) => ({
      requests,
      periodMs: durationMs(period) ?? 1_000,
      burst: burst ?? requests,
      per,
    })),
    outliers: compileOutliers(spec.outlierDetection),
    compression: compileCompression(spec.compression),
    bodyBytesMax: spec.requestBodyMax === undefined ? undefined : parseQuantity(spec.requestBodyMax),
    jwt: spec.jwt === undefined ? undefined : { ...spec.jwt, namespace: whose("jwt") },
    basicAuth:
      spec.basicAuth === undefined
        ? undefined
        : {
            secrets: spec.basicAuth.secrets.map(({ name }) => name),
            realm: spec.basicAuth.realm ?? "restricted",
            namespace: whose("basicAuth"),
          },
    clients:
      spec.clients === undefined ? undefined : { allow: spec.clients.allow ?? [], deny: spec.clients.deny ?? [] },
    redirectToHttps: spec.redirectToHttps === true,
  };
}

/** `0s` means no limit at all (HTTPRouteTimeouts). */
const durationMs = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : parseDurationMs(text) || undefined;

function compileRetry(retry: PolicySpec["retry"]): RetryRule | undefined {
  if (retry === undefined) return undefined;
  return {
    codes: new Set(retry.codes ?? [502, 503, 504]),
    attempts: retry.attempts ?? 1,
    backoffMs: durationMs(retry.backoff) ?? 25,
  };
}

function compileSession(session: PolicySpec["sessionPersistence"]): SessionRule | undefined {
  if (session === undefined) return undefined;
  return {
    kind: session.type ?? "Cookie",
    name: session.sessionName ?? cookieName,
    isPermanent: session.cookieConfig?.lifetimeType === "Permanent",
    absoluteMs: durationMs(session.absoluteTimeout),
    idleMs: durationMs(session.idleTimeout),
  };
}

function compileOutliers(detection: PolicySpec["outlierDetection"]): OutlierRule | undefined {
  if (detection === undefined) return undefined;
  return {
    consecutiveErrors: detection.consecutiveErrors ?? outlierDefaults.consecutiveErrors,
    ejectionMs: durationMs(detection.baseEjectionTime) ?? outlierDefaults.ejectionMs,
    maxEjectionPercent: detection.maxEjectionPercent ?? outlierDefaults.maxEjectionPercent,
  };
}

function compileCompression(compression: PolicySpec["compression"]): CompressionRule | undefined {
  if (compression === undefined) return undefined;
  const known = ["zstd", "br", "gzip"] as const;
  const wanted = compression.algorithms ?? known;
  return {
    algorithms: known.filter((algorithm) => wanted.includes(algorithm)),
    minBytes: compression.minBytes ?? compressionMinBytes,
    contentTypes: (compression.contentTypes ?? compressedTypes).map((type) => type.toLowerCase()),
  };
}

/** Targets of the policies of a HTTPRoute's rule, the widest first. */
export function httpRouteTargets(
  namespace: string,
  name: string,
  more: { readonly gateways: readonly string[]; readonly section: string | undefined },
): readonly string[] {
  const route = targetKey(gatewayGroup, "HTTPRoute", namespace, name);
  return [...more.gateways, route, ...(more.section === undefined ? [] : [`${route}#${more.section}`])];
}
