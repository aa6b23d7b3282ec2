import type { HttpRouteFilter, Secret, TrafficPolicy } from "@shallop/sdk/api";
import { type Answer, call, type CallOptions, start } from "../client.fake.ts";
import { type FakeCluster, reflecting } from "../gateway.fake.ts";
import {
  gatewayClass,
  gatewayOf,
  httpRoute,
  metaOf,
  ruleTo,
  toService,
  trafficPolicy,
} from "../route/routing.fixture.ts";

/** A service `web` behind a policy. */
export async function governed(spec: Omit<TrafficPolicy["spec"], "targetRefs">): Promise<FakeCluster> {
  const cluster = await start();
  await cluster.wireService("web", reflecting);
  cluster.gateway.cluster.set("trafficPolicies", trafficPolicy("p", spec, toService("web")));
  return cluster;
}

/** `web` at example.com by one rule with filters. */
export async function filtered(filters: readonly HttpRouteFilter[], path = "/"): Promise<FakeCluster> {
  const cluster = await start();
  await cluster.wireService("web", reflecting);
  cluster.gateway.cluster.set("gatewayClasses", gatewayClass());
  cluster.gateway.cluster.set("gateways", gatewayOf("edge"));
  cluster.gateway.cluster.set("httpRoutes", httpRoute("r", [ruleTo("web", path, { filters })]));
  return cluster;
}

/** Asks it by the host of that rule. */
export const ask = (cluster: FakeCluster, options: CallOptions = {}): Promise<Answer> =>
  call(cluster, "web", { ...options, headers: { host: "example.com", ...options.headers } });

export const secretOf = (name: string, type: string, data: Record<string, string>): Secret => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: metaOf(name),
  type,
  data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString("base64")])),
});
