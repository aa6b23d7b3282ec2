import type {
  DomainMapping,
  Gateway,
  GatewayClass,
  GatewayListener,
  HttpRoute,
  HttpRouteRule,
  Ingress,
  IngressPath,
  ObjectMeta,
  ReferenceGrant,
  TrafficPolicy,
} from "@shallop/sdk/api";
import { gatewayController } from "@shallop/sdk/api";

/** Small makers of the objects that route requests, as the API server would give them: with their defaults. */

let made = 0;
export const metaOf = (name: string, namespace = "default", more: Partial<ObjectMeta> = {}): ObjectMeta => ({
  name,
  namespace,
  uid: `uid-${namespace}-${name}-${made++}`,
  resourceVersion: "1",
  generation: 1,
  creationTimestamp: "2026-01-01T00:00:00Z",
  ...more,
});

export const gatewayClass = (name = "shallop", controllerName: string = gatewayController): GatewayClass => {
  const { namespace: _none, ...metadata } = metaOf(name);
  return { apiVersion: "gateway.networking.k8s.io/v1", kind: "GatewayClass", metadata, spec: { controllerName } };
};

export const gatewayOf = (
  name: string,
  listeners: readonly (Partial<GatewayListener> & { readonly name: string })[] = [{ name: "http" }],
  namespace = "default",
): Gateway => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: metaOf(name, namespace),
  spec: {
    gatewayClassName: "shallop",
    listeners: listeners.map((listener) => ({ port: 80, protocol: "HTTP", ...listener })),
  },
});

export const httpRoute = (
  name: string,
  rules: readonly HttpRouteRule[],
  more: {
    readonly hosts?: readonly string[];
    readonly parents?: HttpRoute["spec"]["parentRefs"];
    readonly meta?: Partial<ObjectMeta>;
    readonly namespace?: string;
  } = {},
): HttpRoute => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: metaOf(name, more.namespace, more.meta),
  spec: {
    parentRefs: more.parents ?? [{ name: "edge" }],
    hostnames: more.hosts ?? ["example.com"],
    rules,
  },
});

/** A rule for a prefix that goes to a Knative service. */
export const ruleTo = (service: string, path = "/", more: Partial<HttpRouteRule> = {}): HttpRouteRule => ({
  matches: [{ path: { type: "PathPrefix", value: path } }],
  backendRefs: [{ group: "serving.knative.dev", kind: "Service", name: service, weight: 1 }],
  ...more,
});

export const ingressOf = (
  name: string,
  host: string,
  paths: readonly (Partial<IngressPath> & { readonly path: string; readonly to: string })[],
  more: { readonly namespace?: string; readonly className?: string } = {},
): Ingress => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: metaOf(name, more.namespace),
  spec: {
    ...(more.className === undefined ? {} : { ingressClassName: more.className }),
    rules: [
      {
        host,
        http: {
          paths: paths.map(({ path, to, pathType = "Prefix" }) => ({
            path,
            pathType,
            backend: { service: { name: to, port: { number: 80 } } },
          })),
        },
      },
    ],
  },
});

export const domainMapping = (host: string, service: string, namespace = "default"): DomainMapping => ({
  apiVersion: "serving.knative.dev/v1beta1",
  kind: "DomainMapping",
  metadata: metaOf(host, namespace),
  spec: { ref: { apiVersion: "serving.knative.dev/v1", kind: "Service", name: service } },
});

export const grant = (
  namespace: string,
  from: string,
  to = "Service",
  group = "serving.knative.dev",
): ReferenceGrant => ({
  apiVersion: "gateway.networking.k8s.io/v1beta1",
  kind: "ReferenceGrant",
  metadata: metaOf("grant", namespace),
  spec: {
    from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: from }],
    to: [{ group, kind: to }],
  },
});

export const trafficPolicy = (
  name: string,
  spec: Omit<TrafficPolicy["spec"], "targetRefs">,
  target: { readonly group?: string; readonly kind: string; readonly name: string },
): TrafficPolicy => ({
  apiVersion: "shallop.dev/v1",
  kind: "TrafficPolicy",
  metadata: metaOf(name),
  spec: { targetRefs: [target], ...spec },
});

export const toService = (name: string) => ({ group: "serving.knative.dev", kind: "Service", name }) as const;
