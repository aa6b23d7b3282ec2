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
    ["a parent without a name", { spec: { parentRefs: [{}] } }, "spec.parentRefs[0].name: Required"],
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
  ["a coding that is not spoken", policy({ compression: { algorithms: ["lzma"] } }), "Unsupported value"],
])("TrafficPolicy: %s", (_name, object, fault) => {
  if (fault === "") expect(faults(trafficPolicies, object)).toBe("");
  else expect(faults(trafficPolicies, object)).toContain(fault);
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
