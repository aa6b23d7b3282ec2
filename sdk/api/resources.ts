import type { ConfigMap, Event, Namespace, Node, Pod, PodDisruptionBudget } from "./core.ts";
import type { DomainMapping, Gateway, GatewayClass, HttpRoute, ReferenceGrant, TrafficPolicy } from "./gateway-api.ts";
import type { ImagePolicy } from "./image-policy.ts";
import type { ApiObject } from "./meta.ts";
import { gatewayGroup, networkingGroup, servingGroup, shallopGroup } from "./names.ts";
import type { CoreService, EndpointSlice, Ingress, IngressClass, Secret } from "./network.ts";
import type { Configuration, Revision, Route, Service } from "./serving.ts";

/** Names a kind of object on the wire, and its type in code. */
export interface Resource<T extends ApiObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: T["kind"];
  readonly namespaced: boolean;
}

const core = { group: "", version: "v1" } as const;
const serving = { group: servingGroup, version: "v1", namespaced: true } as const;

export const namespaces: Resource<Namespace> = { ...core, plural: "namespaces", kind: "Namespace", namespaced: false };
export const nodes: Resource<Node> = { ...core, plural: "nodes", kind: "Node", namespaced: false };
export const pods: Resource<Pod> = { ...core, plural: "pods", kind: "Pod", namespaced: true };
export const events: Resource<Event> = { ...core, plural: "events", kind: "Event", namespaced: true };
export const services: Resource<Service> = { ...serving, plural: "services", kind: "Service" };
export const configurations: Resource<Configuration> = { ...serving, plural: "configurations", kind: "Configuration" };
export const revisions: Resource<Revision> = { ...serving, plural: "revisions", kind: "Revision" };
export const routes: Resource<Route> = { ...serving, plural: "routes", kind: "Route" };

const networking = { group: networkingGroup, version: "v1" } as const;
const gateway = { group: gatewayGroup, version: "v1" } as const;

export const configMaps: Resource<ConfigMap> = { ...core, plural: "configmaps", kind: "ConfigMap", namespaced: true };
export const secrets: Resource<Secret> = { ...core, plural: "secrets", kind: "Secret", namespaced: true };
/** Of core/v1; those of Knative are `services`. */
export const coreServices: Resource<CoreService> = { ...core, plural: "services", kind: "Service", namespaced: true };
export const endpointSlices: Resource<EndpointSlice> = {
  group: "discovery.k8s.io",
  version: "v1",
  plural: "endpointslices",
  kind: "EndpointSlice",
  namespaced: true,
};
export const podDisruptionBudgets: Resource<PodDisruptionBudget> = {
  group: "policy",
  version: "v1",
  plural: "poddisruptionbudgets",
  kind: "PodDisruptionBudget",
  namespaced: true,
};
export const ingresses: Resource<Ingress> = { ...networking, plural: "ingresses", kind: "Ingress", namespaced: true };
export const ingressClasses: Resource<IngressClass> = {
  ...networking,
  plural: "ingressclasses",
  kind: "IngressClass",
  namespaced: false,
};
export const gatewayClasses: Resource<GatewayClass> = {
  ...gateway,
  plural: "gatewayclasses",
  kind: "GatewayClass",
  namespaced: false,
};
export const gateways: Resource<Gateway> = { ...gateway, plural: "gateways", kind: "Gateway", namespaced: true };
export const httpRoutes: Resource<HttpRoute> = {
  ...gateway,
  plural: "httproutes",
  kind: "HTTPRoute",
  namespaced: true,
};
export const referenceGrants: Resource<ReferenceGrant> = {
  group: gatewayGroup,
  version: "v1beta1",
  plural: "referencegrants",
  kind: "ReferenceGrant",
  namespaced: true,
};
export const domainMappings: Resource<DomainMapping> = {
  group: servingGroup,
  version: "v1beta1",
  plural: "domainmappings",
  kind: "DomainMapping",
  namespaced: true,
};
export const trafficPolicies: Resource<TrafficPolicy> = {
  group: shallopGroup,
  version: "v1",
  plural: "trafficpolicies",
  kind: "TrafficPolicy",
  namespaced: true,
};
export const imagePolicies: Resource<ImagePolicy> = {
  group: shallopGroup,
  version: "v1",
  plural: "imagepolicies",
  kind: "ImagePolicy",
  namespaced: false,
};

/** `apiVersion` as objects carry it: `v1`, `serving.knative.dev/v1`. */
export const apiVersionOf = (resource: Resource<ApiObject>): string =>
  resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;

const metrics = { group: "metrics.k8s.io", version: "v1beta1" } as const;
/** Measured when asked for, and nowhere stored. */
export const nodeMetrics: Resource<ApiObject> = { ...metrics, plural: "nodes", kind: "NodeMetrics", namespaced: false };
export const podMetrics: Resource<ApiObject> = { ...metrics, plural: "pods", kind: "PodMetrics", namespaced: true };
