import type { BackendReference } from "@shallop/sdk/api";
import { constantFrom, array, assert as check, property, integer } from "fast-check";
import { seededRandom } from "@shallop/sdk/internal/testing";
import { describe, expect, test } from "vitest";
import { fakeRoute } from "../gateway.fake.ts";
import {
  domainMapping,
  gatewayClass,
  gatewayOf,
  grant,
  httpRoute,
  ingressOf,
  ruleTo,
  toService,
  trafficPolicy,
} from "./routing.fixture.ts";
import { Router } from "./router.ts";
import type { RoutedRequest } from "./rule.ts";

function routerWith(): Router {
  const router = new Router("localhost");
  router.set("gatewayClasses", gatewayClass());
  router.set("gateways", gatewayOf("edge"));
  for (const name of ["a", "b", "c", "d"])
    router.set("routes", fakeRoute(name, [{ revisionName: `${name}-1`, percent: 100 }]));
  return router;
}

const source = (router: Router) => ({ split: (key: string) => router.split(key), service: () => undefined });

/** Name of the revision that a request comes to, without its number; or what keeps it from any. */
function to(
  router: Router,
  url: string,
  more: Partial<RoutedRequest> & { readonly flat?: readonly string[] } = {},
): string {
  const { host, pathname, search, protocol } = new URL(url);
  const match = router.match({
    scheme: protocol === "https:" ? "https" : "http",
    host,
    method: "GET",
    target: pathname + search,
    headers: more.flat ?? [],
    ...more,
  });
  if (match === undefined) return "nothing";
  const { target } = match.rule.backends.pick(source(router), seededRandom(1));
  return target?.replace(/^default\/(.*)-1$/, "$1") ?? "no backend";
}

