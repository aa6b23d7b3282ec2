import type { LabelSelector } from "./core.ts";
import type { ApiObject, Condition } from "./meta.ts";
import type { StrictCondition } from "./network.ts";

/** gateway.networking.k8s.io/v1, serving.knative.dev/v1beta1 DomainMapping, and shallop.dev/v1 TrafficPolicy. */

export interface GatewayClass extends ApiObject {
  readonly kind: "GatewayClass";
  readonly spec: { readonly controllerName: string };
  readonly status?: { readonly conditions?: readonly StrictCondition[] };
}

export interface SecretReference {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
}

export interface GatewayListener {
  readonly name: string;
  /** Absent: any. */
  readonly hostname?: string;
  readonly port: number;
  readonly protocol: string;
  readonly tls?: { readonly mode?: string; readonly certificateRefs?: readonly SecretReference[] };
  readonly allowedRoutes?: {
    readonly namespaces?: {
      readonly from?: string;
      readonly selector?: LabelSelector;
    };
    readonly kinds?: readonly { readonly group?: string; readonly kind: string }[];
  };
}

export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds?: readonly { readonly group?: string; readonly kind: string }[];
  readonly attachedRoutes: number;
  readonly conditions: readonly StrictCondition[];
}

export interface Gateway extends ApiObject {
  readonly kind: "Gateway";
  readonly spec: { readonly gatewayClassName: string; readonly listeners: readonly GatewayListener[] };
  readonly status?: {
    readonly addresses?: readonly { readonly type?: string; readonly value: string }[];
    readonly conditions?: readonly StrictCondition[];
    readonly listeners?: readonly ListenerStatus[];
  };
}

export interface ParentReference {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly sectionName?: string;
  readonly port?: number;
}

export interface BackendReference {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
}

export interface HttpHeader {
  readonly name: string;
  readonly value: string;
}

export interface HeaderFilter {
  readonly set?: readonly HttpHeader[];
  readonly add?: readonly HttpHeader[];
  readonly remove?: readonly string[];
}

export interface PathModifier {
  readonly type: "ReplaceFullPath" | "ReplacePrefixMatch";
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
}

export interface CorsFilter {
  readonly allowOrigins?: readonly string[];
  readonly allowCredentials?: boolean;
  readonly allowMethods?: readonly string[];
  readonly allowHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  /** Seconds. */
  readonly maxAge?: number;
}

export interface RedirectFilter {
  readonly scheme?: "http" | "https";
  readonly hostname?: string;
  readonly path?: PathModifier;
  readonly port?: number;
  readonly statusCode?: number;
}

export interface MirrorFilter {
  readonly backendRef: BackendReference;
  readonly percent?: number;
  readonly fraction?: { readonly numerator: number; readonly denominator?: number };
}

export interface HttpRouteFilter {
  readonly type: string;
  readonly requestHeaderModifier?: HeaderFilter;
  readonly responseHeaderModifier?: HeaderFilter;
  readonly requestMirror?: MirrorFilter;
  readonly requestRedirect?: RedirectFilter;
  readonly urlRewrite?: { readonly hostname?: string; readonly path?: PathModifier };
  readonly cors?: CorsFilter;
  readonly extensionRef?: { readonly group: string; readonly kind: string; readonly name: string };
}

export interface ValueMatch {
  readonly type?: "Exact" | "RegularExpression";
  readonly name: string;
  readonly value: string;
}

export interface HttpRouteMatch {
  readonly path?: { readonly type?: "Exact" | "PathPrefix" | "RegularExpression"; readonly value?: string };
  readonly headers?: readonly ValueMatch[];
  readonly queryParams?: readonly ValueMatch[];
  readonly method?: string;
}

export interface HttpBackendRef extends BackendReference {
  readonly weight?: number;
  readonly filters?: readonly HttpRouteFilter[];
}

export interface RouteTimeouts {
  readonly request?: string;
  readonly backendRequest?: string;
}

export interface RouteRetry {
  readonly codes?: readonly number[];
  readonly attempts?: number;
  readonly backoff?: string;
}

