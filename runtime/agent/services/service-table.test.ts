import type { CoreService, EndpointSlice, Route } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { type ServiceWorld, serviceTable } from "./service-table.ts";

const meta = (name: string, labels = {}) => ({
  ...{ name, namespace: "team", uid: name, labels, resourceVersion: "1", creationTimestamp: "", generation: 1 },
});

const service = (name: string, spec: CoreService["spec"]): CoreService => ({
  ...{ apiVersion: "v1", kind: "Service", metadata: meta(name) },
  ...(spec === undefined ? {} : { spec }),
});

const slice = (name: string, more: Partial<EndpointSlice>): EndpointSlice => ({
  ...{ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", addressType: "IPv4", endpoints: [] },
  metadata: meta(`${name}-1`, { "kubernetes.io/service-name": name }),
  ...more,
});

const endpoint = (uid: string, more: Partial<EndpointSlice["endpoints"][number]> = {}) => ({
  ...{ addresses: ["10.0.0.1"], nodeName: "far", targetRef: { kind: "Pod", namespace: "team", name: uid, uid } },
  ...more,
});

function tableOf(world: Partial<ServiceWorld>) {
  const { names, doors } = serviceTable({
    apiServer: { host: "127.0.0.1", port: 6443 },
    ...{ services: [], slices: [], routes: [], ownAddress: () => undefined, standIn: (key) => `for ${key}` },
    ...world,
  });
  return { names: Object.fromEntries(names), doors };
}

test("a Service: its address, a door a port, its ready pods, names of ports", () => {
  const { names, doors } = tableOf({
    services: [
      service("web", {
        ...{ clusterIP: "10.96.0.5", sessionAffinity: "ClientIP" },
        ports: [
          { name: "http", port: 80, targetPort: 8080 },
          { name: "dns", port: 53, protocol: "UDP" },
        ],
      }),
    ],
    slices: [
      slice("web", {
        endpoints: [endpoint("a"), endpoint("b", { conditions: { ready: false } }), endpoint("c")],
        ports: [
          { name: "http", port: 8080, protocol: "TCP" },
          { name: "dns", port: 53, protocol: "UDP" },
        ],
      }),
    ],
  });
  expect(names["web.team.svc.cluster.local"]).toEqual({ addresses: ["10.96.0.5"], services: [] });
  expect(names["_http._tcp.web.team.svc.cluster.local"]?.services).toEqual([
    { name: "http", protocol: "TCP", port: 80, target: "web.team.svc.cluster.local" },
  ]);
  expect(names["_dns._udp.web.team.svc.cluster.local"]?.services).toHaveLength(1);
  expect(doors).toMatchObject([
    {
      protocol: "TCP",
      address: "10.96.0.5",
      port: 80,
      sticky: true,
      backends: [{ uid: "a", port: 8080 }, { uid: "c" }],
    },
    { protocol: "UDP", address: "10.96.0.5", port: 53, backends: [{ uid: "a", port: 53 }, { uid: "c" }] },
  ]);
});

test("a headless Service: its pods by their own addresses here, and by ones that stand for those elsewhere", () => {
  const { names, doors } = tableOf({
    services: [service("peers", { clusterIP: "None", ports: [{ name: "db", port: 5432 }] })],
    slices: [
      slice("peers", {
        endpoints: [endpoint("a", { hostname: "peer-0" }), endpoint("b")],
        ports: [{ name: "db", port: 5432, protocol: "TCP" }],
      }),
    ],
    ownAddress: (uid) => (uid === "a" ? "10.88.0.2" : undefined),
  });
  const base = "peers.team.svc.cluster.local";
  expect(names[base]?.addresses).toEqual(["10.88.0.2", "for endpoint b"]);
  expect(names[`peer-0.${base}`]?.addresses).toEqual(["10.88.0.2"]);
  expect(names[`_db._tcp.${base}`]?.services.map(({ target, port }) => `${target} ${port}`)).toEqual([
    `peer-0.${base} 5432`,
    `for endpoint b.${base} 5432`,
  ]);
  expect(doors).toMatchObject([
    { address: "10.88.0.2", port: 5432, backends: [{ uid: "a" }] },
    { address: "for endpoint b", port: 5432, backends: [{ uid: "b", node: "far" }] },
  ]);
});

test("no door leads to pods of other namespaces, whatever a slice says, and what a slice writes down is one", () => {
  const foreign = { kind: "Pod", namespace: "other", name: "x", uid: "x" };
  const { targetRef: _none, ...plain } = endpoint("y");
  const { doors } = tableOf({
    services: [service("web", { clusterIP: "10.96.0.5", ports: [{ port: 80 }] })],
    slices: [
      slice("web", {
        endpoints: [endpoint("x", { targetRef: foreign }), { ...plain, addresses: ["93.184.216.34"] }],
        ports: [{ port: 80 }],
      }),
    ],
  });
  expect(doors[0]?.backends).toEqual([{ kind: "address", address: "93.184.216.34", port: 80 }]);
});

test("Knative's names lead to the gateway, by one address; a Service of the same name comes first", () => {
  const route = (name: string): Route => ({
    ...{ apiVersion: "serving.knative.dev/v1", kind: "Route", metadata: meta(name), spec: { traffic: [] } },
    status: { url: `http://${name}.team.localhost:8080` },
  });
  const { names, doors } = tableOf({
    routes: [route("hello"), route("web")],
    services: [service("web", { clusterIP: "10.96.0.5" })],
  });
  expect(names["hello.team.svc.cluster.local"]?.addresses).toEqual(["for gateway 8080"]);
  expect(names["web.team.svc.cluster.local"]?.addresses).toEqual(["10.96.0.5"]);
  expect(doors).toMatchObject([
    {
      address: "for gateway 8080",
      port: 80,
      backends: [{ kind: "platform", host: "hello.team.localhost", port: 8080 }],
    },
  ]);
});

test("the Service kubernetes leads to the API server, whatever its slices say", () => {
  const metadata = { ...meta("kubernetes"), namespace: "default" };
  const { names, doors } = tableOf({
    services: [
      { ...service("kubernetes", { clusterIP: "10.96.0.1", ports: [{ name: "https", port: 443 }] }), metadata },
      service("kubernetes", { clusterIP: "10.96.0.2", ports: [{ port: 443 }] }),
    ],
    slices: [
      {
        ...slice("kubernetes", { ports: [{ name: "https", port: 1 }] }),
        endpoints: [{ addresses: ["93.184.216.34"] }],
        metadata: { ...meta("x", { "kubernetes.io/service-name": "kubernetes" }), namespace: "default" },
      },
    ],
  });
  expect(names["kubernetes.default.svc.cluster.local"]?.addresses).toEqual(["10.96.0.1"]);
  expect(doors.map(({ address, port, backends }) => [address, port, backends])).toEqual([
    ["10.96.0.1", 443, [{ kind: "platform", host: "127.0.0.1", port: 6443 }]],
    // Of another namespace: somebody's own.
    ["10.96.0.2", 443, []],
  ]);
});

test.each([
  ["db.example.com", "db.example.com"],
  ["DB.example.com.", "db.example.com"],
  ["web.team.svc.cluster.local", "web.team.svc.cluster.local"],
  ["93.184.216.34", undefined],
  ["", undefined],
  [`${"a".repeat(64)}.example.com`, undefined],
])("a Service that stands for %s has the alias %s, and no door", (externalName, alias) => {
  const { names, doors } = tableOf({ services: [service("db", { type: "ExternalName", externalName })] });
  expect(names["db.team.svc.cluster.local"]?.alias).toBe(alias);
  expect(doors).toEqual([]);
});