describe("HTTPRoute", () => {
  test.each([
    ["http://example.com/", "a"],
    ["http://example.com/api", "b"],
    ["http://example.com/api/", "b"],
    ["http://example.com/api/v1/users?x=1", "b"],
    ["http://example.com/apis", "a"],
    ["http://example.com/api/exact", "c"],
    ["http://example.com/api/exact/more", "b"],
    ["http://example.com/v7/items", "d"],
    ["http://example.com/v7/items/9", "a"],
    ["http://www.example.com/", "nothing"],
    ["http://other.com/", "nothing"],
  ])("%s goes to %s", (url, service) => {
    const router = routerWith();
    const exact = { ...ruleTo("c"), matches: [{ path: { type: "Exact", value: "/api/exact" } as const }] };
    const pattern = {
      ...ruleTo("d"),
      matches: [{ path: { type: "RegularExpression", value: "/v[0-9]+/items" } as const }],
    };
    router.set("httpRoutes", httpRoute("r", [ruleTo("a"), ruleTo("b", "/api"), exact, pattern]));
    expect(to(router, url)).toBe(service);
  });

  test("a method, then headers, then query parameters decide between equal paths", () => {
    const router = routerWith();
    const path = { type: "PathPrefix", value: "/" } as const;
    router.set(
      "httpRoutes",
      httpRoute("r", [
        ruleTo("a"),
        { ...ruleTo("b"), matches: [{ path, queryParams: [{ name: "q", value: "1" }] }] },
        { ...ruleTo("c"), matches: [{ path, headers: [{ name: "X-Kind", value: "c" }] }] },
        { ...ruleTo("d"), matches: [{ path, method: "POST" }] },
      ]),
    );
    const url = "http://example.com/?q=1";
    expect(to(router, url, { method: "POST", flat: ["x-kind", "c"] })).toBe("d");
    expect(to(router, url, { flat: ["x-kind", "c"] })).toBe("c");
    expect(to(router, url)).toBe("b");
    expect(to(router, "http://example.com/?q=2", { flat: ["x-kind", "cc"] })).toBe("a");
  });

  test("of equal rules the older route's wins, then the first in the alphabet, in any order of coming", () => {
    const young = httpRoute("a", [ruleTo("a")], { meta: { creationTimestamp: "2026-02-01T00:00:00Z" } });
    const old = httpRoute("z", [ruleTo("b")]);
    const same = httpRoute("y", [ruleTo("c")]);
    for (const order of [
      [young, old, same],
      [same, old, young],
      [old, young, same],
    ]) {
      const router = routerWith();
      for (const route of order) router.set("httpRoutes", route);
      expect(to(router, "http://example.com/")).toBe("c");
      router.delete("httpRoutes", same);
      expect(to(router, "http://example.com/")).toBe("b");
    }
  });

  test("the longest host wins: its own name, a longer wildcard, a shorter one, any", () => {
    const router = routerWith();
    router.set("httpRoutes", httpRoute("any", [ruleTo("a")], { hosts: [] }));
    router.set("httpRoutes", httpRoute("short", [ruleTo("b")], { hosts: ["*.example.com"] }));
    router.set("httpRoutes", httpRoute("long", [ruleTo("c", "/c")], { hosts: ["*.x.example.com"] }));
    router.set("httpRoutes", httpRoute("own", [ruleTo("d", "/d")], { hosts: ["w.x.example.com"] }));
    expect(to(router, "http://w.x.example.com/d")).toBe("d");
    expect(to(router, "http://w.x.example.com/c")).toBe("c");
    expect(to(router, "http://w.x.example.com/")).toBe("b");
    expect(to(router, "http://example.com/")).toBe("a");
  });

  test("hosts are those that the listener and the route have in common; the listener's protocol is the scheme", () => {
    const router = routerWith();
    const tls = { certificateRefs: [{ name: "c" }] };
    router.set(
      "gateways",
      gatewayOf("edge", [{ name: "s", protocol: "HTTPS", port: 443, hostname: "*.shop.com", tls }]),
    );
    router.set("httpRoutes", httpRoute("r", [ruleTo("a")], { hosts: ["www.shop.com", "www.other.com"] }));
    expect(to(router, "https://www.shop.com/")).toBe("a");
    expect(to(router, "http://www.shop.com/")).toBe("nothing");
    expect(to(router, "https://www.other.com/")).toBe("nothing");
  });

  test("a gateway of another class, of another namespace, or of none, is no gateway", () => {
    const router = routerWith();
    router.set("httpRoutes", httpRoute("r", [ruleTo("a")]));
    expect(to(router, "http://example.com/")).toBe("a");
    router.set("gatewayClasses", gatewayClass("shallop", "example.com/other"));
    expect(to(router, "http://example.com/")).toBe("nothing");
    router.set("gatewayClasses", gatewayClass());
    router.delete("gateways", gatewayOf("edge"));
    expect(to(router, "http://example.com/")).toBe("nothing");
    router.set("gateways", gatewayOf("edge", [{ name: "http" }], "infra"));
    router.set("httpRoutes", httpRoute("r", [ruleTo("a")], { parents: [{ name: "edge", namespace: "infra" }] }));
    expect(to(router, "http://example.com/")).toBe("nothing");
    const open = { namespaces: { from: "All" } };
    router.set("gateways", gatewayOf("edge", [{ name: "http", allowedRoutes: open }], "infra"));
    expect(to(router, "http://example.com/")).toBe("a");
  });

  test("a mirror of another namespace wants one too, and of what answers nothing there is none", () => {
    const router = routerWith();
    const mirrors = (backendRef: BackendReference): number | undefined => {
      const filters = [{ type: "RequestMirror" as const, requestMirror: { backendRef } }];
      router.set("httpRoutes", httpRoute("r", [ruleTo("a", "/", { filters })]));
      const asked = { scheme: "http", host: "example.com", method: "GET", target: "/", headers: [] } as const;
      return router.match(asked)?.rule.filters?.mirrors.length;
    };
    const knative = { group: "serving.knative.dev", kind: "Service" };
    expect(mirrors({ ...knative, name: "shadow" })).toBe(1);
    expect(mirrors({ ...knative, name: "shadow", namespace: "other" })).toBe(0);
    router.set("referenceGrants", grant("other", "default"));
    expect(mirrors({ ...knative, name: "shadow", namespace: "other" })).toBe(1);
    expect(mirrors({ kind: "Pod", name: "shadow", port: 80 })).toBe(0);
  });

  test("a backend of another namespace wants a grant of that namespace", () => {
    const router = routerWith();
    router.set("routes", {
      ...fakeRoute("far", []),
      metadata: { ...fakeRoute("far", []).metadata, namespace: "other" },
      status: { traffic: [{ revisionName: "far-1", percent: 100 }] },
    });
    const backend = { group: "serving.knative.dev", kind: "Service", name: "far", namespace: "other" };
    router.set("httpRoutes", httpRoute("r", [{ ...ruleTo("far"), backendRefs: [backend] }]));
    expect(to(router, "http://example.com/")).toBe("no backend");
    router.set("referenceGrants", grant("other", "default"));
    expect(to(router, "http://example.com/")).toBe("other/far-1");
    router.set("referenceGrants", grant("other", "elsewhere"));
    expect(to(router, "http://example.com/")).toBe("no backend");
  });
});

