import type { TrafficPolicy } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { httpRouteTargets, knativePolicy, PolicyBook, targetKey } from "./policy.ts";
import { metaOf, trafficPolicy } from "./routing.fixture.ts";

const group = "gateway.networking.k8s.io";

function policyOf(namespace: string, kind: "Gateway" | "HTTPRoute", spec: Omit<TrafficPolicy["spec"], "targetRefs">) {
  const policy = trafficPolicy("p", spec, { group, kind, name: "x" });
  return { ...policy, metadata: { ...policy.metadata, namespace, uid: `${namespace}-${kind}` } };
}

test("a policy's Secrets are those of its own namespace, whatever narrower ones say beside it", () => {
  const book = new PolicyBook();
  const jwt = { issuer: "us", jwksSecret: { name: "keys" } };
  book.set(policyOf("infra", "Gateway", { jwt, basicAuth: { secrets: [{ name: "users" }] } }));
  const targets = httpRouteTargets("shop", "x", {
    gateways: [targetKey(group, "Gateway", "infra", "x")],
    section: undefined,
  });
  const now = () => {
    const policy = book.policy(targets, {}, "shop");
    return [policy?.jwt?.namespace, policy?.basicAuth?.namespace, policy?.timeoutMs];
  };
  expect(now()).toEqual(["infra", "infra", undefined]);
  book.set(policyOf("shop", "HTTPRoute", { timeouts: { request: "5s" } }));
  expect(now()).toEqual(["infra", "infra", 5_000]);
  book.set(policyOf("shop", "HTTPRoute", { jwt }));
  expect(now()).toEqual(["shop", "infra", undefined]);
});

test.each(["Redirected", "redirected", "Enabled", undefined])("Knative's http-protocol: %s", (protocol) => {
  const annotations = protocol === undefined ? {} : { "networking.knative.dev/http-protocol": protocol };
  const object = { apiVersion: "serving.knative.dev/v1", kind: "Route", metadata: { ...metaOf("web"), annotations } };
  expect(knativePolicy(object).redirectToHttps).toBe(protocol?.toLowerCase() === "redirected" ? true : undefined);
});