export interface SessionPersistence {
  readonly sessionName?: string;
  readonly absoluteTimeout?: string;
  readonly idleTimeout?: string;
  readonly type?: "Cookie" | "Header";
  readonly cookieConfig?: { readonly lifetimeType?: "Permanent" | "Session" };
}

export interface HttpRouteRule {
  readonly name?: string;
  readonly matches?: readonly HttpRouteMatch[];
  readonly filters?: readonly HttpRouteFilter[];
  readonly backendRefs?: readonly HttpBackendRef[];
  readonly timeouts?: RouteTimeouts;
  readonly retry?: RouteRetry;
  readonly sessionPersistence?: SessionPersistence;
}

export interface RouteParentStatus {
  readonly parentRef: ParentReference;
  readonly controllerName: string;
  readonly conditions?: readonly StrictCondition[];
}

export interface HttpRoute extends ApiObject {
  readonly kind: "HTTPRoute";
  readonly spec: {
    readonly parentRefs?: readonly ParentReference[];
    readonly hostnames?: readonly string[];
    readonly rules?: readonly HttpRouteRule[];
  };
  readonly status?: { readonly parents: readonly RouteParentStatus[] };
}

export interface ReferenceGrant extends ApiObject {
  readonly kind: "ReferenceGrant";
  readonly spec: {
    readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
    readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
  };
}

/** A host name of one's own for a Knative Service or Route; its name is the host. */
export interface DomainMapping extends ApiObject {
  readonly kind: "DomainMapping";
  readonly spec: {
    readonly ref: {
      readonly apiVersion?: string;
      readonly kind: string;
      readonly namespace?: string;
      readonly name: string;
    };
    readonly tls?: { readonly secretName: string };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly Condition[];
    readonly url?: string;
    readonly address?: { readonly url: string };
  };
}

export interface RateLimit {
  readonly requests: number;
  /** `1s`, `1m`, `1h`; a second when absent. */
  readonly period?: string;
  /** How many may come at once; `requests` when absent. */
  readonly burst?: number;
  readonly per?: "Client" | "Route";
}

export interface JwtPolicy {
  readonly issuer: string;
  readonly audiences?: readonly string[];
  /** A JSON Web Key Set, as text. */
  readonly jwks?: string;
  /** A Secret of type `shallop.dev/jwks`, whose key `jwks.json` has it. */
  readonly jwksSecret?: { readonly name: string };
  /** `authorization` when absent; else the whole value is the token. */
  readonly header?: string;
  /** A request without a token passes; one with a bad token does not. */
  readonly optional?: boolean;
  readonly claimsToHeaders?: readonly { readonly claim: string; readonly header: string }[];
}

/** What neither Ingress nor HTTPRoute can say of requests; attached to what routes them. */
export interface TrafficPolicy extends ApiObject {
  readonly kind: "TrafficPolicy";
  readonly spec: {
    readonly targetRefs: readonly {
      readonly group?: string;
      readonly kind: string;
      readonly name: string;
      /** Name of a rule of an HTTPRoute. */
      readonly sectionName?: string;
    }[];
    readonly filters?: readonly HttpRouteFilter[];
    readonly timeouts?: RouteTimeouts;
    readonly retry?: RouteRetry;
    readonly sessionPersistence?: SessionPersistence;
    readonly rateLimits?: readonly RateLimit[];
    readonly outlierDetection?: {
      readonly consecutiveErrors?: number;
      readonly baseEjectionTime?: string;
      readonly maxEjectionPercent?: number;
    };
    readonly compression?: {
      readonly algorithms?: readonly string[];
      readonly minBytes?: number;
      readonly contentTypes?: readonly string[];
    };
    readonly requestBodyMax?: string;
    readonly jwt?: JwtPolicy;
    readonly basicAuth?: { readonly secrets: readonly { readonly name: string }[]; readonly realm?: string };
    readonly clients?: { readonly allow?: readonly string[]; readonly deny?: readonly string[] };
    readonly redirectToHttps?: boolean;
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly StrictCondition[];
  };
}
