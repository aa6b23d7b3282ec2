import { describe, expect, test } from "vitest";
import { conform, missingFields } from "./conform.ts";
import type { JsonObject } from "./json.ts";
import { withDefaults } from "./kind.ts";
import { kindOf } from "./kinds.ts";
import type { ApiObject } from "./meta.ts";
import {
  coreServices,
  domainMappings,
  gatewayClasses,
  gateways,
  httpRoutes,
  ingresses,
  type Resource,
  routes,
  secrets,
  trafficPolicies,
} from "./resources.ts";

/** As the API server goes through a new object. */
function admitted(resource: Resource<ApiObject>, object: JsonObject): { object: JsonObject; faults: string[] } {
  const kind = kindOf(resource)!;
  const { value, causes, unknownFields } = conform(kind.type, object);
  const full = withDefaults(kind, value);
  const missing = kind.builtin ? [] : missingFields(kind.type, full);
  const all = [...causes, ...missing, ...kind.validate(full, undefined, { allowZeroInitialScale: false })];
  return {
    object: full,
    faults: [...unknownFields.map((field) => `${field}: unknown`), ...all.map((one) => `${one.field}: ${one.message}`)],
  };
}

const faults = (resource: Resource<ApiObject>, object: JsonObject): string =>
  admitted(resource, object).faults.join("; ");

const backend = { service: { name: "web", port: { number: 80 } } };
const paths = (...list: JsonObject[]): JsonObject => ({
  spec: { rules: [{ host: "a.example.com", http: { paths: list } }] },
});

test.each<[string, JsonObject, string]>([
  ["the least", { spec: { defaultBackend: backend } }, ""],
  ["a path", paths({ path: "/a", pathType: "Prefix", backend }), ""],
  ["a wildcard", { spec: { rules: [{ host: "*.example.com" }] } }, ""],
  ["nothing", { spec: {} }, "either `defaultBackend` or `rules`"],
  ["an address as host", { spec: { rules: [{ host: "10.0.0.1" }] } }, "must be a DNS name, not an IP address"],
  ["a star within", { spec: { rules: [{ host: "a.*.com" }] } }, "spec.rules[0].host"],
  ["no path type", paths({ path: "/a", backend }), "spec.rules[0].http.paths[0].pathType: Required"],
  ["an unknown path type", paths({ path: "/a", pathType: "Regex", backend }), "Unsupported value"],
  ["a relative path", paths({ path: "a", pathType: "Exact", backend }), "must be an absolute path"],
  ["a path in two readings", paths({ path: "/a/../b", pathType: "Exact", backend }), "must not contain /../"],
  ["no port", paths({ path: "/", pathType: "Prefix", backend: { service: { name: "a" } } }), "port name or number"],
  [
    "a resource",
    paths({ path: "/", pathType: "Prefix", backend: { resource: { kind: "x", name: "y" } } }),
    "Forbidden",
  ],
])("Ingress: %s", (_name, object, fault) => {
  if (fault === "") expect(faults(ingresses, object)).toBe("");
  else expect(faults(ingresses, object)).toContain(fault);
});

const route = (rule: JsonObject, more: JsonObject = {}): JsonObject => ({ spec: { rules: [rule], ...more } });
const match = (one: JsonObject): JsonObject => route({ matches: [one] });
const filter = (one: JsonObject): JsonObject => route({ filters: [one] });

const setHeader = (name: string): JsonObject => ({
  type: "RequestHeaderModifier",
  requestHeaderModifier: { set: [{ name, value: "open" }] },
});
const mirrorFilter = (more: JsonObject): JsonObject => ({
  type: "RequestMirror",
  requestMirror: { backendRef: { name: "a", port: 80 }, ...more },
});
const mirrored = (more: JsonObject): JsonObject => filter(mirrorFilter(more));

