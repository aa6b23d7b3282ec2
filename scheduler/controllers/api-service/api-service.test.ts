import { ApiFault, type CoreService, coreServices, endpointSlices } from "@shallop/sdk/api";
import { expect, onTestFinished, test } from "vitest";
import { World } from "../control-plane.fake.ts";
import type { Cluster } from "../shared/cluster.ts";
import { ApiServiceController } from "./controller.ts";
import { planApiSlice } from "./plan.ts";

async function world(): Promise<World> {
  const started = await World.start([]);
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

const at = { namespace: "default", name: "kubernetes" };
const service = ({ client }: World): Promise<CoreService> => client.get(coreServices, at.namespace, at.name);
const slice = ({ client }: World) => client.get(endpointSlices, at.namespace, at.name);

test("the Service kubernetes is there from the start, with its address and its slice, and stays over a restart", async () => {
  const here = await world();
  const { metadata, spec } = await service(here);
  expect(spec).toMatchObject({
    ...{ type: "ClusterIP", clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1"] },
    ports: [{ name: "https", protocol: "TCP", port: 443, targetPort: 6443 }],
  });
  expect(await slice(here)).toMatchObject({
    metadata: { labels: { "kubernetes.io/service-name": "kubernetes" } },
    endpoints: [{ addresses: ["127.0.0.1"] }],
    ports: [{ name: "https", port: 6443 }],
  });
  await here.restart();
  await here.pass(1000);
  expect((await service(here)).metadata.resourceVersion).toBe(metadata.resourceVersion);
  expect(here.errors).toEqual([]);
});

test("it cannot be lost, and what somebody makes of it is put right", async () => {
  const here = await world();
  const { metadata } = await service(here);
  await here.client.delete(coreServices, at);
  await here.client.delete(endpointSlices, at);
  await here.pass(1000);
  const again = await service(here);
  expect([again.metadata.uid === metadata.uid, again.spec?.clusterIP]).toEqual([false, "10.96.0.1"]);
  expect((await slice(here)).endpoints).toHaveLength(1);
  await here.client.update(coreServices, {
    ...again,
    spec: { ...again.spec, selector: { app: "mine" }, ports: [{ port: 1 }] },
  });
  await here.client.update(endpointSlices, { ...(await slice(here)), endpoints: [{ addresses: ["93.184.216.34"] }] });
  await here.pass(1000);
  const mended = await service(here);
  expect([mended.spec?.selector, mended.spec?.ports?.map(({ port }) => port)]).toEqual([undefined, [443]]);
  expect((await slice(here)).endpoints[0]?.addresses).toEqual(["127.0.0.1"]);
  await here.client.update(coreServices, { ...mended, spec: { type: "ExternalName", externalName: "example.com" } });
  await here.pass(1000);
  const { spec } = await service(here);
  expect(spec).toMatchObject({ type: "ClusterIP", clusterIP: "10.96.0.1", ports: [{ port: 443 }] });
  expect(spec).not.toHaveProperty("externalName");
  expect(here.errors).toEqual([]);
});

test("where somebody has its address already it has another one", async () => {
  const made: unknown[] = [];
  const cluster = {
    of: () => ({ get: () => undefined }),
    create: (_kind: string, object: CoreService) => {
      if (object.spec?.clusterIP !== undefined) return Promise.reject(new ApiFault("Invalid", "taken"));
      made.push(object.kind);
      return Promise.resolve();
    },
  } as unknown as Cluster;
  await new ApiServiceController(cluster, () => ({ host: "127.0.0.1", port: 6443 })).reconcile();
  expect(made).toEqual(["Service", "EndpointSlice"]);
});

test("nobody else gets its address", async () => {
  const here = await world();
  const other = { apiVersion: "v1", kind: "Service" as const, metadata: { name: "other", namespace: "default" } };
  const taken = here.client.create(coreServices, { ...other, spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }] } });
  await expect(taken).rejects.toMatchObject({ code: "Invalid" });
});

test("a Service that comes to stand for a name outside gives its address back, and gets one when it no longer does", async () => {
  const here = await world();
  const made = await here.client.create(coreServices, {
    ...{ apiVersion: "v1", kind: "Service", metadata: { name: "db", namespace: "default" } },
    spec: { ports: [{ port: 5432 }] },
  });
  expect(made.spec?.clusterIP).toMatch(/^10\./);
  // As a patch leaves it: with the address of before.
  const outside = { ...made.spec, type: "ExternalName", externalName: "db.example.com" };
  const changed = await here.client.update(coreServices, { ...made, spec: outside });
  expect(changed.spec).not.toHaveProperty("clusterIP");
  expect(Object.keys(changed.spec ?? {})).not.toContain("ipFamilies");
  const other = here.client.update(coreServices, { ...changed, spec: { ...outside, clusterIP: "10.96.0.77" } });
  await expect(other).rejects.toMatchObject({ code: "Invalid" });
  const back = await here.client.update(coreServices, { ...changed, spec: { ...changed.spec, type: "ClusterIP" } });
  expect(back.spec?.clusterIP).toMatch(/^10\./);
});

test.each([
  ["10.1.2.3", "IPv4"],
  ["fd00::1", "IPv6"],
  ["api.example.com", "FQDN"],
])("an API server at %s has a slice of %s", (host, addressType) => {
  expect(planApiSlice({ host, port: 6443 })).toMatchObject({ addressType, endpoints: [{ addresses: [host] }] });
});
