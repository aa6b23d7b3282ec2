import { gatewayController, type HttpRoute, type ObjectMeta } from "@shallop/sdk/api";
import { Router } from "../../gateway/route/router.ts";
import type { RoutedRequest } from "../../gateway/route/rule.ts";
import { figure, median } from "./figures.ts";

export interface GatewayBench {
  readonly routes: number;
  readonly lookups: number;
}
export const largeGatewayBench: GatewayBench = { routes: 10_000, lookups: 200_000 };
export const smallGatewayBench: GatewayBench = { routes: 500, lookups: 2_000 };

const meta = (name: string): ObjectMeta => ({
  name,
  namespace: "default",
  uid: `uid-${name}`,
  resourceVersion: "1",
  generation: 1,
  creationTimestamp: "2026-01-01T00:00:00Z",
});

// Ten routes a host, each with three paths, one of them with a header.
const routesPerHost = 10;
const hostOf = (index: number): string => `shop-${Math.floor(index / routesPerHost)}.example.com`;

function route(index: number, version: string): HttpRoute {
  const path = (value: string) => ({ path: { type: "PathPrefix" as const, value } });
  const backendRefs = [{ group: "serving.knative.dev", kind: "Service", name: `service-${version}` }];
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: meta(`route-${index}`),
    spec: {
      parentRefs: [{ name: "edge" }],
      hostnames: [hostOf(index)],
      rules: [
        { matches: [path(`/team-${index % routesPerHost}/api/v1`)], backendRefs },
        { matches: [path(`/team-${index % routesPerHost}`)], backendRefs },
        {
          matches: [{ ...path(`/team-${index % routesPerHost}`), headers: [{ name: "x-beta", value: "1" }] }],
          backendRefs,
        },
      ],
    },
  };
}

function emptyRouter(): Router {
  const router = new Router("localhost");
  const { namespace: _none, ...metadata } = meta("shallop");
  const apiVersion = "gateway.networking.k8s.io/v1";
  router.set("gatewayClasses", {
    apiVersion,
    kind: "GatewayClass",
    metadata,
    spec: { controllerName: gatewayController },
  });
  const listeners = [{ name: "http", port: 80, protocol: "HTTP" }];
  router.set("gateways", {
    apiVersion,
    kind: "Gateway",
    metadata: meta("edge"),
    spec: { gatewayClassName: "shallop", listeners },
  });
  return router;
}

const request = (index: number): RoutedRequest => ({
  scheme: "http",
  host: hostOf(index),
  method: "GET",
  target: `/team-${index % routesPerHost}/api/v1/items/${index}?page=2`,
  headers: ["accept", "*/*", "user-agent", "bench", "x-other", "1"],
});

/** Microseconds of one lookup, over `lookups` of them, in blocks so that a pause of the machine spoils one only. */
function lookupUs(router: Router, routes: number, lookups: number): number {
  const requests = Array.from({ length: 1_000 }, (_, index) => request((index * 7_919) % routes));
  const blocks: number[] = [];
  for (let done = 0; done < lookups; done += requests.length) {
    const beganMs = performance.now();
    for (const one of requests)
      if (router.match(one) === undefined) throw new Error(`nothing takes ${one.host}${one.target}`);
    blocks.push(((performance.now() - beganMs) * 1000) / requests.length);
  }
  return median(blocks);
}

/** The routing table: how long a lookup takes, what it costs of memory, how long a change. */
export function gatewayBench({ routes, lookups }: GatewayBench): Promise<void> {
  console.log(`gateway: ${routes} HTTPRoutes of three rules each`);
  const few = emptyRouter();
  for (let index = 0; index < routesPerHost; index++) few.set("httpRoutes", route(index, "a"));
  const fewUs = lookupUs(few, routesPerHost, lookups);
  const objects = Array.from({ length: routes }, (_, index) => route(index, "a"));
  globalThis.gc?.();
  const beforeBytes = process.memoryUsage().heapUsed;
  const router = emptyRouter();
  const beganMs = performance.now();
  for (const object of objects) router.set("httpRoutes", object);
  const addedMs = performance.now() - beganMs;
  const manyUs = lookupUs(router, routes, lookups);
  globalThis.gc?.();
  const bytes = process.memoryUsage().heapUsed - beforeBytes;
  figure("a lookup", `${manyUs.toFixed(2)} µs`, `with ${routesPerHost} routes ${fewUs.toFixed(2)} µs`);
  const exact = globalThis.gc === undefined ? "; run with --expose-gc for an exact figure" : "";
  figure(
    "memory of a route",
    `${(bytes / routes / 1024).toFixed(1)} KiB`,
    `${(bytes / 1024 ** 2).toFixed(0)} MiB in all${exact}`,
  );
  figure("all routes compiled", `${addedMs.toFixed(0)} ms`);
  const changed = Math.min(1_000, routes);
  const changes = Array.from({ length: changed }, (_, index) => route(index, "b"));
  const changeMs = performance.now();
  for (const object of changes) router.set("httpRoutes", object);
  for (const index of changes.keys()) router.match(request(index));
  figure(
    `${changed} routes changed, each asked once`,
    `${(performance.now() - changeMs).toFixed(0)} ms`,
    "goal 1000 ms",
  );
  return Promise.resolve();
}