describe("HTTPRoute", () => {
  test.each<[string, JsonObject, string]>([
    ["the least", { spec: {} }, ""],
    ["a backend", route({ backendRefs: [{ name: "a", port: 80 }] }), ""],
    ["a Knative backend", route({ backendRefs: [{ group: "serving.knative.dev", kind: "Service", name: "a" }] }), ""],
    ["a core Service without a port", route({ backendRefs: [{ name: "a" }] }), "Must have port for Service reference"],
    ["a regular expression", match({ path: { type: "RegularExpression", value: "/v[0-9]+/.*" } }), ""],
    ["one with a back reference", match({ path: { type: "RegularExpression", value: "/(a)\\1" } }), "in RE2's syntax"],
    [
      "one that is none",
      match({ path: { type: "RegularExpression", value: "/(" } }),
      "spec.rules[0].matches[0].path.value",
    ],
    ["a header that is none", match({ headers: [{ name: "a b", value: "c" }] }), "must be the name of a header"],
    ["an unknown method", match({ method: "FETCH" }), "Unsupported value"],
    ["an unknown filter", filter({ type: "Magic" }), "filters[0].type: Unsupported value"],
    ["a filter without its part", filter({ type: "RequestMirror" }), "filters[0].requestMirror: Required"],
    ["two parts", filter({ type: "CORS", cors: {}, urlRewrite: {} }), "may not be set with the type CORS"],
    [
      "a status that redirects nothing",
      filter({ type: "RequestRedirect", requestRedirect: { statusCode: 200 } }),
      "must be one of 301",
    ],
    [
      "a rewrite of the framing",
      filter({
        type: "RequestHeaderModifier",
        requestHeaderModifier: { set: [{ name: "Content-Length", value: "1" }] },
      }),
      "is set by the gateway itself",
    ],
    [
      "a line break in a value",
      filter({ type: "ResponseHeaderModifier", responseHeaderModifier: { add: [{ name: "a", value: "b\r\nc: d" }] } }),
      "must be the value of a header",
    ],
    [
      "a negative weight",
      route({ backendRefs: [{ name: "a", port: 1, weight: -1 }] }),
      "must be between 0 and 1000000",
    ],
    [
      "both ways to go elsewhere",
      route({
        filters: [
          { type: "URLRewrite", urlRewrite: {} },
          { type: "RequestRedirect", requestRedirect: {} },
        ],
      }),
      "not both",
    ],
    ["a time that is none", route({ timeouts: { request: "soon" } }), "must be a duration"],
    [
      "a prefix to replace where there is none",
      route({
        matches: [{ path: { type: "Exact", value: "/a" } }],
        filters: [
          { type: "URLRewrite", urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } } },
        ],
      }),
      "wants every match of the rule to be a PathPrefix",
    ],
    [
      "a prefix that says a query",
      route({
        filters: [
          { type: "URLRewrite", urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/a?b=c" } } },
        ],
      }),
      "must not contain a query",
    ],
    ["a parent without a name", { spec: { parentRefs: [{}] } }, "spec.parentRefs[0].name: Required"],
    ["a backend whose name is a path", route({ backendRefs: [{ name: "a/b", port: 80 }] }), "backendRefs[0].name"],
    [
      "one of a namespace that is none",
      route({ backendRefs: [{ name: "a", namespace: "../b", port: 80 }] }),
      "[0].namespace",
    ],
    ["a weight in words", route({ backendRefs: [{ name: "a", port: 80, weight: "1" }] }), "must be of type integer"],
    ["half a weight", route({ backendRefs: [{ name: "a", port: 80, weight: 0.5 }] }), "must be of type integer"],
    [
      "a weight beyond all",
      route({ backendRefs: [{ name: "a", port: 80, weight: 1_000_001 }] }),
      "between 0 and 1000000",
    ],
    ["no share for anybody", route({ backendRefs: [{ name: "a", port: 80, weight: 0 }] }), ""],
    ["a mirror of a share", mirrored({ percent: 50 }), ""],
    ["a mirror of nothing", mirrored({ percent: 0 }), ""],
    ["a mirror of more than all", mirrored({ percent: 101 }), "requestMirror.percent: Invalid value: 101"],
    ["a mirror of less than nothing", mirrored({ percent: -1 }), "must be between 0 and 100"],
    ["a mirror of a share in words", mirrored({ percent: "5" }), "must be of type integer"],
    ["a mirror of a part of nothing", mirrored({ fraction: { numerator: 1, denominator: 0 } }), "and the denominator"],
    ["a mirror of two wholes", mirrored({ fraction: { numerator: 2, denominator: 1 } }), "and the denominator"],
    ["a mirror of no part", mirrored({ fraction: {} }), "fraction.numerator: Required value"],
    ["a mirror of two shares", mirrored({ percent: 5, fraction: { numerator: 1 } }), "may not be set with percent"],
    ["a mirror to a name that is a path", mirrored({ backendRef: { name: "a/b", port: 1 } }), "backendRef.name"],
    ["a mirror to no port", mirrored({ backendRef: { name: "a", port: 70_000 } }), "between 1 and 65535"],
    ["a mirror to nobody", mirrored({ backendRef: null }), "requestMirror.backendRef: Required value"],
    ["many mirrors", route({ filters: Array.from({ length: 17 }, () => mirrorFilter({})) }), "at most 16 items"],
    ["the gateway's own word", filter(setHeader("X-Shallop-Websocket")), "is set by the gateway itself"],
    [
      "many headers",
      filter({
        type: "RequestHeaderModifier",
        requestHeaderModifier: { remove: Array.from({ length: 17 }, (_none, index) => `h${index}`) },
      }),
      "requestHeaderModifier.remove: Invalid value: 17",
    ],
    [
      "many headers to match",
      match({ headers: Array.from({ length: 17 }, (_none, index) => ({ name: `h${index}`, value: "x" })) }),
      "matches[0].headers: Invalid value: 17",
    ],
    [
      "an attempt that is longer than all",
      route({ timeouts: { request: "1s", backendRequest: "2s" } }),
      "backendRequest: Invalid value",
    ],
    ["an attempt within no limit", route({ timeouts: { request: "0s", backendRequest: "2s" } }), ""],
    ["a pause of weeks", route({ retry: { attempts: 1, backoff: "1000h" } }), "retry.backoff"],
    ["a misspelt field", route({ filter: [] }), "spec.rules[0].filter: unknown"],
  ])("%s", (_name, object, fault) => {
    if (fault === "") expect(faults(httpRoutes, object)).toBe("");
    else expect(faults(httpRoutes, object)).toContain(fault);
  });

  test("gets the defaults of the Gateway API's schema", () => {
    const { object } = admitted(httpRoutes, {
      spec: { parentRefs: [{ name: "edge" }], rules: [{ backendRefs: [{ name: "a", port: 80 }] }] },
    });
    expect(object).toEqual({
      spec: {
        parentRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "edge" }],
        rules: [
          {
            matches: [{ path: { type: "PathPrefix", value: "/" } }],
            backendRefs: [{ group: "", kind: "Service", name: "a", port: 80, weight: 1 }],
          },
        ],
      },
    });
  });
});

