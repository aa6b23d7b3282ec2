import type { CoreService } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { serviceVariables } from "./service-variables.ts";

const service = (namespace: string, name: string, spec: NonNullable<CoreService["spec"]>): CoreService => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: {
    namespace,
    name,
    uid: name,
    generation: 1,
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
  },
  spec,
});

const services = [
  service("default", "kubernetes", { clusterIP: "10.96.0.1", ports: [{ name: "https", port: 443 }] }),
  service("shop", "redis-main", {
    clusterIP: "10.96.0.11",
    ports: [
      { name: "redis", port: 6379 },
      { name: "dns-udp", port: 53, protocol: "UDP" },
    ],
  }),
  service("shop", "headless", { clusterIP: "None", ports: [{ port: 1 }] }),
  service("shop", "elsewhere", { type: "ExternalName", externalName: "a.example" }),
  service("other", "web", { clusterIP: "10.96.0.12", ports: [{ port: 80 }] }),
];

const told = (spec: { enableServiceLinks?: boolean } = {}, annotations = {}) =>
  Object.fromEntries(serviceVariables({ namespace: "shop", spec: { containers: [], ...spec }, annotations }, services));

test("a pod is told of the API and of its namespace's Services, in the kubelet's words", () => {
  expect(told()).toEqual({
    KUBERNETES_SERVICE_HOST: "10.96.0.1",
    KUBERNETES_SERVICE_PORT: "443",
    KUBERNETES_SERVICE_PORT_HTTPS: "443",
    KUBERNETES_PORT: "tcp://10.96.0.1:443",
    KUBERNETES_PORT_443_TCP: "tcp://10.96.0.1:443",
    KUBERNETES_PORT_443_TCP_PROTO: "tcp",
    KUBERNETES_PORT_443_TCP_PORT: "443",
    KUBERNETES_PORT_443_TCP_ADDR: "10.96.0.1",
    REDIS_MAIN_SERVICE_HOST: "10.96.0.11",
    REDIS_MAIN_SERVICE_PORT: "6379",
    REDIS_MAIN_SERVICE_PORT_REDIS: "6379",
    REDIS_MAIN_SERVICE_PORT_DNS_UDP: "53",
    REDIS_MAIN_PORT: "tcp://10.96.0.11:6379",
    REDIS_MAIN_PORT_6379_TCP: "tcp://10.96.0.11:6379",
    REDIS_MAIN_PORT_6379_TCP_PROTO: "tcp",
    REDIS_MAIN_PORT_6379_TCP_PORT: "6379",
    REDIS_MAIN_PORT_6379_TCP_ADDR: "10.96.0.11",
    REDIS_MAIN_PORT_53_UDP: "udp://10.96.0.11:53",
    REDIS_MAIN_PORT_53_UDP_PROTO: "udp",
    REDIS_MAIN_PORT_53_UDP_PORT: "53",
    REDIS_MAIN_PORT_53_UDP_ADDR: "10.96.0.11",
  });
});

test("without service links of the API alone, and of nothing where it is to have none", () => {
  expect(Object.keys(told({ enableServiceLinks: false })).every((name) => name.startsWith("KUBERNETES_"))).toBe(true);
  expect(told({ enableServiceLinks: false })).toHaveProperty("KUBERNETES_SERVICE_HOST");
  expect(told({}, { "shallop.dev/service-variables": "none" })).toEqual({});
});