describe("hosts of the platform's domain", () => {
  test("belong to their namespace: no rule of another one gets their requests", () => {
    const router = routerWith();
    expect(to(router, "http://a.default.localhost/")).toBe("a");
    router.set("ingresses", ingressOf("thief", "a.default.localhost", [{ path: "/", to: "b" }], { namespace: "evil" }));
    router.set("ingresses", ingressOf("net", "*.default.localhost", [{ path: "/", to: "b" }], { namespace: "evil" }));
    expect(to(router, "http://a.default.localhost/")).toBe("a");
    expect(to(router, "http://new.default.localhost/")).toBe("nothing");
    router.set("ingresses", ingressOf("own", "a.default.localhost", [{ path: "/b", to: "b" }]));
    expect(to(router, "http://a.default.localhost/b/c")).toBe("b");
    expect(to(router, "http://a.default.localhost/")).toBe("a");
  });
});

describe("Ingress", () => {
  test("paths are by segments; another class is another's", () => {
    const router = routerWith();
    router.set(
      "ingresses",
      ingressOf("i", "shop.com", [
        { path: "/cart", to: "a" },
        { path: "/", to: "b" },
        { path: "/cart/x", to: "c", pathType: "Exact" },
      ]),
    );
    router.set("ingresses", ingressOf("n", "nginx.com", [{ path: "/", to: "a" }], { className: "nginx" }));
    expect(to(router, "http://shop.com/cart/1")).toBe("a");
    expect(to(router, "http://shop.com/carts")).toBe("b");
    expect(to(router, "http://shop.com/cart/x")).toBe("c");
    expect(to(router, "http://nginx.com/")).toBe("nothing");
  });

  test("a wildcard stands for one label", () => {
    const router = routerWith();
    router.set("ingresses", ingressOf("i", "*.foo.com", [{ path: "/", to: "a" }]));
    const hosts = ["bar.foo.com", "baz.bar.foo.com", "foo.com"];
    expect(hosts.map((host) => to(router, `http://${host}/`))).toEqual(["a", "nothing", "nothing"]);
  });

  test("a default backend takes what no rule takes, whatever its host", () => {
    const router = routerWith();
    const defaultBackend = { service: { name: "d", port: { number: 80 } } };
    const some = ingressOf("i", "shop.com", [{ path: "/a", to: "a" }]);
    router.set("ingresses", { ...some, spec: { ...some.spec, defaultBackend } });
    expect(to(router, "http://shop.com/a")).toBe("a");
    expect(to(router, "http://shop.com/x")).toBe("d");
    expect(to(router, "http://else.com/")).toBe("d");
    router.set("ingresses", { ...some, spec: { defaultBackend } });
    expect(to(router, "http://else.com/")).toBe("d");
  });
});

test("a domain mapping is another host of its service, and goes with it", () => {
  const router = routerWith();
  router.set("domainMappings", domainMapping("www.mine.com", "a"));
  expect(to(router, "http://www.mine.com/deep/path")).toBe("a");
  router.set("domainMappings", domainMapping("www.mine.com", "b"));
  expect(to(router, "http://www.mine.com/")).toBe("b");
  router.delete("domainMappings", domainMapping("www.mine.com", "b"));
  expect(router.knows("www.mine.com")).toBe(false);
});