const listener = (more: JsonObject): JsonObject => ({
  spec: { gatewayClassName: "shallop", listeners: [{ name: "a", port: 80, protocol: "HTTP", ...more }] },
});

test.each<[string, JsonObject, string]>([
  ["the least", listener({}), ""],
  ["TLS", listener({ protocol: "HTTPS", tls: { certificateRefs: [{ name: "cert" }] } }), ""],
  ["TLS without a certificate", listener({ protocol: "HTTPS" }), "tls.certificateRefs: Required"],
  ["TLS on HTTP", listener({ tls: {} }), "tls must not be specified for protocols"],
  ["a port that is none", listener({ port: 70_000 }), "must be between 1 and 65535"],
  [
    "certificates of another kind",
    listener({ protocol: "HTTPS", tls: { certificateRefs: [{ kind: "ConfigMap", name: "c" }] } }),
    "Secrets only",
  ],
  ["no listener", { spec: { gatewayClassName: "a", listeners: [] } }, "spec.listeners: Required"],
])("Gateway: %s", (_name, object, fault) => {
  if (fault === "") expect(faults(gateways, object)).toBe("");
  else expect(faults(gateways, object)).toContain(fault);
});

const policy = (more: JsonObject): JsonObject => ({
  spec: { targetRefs: [{ group: "networking.k8s.io", kind: "Ingress", name: "a" }], ...more },
});

test.each<[string, JsonObject, string]>([
  ["the least", policy({}), ""],
  ["a rate", policy({ rateLimits: [{ requests: 5, period: "1m", per: "Route" }] }), ""],
  ["no rate", policy({ rateLimits: [{ requests: 0 }] }), "must be at least 1"],
  ["no target", { spec: { targetRefs: [] } }, "spec.targetRefs: Required"],
  ["a target that routes nothing", { spec: { targetRefs: [{ kind: "Pod", name: "a" }] } }, "Unsupported value"],
  ["addresses", policy({ clients: { allow: ["10.0.0.0/8", "::1", "fd00::/8"] } }), ""],
  ["addresses that are none", policy({ clients: { deny: ["10.0.0.0/33"] } }), "spec.clients.deny[0]"],
  ["keys", policy({ jwt: { issuer: "i", jwks: '{"keys":[]}' } }), ""],
  ["keys that are none", policy({ jwt: { issuer: "i", jwks: "secret" } }), "JSON Web Key Set"],
  ["no keys", policy({ jwt: { issuer: "i" } }), "spec.jwt.jwks: Required"],
  ["a size that is none", policy({ requestBodyMax: "large" }), "spec.requestBodyMax"],
  ["no outliers", policy({ outlierDetection: {} }), ""],
  [
    "errors that never come",
    policy({ outlierDetection: { consecutiveErrors: 0 } }),
    "consecutiveErrors: Invalid value",
  ],
  ["half an error", policy({ outlierDetection: { consecutiveErrors: 1.5 } }), "must be of type integer"],
  ["more errors than there are", policy({ outlierDetection: { consecutiveErrors: 1e12 } }), "must fit in int32"],
  ["an ejection that is none", policy({ outlierDetection: { baseEjectionTime: "soon" } }), "from 1ms to 24h"],
  ["one of no time", policy({ outlierDetection: { baseEjectionTime: "0s" } }), "from 1ms to 24h"],
  ["one of years", policy({ outlierDetection: { baseEjectionTime: "9999999h" } }), "from 1ms to 24h"],
  ["more than all pods", policy({ outlierDetection: { maxEjectionPercent: 101 } }), "between 0 and 100"],
  ["fewer than none", policy({ outlierDetection: { maxEjectionPercent: -1 } }), "between 0 and 100"],
  ["a misspelt outlier", policy({ outlierDetection: { consecutive: 5 } }), "consecutive: unknown"],
  [
    "a claim as host",
    policy({ jwt: { issuer: "i", jwks: '{"keys":[]}', claimsToHeaders: [{ claim: "sub", header: "Host" }] } }),
    "is set by the gateway itself",
  ],
  ["less than no bytes", policy({ compression: { minBytes: -1 } }), "compression.minBytes: Invalid value"],
  ["a coding that is not spoken", policy({ compression: { algorithms: ["lzma"] } }), "Unsupported value"],
])("TrafficPolicy: %s", (_name, object, fault) => {
  if (fault === "") expect(faults(trafficPolicies, object)).toBe("");
  else expect(faults(trafficPolicies, object)).toContain(fault);
});

const stepped = (annotations: JsonObject): JsonObject => ({ metadata: { annotations }, spec: { traffic: [] } });
const rollout = (name: string, value: string): JsonObject => stepped({ [`rollout.shallop.dev/${name}`]: value });

test.each<[JsonObject, string]>([
  [rollout("steps", "5, 25,50"), ""],
  [rollout("steps", "5%,25%"), "rollout.shallop.dev/steps: Invalid value"],
  [rollout("steps", "5,200"), "percents from 1 to 99"],
  [rollout("steps", ""), "percents from 1 to 99"],
  [rollout("steps", Array.from({ length: 21 }, () => "5").join(",")), "20 at most"],
  [rollout("interval", "soon"), "from 1s to 24h"],
  [rollout("interval", "0s"), "from 1s to 24h"],
  [rollout("advance", "often"), "must be time or requests"],
  [rollout("min-requests", "-1"), "must be a whole number"],
  [rollout("max-error-rate", "0.5%"), ""],
  [rollout("max-error-rate", "101"), "from 0 to 100"],
  [rollout("max-error-rate", "NaN"), "from 0 to 100"],
  [rollout("step", "5"), "rollout.shallop.dev/step: Unsupported value"],
  [rollout("state", "{}"), ""],
  [stepped({ "serving.knative.dev/rollout-duration": "380s" }), ""],
  [stepped({ "serving.knative.dev/rollout-duration": "soon" }), "from 0s to 24h"],
  [stepped({ "serving.knative.dev/rollout-duration": "-5s" }), "from 0s to 24h"],
])("how a new revision gets its requests: %j", (object, fault) => {
  const found = kindOf(routes)!
    .validate(object, undefined, { allowZeroInitialScale: false })
    .filter(({ field }) => field?.startsWith("metadata"))
    .map(({ field, message }) => `${field}: ${message}`)
    .join("; ");
  if (fault === "") expect(found).toBe("");
  else expect(found).toContain(fault);
});

test("a Secret's texts go into its data, and its values are in no message", () => {
  expect(admitted(secrets, { stringData: { a: "b" }, data: { c: "ZA==" } }).object).toEqual({
    type: "Opaque",
    data: { a: "Yg==", c: "ZA==" },
  });
  const broken = faults(secrets, { data: { a: "top secret" } });
  expect(broken).toContain("data[a]");
  expect(broken).not.toContain("top");
  expect(faults(secrets, { type: "kubernetes.io/tls", data: {} })).toContain("data[tls.crt]: Required");
});