test("a policy holds for its target from the moment it comes until it goes; a narrower one wins field by field", () => {
  const router = routerWith();
  const request = { scheme: "http", host: "example.com", method: "GET", target: "/", headers: [] } as const;
  router.set("httpRoutes", httpRoute("r", [ruleTo("a")]));
  const wide = trafficPolicy(
    "wide",
    { timeouts: { request: "9s" }, requestBodyMax: "1Ki" },
    { group: "gateway.networking.k8s.io", kind: "Gateway", name: "edge" },
  );
  const narrow = trafficPolicy(
    "narrow",
    { timeouts: { request: "2s" } },
    { group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: "r" },
  );
  router.set("trafficPolicies", wide);
  expect(router.match(request)?.rule.policy).toMatchObject({ timeoutMs: 9000, bodyBytesMax: 1024 });
  router.set("trafficPolicies", narrow);
  expect(router.match(request)?.rule.policy).toMatchObject({ timeoutMs: 2000, bodyBytesMax: 1024 });
  // What is counted by a policy goes on while other things change.
  const before = router.match(request)?.rule.policy;
  router.set("httpRoutes", httpRoute("r", [ruleTo("b")]));
  expect(router.match(request)?.rule.policy).toBe(before);
  router.delete("trafficPolicies", narrow);
  router.delete("trafficPolicies", wide);
  expect(router.match(request)?.rule.policy).toBeUndefined();
  router.set("trafficPolicies", trafficPolicy("ksvc", { requestBodyMax: "2Ki" }, toService("a")));
  expect(router.match({ ...request, host: "a.default.localhost" })?.rule.policy?.bodyBytesMax).toBe(2048);
});

test("the trie finds what a walk over all rules finds", () => {
  const paths = ["/", "/a", "/a/b", "/a/b/c", "/ab", "/a/bc", "/b", "/b/a"];
  check(
    property(
      array(constantFrom(...paths), { minLength: 1, maxLength: 8 }),
      constantFrom(...paths, "/c", "/a/c"),
      integer({ min: 0, max: 1 }),
      (prefixes, path, slash) => {
        const router = routerWith();
        const unique = [...new Set(prefixes)];
        for (const prefix of unique)
          router.set(
            "routes",
            fakeRoute(`s${paths.indexOf(prefix)}`, [{ revisionName: `s${paths.indexOf(prefix)}-1`, percent: 100 }]),
          );
        router.set(
          "httpRoutes",
          httpRoute(
            "r",
            unique.map((prefix) =>
              ruleTo(`s${paths.indexOf(prefix)}`, prefix + (slash === 1 && prefix !== "/" ? "/" : "")),
            ),
          ),
        );
        const best = unique
          .filter((prefix) => prefix === "/" || path === prefix || path.startsWith(`${prefix}/`))
          .toSorted((a, b) => b.length - a.length)[0];
        expect(to(router, `http://example.com${path}`)).toBe(
          best === undefined ? "nothing" : `s${paths.indexOf(best)}`,
        );
      },
    ),
  );
});

test("a pattern takes no longer than the path is long, however it is made", () => {
  const router = routerWith();
  const value = "/((a|a)*)*b";
  router.set(
    "httpRoutes",
    httpRoute("r", [{ ...ruleTo("a"), matches: [{ path: { type: "RegularExpression", value } }] }]),
  );
  expect(to(router, `http://example.com/${"a".repeat(15_000)}`)).toBe("nothing");
  expect(to(router, `http://example.com/${"a".repeat(15_000)}b`)).toBe("a");
});

test("a rule's policy by the name of its section", () => {
  const router = routerWith();
  router.set("httpRoutes", httpRoute("r", [ruleTo("a", "/a", { name: "one" }), ruleTo("b", "/b", { name: "two" })]));
  const policy = trafficPolicy(
    "p",
    { requestBodyMax: "7" },
    { group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: "r" },
  );
  const [reference] = policy.spec.targetRefs;
  router.set("trafficPolicies", {
    ...policy,
    spec: { ...policy.spec, targetRefs: [{ ...reference!, sectionName: "two" }] },
  });
  const bodyMax = (target: string) =>
    router.match({ scheme: "http", host: "example.com", method: "GET", target, headers: [] })?.rule.policy
      ?.bodyBytesMax;
  expect([bodyMax("/a"), bodyMax("/b")]).toEqual([undefined, 7]);
});

test("a thousand routes change within a second, and one host's within a few requests' time", () => {
  const router = routerWith();
  const routes = Array.from({ length: 1_000 }, (_, index) => httpRoute(`r${index}`, [ruleTo("a", `/p${index}`)]));
  for (const route of routes) router.set("httpRoutes", route);
  expect(to(router, "http://example.com/p999/x")).toBe("a");
  for (const [index] of routes.entries()) router.set("httpRoutes", httpRoute(`r${index}`, [ruleTo("b", `/p${index}`)]));
  expect(to(router, "http://example.com/p999/x")).toBe("b");
  for (const route of routes) router.delete("httpRoutes", route);
  expect(router.knows("example.com")).toBe(false);
});