test("a Service of core/v1 has the ports of its pods when it says nothing else", () => {
  const { object } = admitted(coreServices, { spec: { ports: [{ port: 80 }] } });
  expect(object).toMatchObject({ spec: { type: "ClusterIP", ports: [{ port: 80, protocol: "TCP", targetPort: 80 }] } });
  expect(faults(coreServices, { spec: { ports: [{ port: 1 }, { port: 2 }] } })).toContain("ports[0].name: Required");
});

test.each<[string, JsonObject, string]>([
  ["a name outside", { externalName: "db.example.com" }, ""],
  ["with its last dot, and ports", { externalName: "db.example.com.", ports: [{ port: 5432 }] }, ""],
  ["no name", {}, "spec.externalName: Required value"],
  ["only a dot", { externalName: "." }, "spec.externalName: Required value"],
  ["no name of DNS", { externalName: "db_1.example.com" }, "spec.externalName: Invalid value"],
  ["capital letters", { externalName: "DB.example.com" }, "spec.externalName: Invalid value"],
  ["too long", { externalName: "a".repeat(254) }, "must be no more than 253 characters"],
  ["an address", { externalName: "a.b", clusterIP: "10.96.0.9" }, "spec.clusterIP: Forbidden"],
  [
    "headless",
    { externalName: "a.b", clusterIP: "None" },
    "spec.clusterIP: Forbidden: may not be set for ExternalName",
  ],
  ["families", { externalName: "a.b", ipFamilies: ["IPv4"] }, "spec.ipFamilies: Forbidden"],
  ["a policy of families", { externalName: "a.b", ipFamilyPolicy: "SingleStack" }, "spec.ipFamilyPolicy: Forbidden"],
])("a Service that stands for a name outside: %s", (_name, spec, fault) => {
  const { object, faults: found } = admitted(coreServices, { spec: { type: "ExternalName", ...spec } });
  if (fault === "") expect(found).toEqual([]);
  else expect(found.join("; ")).toContain(fault);
  expect(object["spec"]).not.toHaveProperty("internalTrafficPolicy");
});

test("a Service of core/v1 without a spec says what it needs", () => {
  expect(faults(coreServices, {})).toContain("spec.ports: Required");
});

test("a DomainMapping's name is a domain, and its target is in its own namespace", () => {
  const mapping = (name: string, namespace: string): JsonObject => ({
    metadata: { name, namespace: "default" },
    spec: { ref: { kind: "Service", name: "a", namespace } },
  });
  expect(faults(domainMappings, mapping("www.example.com", "default"))).toBe("");
  expect(faults(domainMappings, mapping("www", "default"))).toContain("fully qualified");
  expect(faults(domainMappings, mapping("www.example.com", "other"))).toContain("does not match ref");
});

test("a GatewayClass keeps its controller", () => {
  const kind = kindOf(gatewayClasses)!;
  const of = (controllerName: string): JsonObject => ({ spec: { controllerName } });
  expect(faults(gatewayClasses, of("shallop.dev/gateway"))).toBe("");
  expect(faults(gatewayClasses, of("nobody"))).toContain("must be a domain and a path");
  const changed = kind.validate(of("b.com/x"), of("a.com/x"), { allowZeroInitialScale: false });
  expect(changed[0]?.message).toContain("immutable");
});

const columns = (resource: Resource<ApiObject>, object: JsonObject): (string | number | null)[] =>
  kindOf(resource)!.columns.map((column) => column.cell(object, 0));

test("columns say what people look for", () => {
  const ingress = {
    metadata: { name: "web" },
    spec: { ingressClassName: "shallop", tls: [{}], rules: ["a", "b", "c", "d"].map((host) => ({ host })) },
    status: { loadBalancer: { ingress: [{ ip: "10.1.2.3" }] } },
  };
  expect(columns(ingresses, ingress).slice(0, 5)).toEqual([
    "web",
    "shallop",
    "a,b,c + 1 more...",
    "10.1.2.3",
    "80, 443",
  ]);
  expect(columns(httpRoutes, { metadata: { name: "r" }, spec: { hostnames: ["a.b"] } }).slice(0, 2)).toEqual([
    "r",
    '["a.b"]',
  ]);
});
