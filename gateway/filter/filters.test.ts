import { createServer as createHttpServer, request as httpRequest } from "node:http";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import type { TrafficPolicy } from "@shallop/sdk/api";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { ask, filtered, governed, secretOf } from "./filters.fixture.ts";
import { call, start, until } from "../client.fake.ts";
import { type FakeCluster, fakePod, fakeRevision, fakeRoute, reflecting, saying } from "../gateway.fake.ts";
import { gatewayClass, gatewayOf, httpRoute, ruleTo, toService, trafficPolicy } from "../route/routing.fixture.ts";

interface Seen {
  readonly target: string;
  readonly authority: string;
  readonly headers: readonly string[];
}
const seen = (body: string): Seen => JSON.parse(body) as Seen;
const valueOf = ({ headers }: Seen, name: string): string | undefined => headers[headers.indexOf(name) + 1];

describe("filters of a rule", () => {
  test("a rewrite of host and prefix, and headers of the request", async () => {
    const cluster = await filtered(
      [
        {
          type: "URLRewrite",
          urlRewrite: { hostname: "inner.test", path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/v2" } },
        },
        {
          type: "RequestHeaderModifier",
          requestHeaderModifier: { set: [{ name: "X-Set", value: "1" }], remove: ["X-Gone"] },
        },
      ],
      "/api",
    );
    const { body } = await ask(cluster, { path: "/api/items?q=1", headers: { "x-gone": "x", "x-set": "0" } });
    const request = seen(body);
    expect([request.target, request.authority, valueOf(request, "x-set")]).toEqual([
      "/v2/items?q=1",
      "inner.test",
      "1",
    ]);
    expect(request.headers).not.toContain("x-gone");
    expect(valueOf(request, "x-forwarded-host")).toBe("example.com");
    expect(valueOf(request, "forwarded")).toContain(';host="example.com";');
  });

  test("headers of the answer", async () => {
    const cluster = await filtered([
      {
        type: "ResponseHeaderModifier",
        responseHeaderModifier: { add: [{ name: "X-Frame", value: "no" }], remove: ["content-type"] },
      },
    ]);
    const { headers } = await ask(cluster);
    expect([headers["x-frame"], headers["content-type"]]).toEqual(["no", undefined]);
  });

  test("a redirect is answered without a pod, and the connection stays", async () => {
    const cluster = await filtered([
      { type: "RequestRedirect", requestRedirect: { scheme: "https", statusCode: 301 } },
    ]);
    const { status, headers } = await ask(cluster, { path: "/a?b=c" });
    expect([status, headers.location]).toEqual([301, "https://example.com/a?b=c"]);
    expect(cluster.gateway.load.open).toBe(0);
  });

  test("a filter that is not known is no reason to pass the request on", async () => {
    const cluster = await filtered([{ type: "ExtensionRef", extensionRef: { group: "x", kind: "y", name: "z" } }]);
    expect((await ask(cluster)).status).toBe(500);
  });

  test("CORS: what a browser asks, and what it is told", async () => {
    const cors = {
      allowOrigins: ["https://*.good.com"],
      allowMethods: ["PUT"],
      allowHeaders: ["*"],
      allowCredentials: true,
      maxAge: 60,
    };
    const cluster = await filtered([{ type: "CORS", cors }]);
    const preflight = { "access-control-request-method": "PUT", "access-control-request-headers": "x-a" };
    const good = await ask(cluster, { method: "OPTIONS", headers: { origin: "https://www.good.com", ...preflight } });
    expect(good).toMatchObject({
      status: 204,
      headers: {
        "access-control-allow-origin": "https://www.good.com",
        "access-control-allow-methods": "PUT",
        "access-control-allow-headers": "x-a",
        "access-control-allow-credentials": "true",
        "access-control-max-age": "60",
      },
    });
    const bad = await ask(cluster, { method: "OPTIONS", headers: { origin: "https://good.com.evil", ...preflight } });
    expect(bad.headers["access-control-allow-origin"]).toBeUndefined();
    const real = await ask(cluster, { headers: { origin: "https://www.good.com" } });
    expect([real.status, real.headers["access-control-allow-origin"]]).toEqual([200, "https://www.good.com"]);
  });

  test("CORS: a preflight comes to the rule of the request that it asks about", async () => {
    const cluster = await filtered([]);
    const cors = { allowOrigins: ["https://good.com"], allowMethods: ["POST"] };
    const matches = [{ path: { type: "PathPrefix", value: "/api" }, method: "POST" }] as const;
    const rule = { ...ruleTo("web"), matches, filters: [{ type: "CORS", cors }] } as const;
    cluster.gateway.cluster.set("httpRoutes", httpRoute("post", [rule]));
    const asking = async (method: string, path = "/api") => {
      const headers = { origin: "https://good.com", "access-control-request-method": method };
      return (await ask(cluster, { method: "OPTIONS", path, headers })).headers["access-control-allow-methods"];
    };
    expect(await asking("POST")).toBe("POST");
    // Others go where they went before: to the function, which may answer them itself.
    expect([await asking("PUT"), await asking("POST", "/else")]).toEqual([undefined, undefined]);
    expect((await ask(cluster, { method: "OPTIONS", path: "/api" })).status).toBe(200);
  });

  test("CORS: a page may hear why it is refused, and when to come back", async () => {
    const cluster = await filtered([
      { type: "CORS", cors: { allowOrigins: ["https://good.com"], allowCredentials: true } },
    ]);
    const toRoute = { group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: "r" } as const;
    const limits = { rateLimits: [{ requests: 1, period: "1h", per: "Client" as const }] };
    cluster.gateway.cluster.set("trafficPolicies", trafficPolicy("p", limits, toRoute));
    const of = async (origin: string) => {
      const { status, headers } = await ask(cluster, { headers: { origin } });
      return [status, headers["access-control-allow-origin"], headers["access-control-allow-credentials"]];
    };
    expect(await of("https://good.com")).toEqual([200, "https://good.com", "true"]);
    expect(await of("https://good.com")).toEqual([429, "https://good.com", "true"]);
    expect(await of("https://bad.com")).toEqual([429, undefined, undefined]);
  });

  test("a mirror gets a copy, body and all, and its answer is nobody's", async () => {
    const cluster = await filtered([
      {
        type: "RequestMirror",
        requestMirror: { backendRef: { group: "serving.knative.dev", kind: "Service", name: "shadow" } },
      },
    ]);
    const bodies: string[] = [];
    await cluster.wireService("shadow", (head, stream) => {
      const handlers = reflecting(head, stream);
      return {
        ...handlers,
        data: (chunk) => {
          bodies.push(chunk.toString());
          handlers.data(chunk);
        },
      };
    });
    const { status, body } = await ask(cluster, { method: "POST", body: "twice", path: "/m" });
    expect([status, JSON.parse(body)]).toMatchObject([200, { body: "twice" }]);
    await until(() => bodies.join("") === "twice");
  });

  test("a mirror that does not answer holds nothing up", async () => {
    const cluster = await filtered([
      { type: "RequestMirror", requestMirror: { backendRef: { name: "nobody", port: 80 } } },
    ]);
    cluster.service("nobody", {}, []);
    expect((await ask(cluster, { method: "POST", body: "x" })).status).toBe(200);
  });

  test("weights are dealt exactly", async () => {
    const cluster = await start();
    await cluster.wireService("a", saying("a"));
    await cluster.wireService("b", saying("b"));
    cluster.gateway.cluster.set("gatewayClasses", gatewayClass());
    cluster.gateway.cluster.set("gateways", gatewayOf("edge"));
    const backend = { group: "serving.knative.dev", kind: "Service" };
    const backendRefs = [
      { ...backend, name: "a", weight: 3 },
      { ...backend, name: "b", weight: 1 },
    ];
    cluster.gateway.cluster.set("httpRoutes", httpRoute("r", [{ backendRefs }]));
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(cluster)));
    expect(answers.filter(({ body }) => body === "a")).toHaveLength(30);
  });

  test("a backend that is not there is 500, a path that no rule takes 404", async () => {
    const cluster = await filtered([], "/only");
    const missing = [{ ...ruleTo("nobody", "/missing") }];
    cluster.gateway.cluster.set("httpRoutes", httpRoute("m", missing));
    const missed = await ask(cluster, { path: "/missing" });
    expect([missed.status, missed.body]).toEqual([500, expect.stringContaining("BACKEND_MISSING")]);
    // One that is there, and has no revision yet, is another matter; so is a gateway that has not heard of all there is.
    cluster.gateway.cluster.set("routes", { ...fakeRoute("nobody", []), status: {} });
    expect((await ask(cluster, { path: "/missing" })).body).toContain("NOT_PREPARED");
    cluster.gateway.cluster.delete("routes", fakeRoute("nobody", []));
    cluster.gateway.cluster.complete = false;
    expect((await ask(cluster, { path: "/missing" })).body).toContain("ROUTES_UNKNOWN");
    cluster.gateway.cluster.complete = true;
    expect((await ask(cluster, { path: "/elsewhere" })).body).toContain("ROUTE_UNKNOWN");
    cluster.gateway.cluster.set("httpRoutes", httpRoute("m", [{ backendRefs: [] }]));
    expect((await ask(cluster, { path: "/x" })).status).toBe(500);
  });
});

describe("policies", () => {
  test("a rate limit per client: 429 with Retry-After, and no pod is asked", async () => {
    const cluster = await governed({ rateLimits: [{ requests: 2, period: "1h", per: "Client" }] });
    const answers = [await call(cluster, "web"), await call(cluster, "web"), await call(cluster, "web")];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(Number(answers[2]?.headers["retry-after"])).toBeGreaterThan(60);
  });

  test("addresses that may not come", async () => {
    const cluster = await governed({ clients: { allow: ["10.0.0.0/8"] } });
    expect((await call(cluster, "web")).status).toBe(403);
    cluster.gateway.cluster.set(
      "trafficPolicies",
      trafficPolicy("p", { clients: { allow: ["127.0.0.0/8"], deny: ["10.0.0.0/8"] } }, toService("web")),
    );
    expect((await call(cluster, "web")).status).toBe(200);
  });

  test("the size of a body, told or not", async () => {
    const cluster = await governed({ requestBodyMax: "4" });
    expect((await call(cluster, "web", { method: "POST", body: "1234" })).status).toBe(200);
    expect((await call(cluster, "web", { method: "POST", body: "12345" })).status).toBe(413);
    const chunked = { method: "POST", body: "12345", headers: { "transfer-encoding": "chunked" } };
    expect((await call(cluster, "web", chunked)).status).toBe(413);
  });

  test("basic authentication: no secret opens nothing, a wrong password neither; the password stays here", async () => {
    const cluster = await governed({ basicAuth: { secrets: [{ name: "users" }], realm: "club" } });
    const authorization = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });
    expect((await call(cluster, "web", { headers: authorization("ann:pass") })).status).toBe(500);
    cluster.gateway.cluster.set(
      "secrets",
      secretOf("users", "kubernetes.io/basic-auth", { username: "ann", password: "pass" }),
    );
    const refused = await call(cluster, "web");
    expect([refused.status, refused.headers["www-authenticate"]]).toEqual([401, 'Basic realm="club", charset="UTF-8"']);
    expect((await call(cluster, "web", { headers: authorization("ann:wrong") })).status).toBe(401);
    const admitted = await call(cluster, "web", { headers: authorization("ann:pass") });
    expect(admitted.status).toBe(200);
    expect(seen(admitted.body).headers).not.toContain("authorization");
  });

  test("JSON Web Tokens: signature, issuer, audience and age; claims become headers that nobody else can set", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    const other = await generateKeyPair("ES256");
    const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: "ES256" }] });
    const cluster = await governed({
      jwt: {
        issuer: "us",
        audiences: ["api"],
        jwksSecret: { name: "keys" },
        claimsToHeaders: [{ claim: "sub", header: "X-User" }],
      },
    });
    const token = (more: { iss?: string; aud?: string; exp?: string; key?: CryptoKey }) =>
      new SignJWT({ sub: "ann" })
        .setProtectedHeader({ alg: "ES256" })
        .setIssuer(more.iss ?? "us")
        .setAudience(more.aud ?? "api")
        .setExpirationTime(more.exp ?? "5m")
        .sign(more.key ?? privateKey);
    const asked = async (bearer: string) =>
      call(cluster, "web", { headers: { authorization: `Bearer ${bearer}`, "x-user": "root" } });
    expect((await asked(await token({}))).status).toBe(500);
    cluster.gateway.cluster.set("secrets", secretOf("keys", "shallop.dev/jwks", { "jwks.json": jwks }));
    const good = await token({});
    for (const _again of [1, 2]) {
      const answer = await asked(good);
      expect(answer.status).toBe(200);
      const request = seen(answer.body);
      expect(request.headers.filter((_item, index) => request.headers[index - 1] === "x-user")).toEqual(["ann"]);
    }
    const bad = [
      await token({ iss: "them" }),
      await token({ aud: "other" }),
      await token({ exp: "-5m" }),
      await token({ key: other.privateKey }),
      `${good.slice(0, -3)}AAA`,
      `${Buffer.from('{"alg":"none"}').toString("base64url")}.${good.split(".")[1]}.`,
    ];
    for (const text of bad) expect((await asked(text)).status).toBe(401);
    expect((await call(cluster, "web")).headers["www-authenticate"]).toBe("Bearer");
  });

  test("a handshake that is refused after its token has been verified is answered, and ends nobody", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: "ES256" }] });
    const cluster = await governed({ jwt: { issuer: "us", jwks } });
    const annotations = { "websocket.shallop.dev/origins": "https://app.example.com" };
    const revision = fakeRevision("web-00001");
    cluster.gateway.cluster.set("revisions", { ...revision, metadata: { ...revision.metadata, annotations } });
    const token = await new SignJWT({}).setProtectedHeader({ alg: "ES256" }).setIssuer("us").sign(privateKey);
    const handshake = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n";
    const key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\norigin: https://evil.com\r\n";
    const head = `GET / HTTP/1.1\r\nhost: web.default.localhost\r\nauthorization: Bearer ${token}\r\n`;
    expect(await cluster.connect().send(`${head}${handshake}${key}\r\n`).ended()).toMatch(
      /^HTTP\/1\.1 403 [^]*ORIGIN_/,
    );
    expect(cluster.gateway.load.open).toBe(0);
  });

  test("a session stays with the revision that it began with", async () => {
    const cluster = await governed({ sessionPersistence: { sessionName: "sid" } });
    for (const version of ["one", "two"]) {
      const { endpoint } = await cluster.wirePod(saying(version));
      cluster.gateway.cluster.set("pods", fakePod(`web-${version}-a`, `web-${version}`, { endpoint }));
    }
    const traffic = [
      { revisionName: "web-one", percent: 50 },
      { revisionName: "web-two", percent: 50 },
    ];
    for (const { revisionName } of traffic) cluster.gateway.cluster.set("revisions", fakeRevision(revisionName));
    cluster.gateway.cluster.set("routes", fakeRoute("web", traffic));
    const first = await call(cluster, "web");
    const [cookie = ""] = first.headers["set-cookie"] ?? [];
    expect(cookie).toMatch(/^sid=[0-9a-z]+\.[0-9a-z]+; Path=\/; HttpOnly; SameSite=Lax$/);
    const [pair = ""] = cookie.split(";");
    const again = await Promise.all(
      Array.from({ length: 20 }, () => call(cluster, "web", { headers: { cookie: `a=b; ${pair}` } })),
    );
    expect(new Set(again.map(({ body }) => body))).toEqual(new Set([first.body]));
    const without = await Promise.all(Array.from({ length: 20 }, () => call(cluster, "web")));
    expect(new Set(without.map(({ body }) => body)).size).toBe(2);
  });

  test("a session stays with its pod while that lives, and has another then", async () => {
    const cluster = await governed({ sessionPersistence: { sessionName: "sid" } });
    cluster.service("web");
    for (const name of ["a", "b", "c", "d"]) {
      const { endpoint } = await cluster.wirePod(saying(name));
      cluster.gateway.cluster.set("pods", fakePod(`web-00001-${name}`, "web-00001", { endpoint }));
    }
    const pairOf = ({ headers }: Awaited<ReturnType<typeof call>>): string =>
      headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
    const first = await call(cluster, "web");
    const mine = (): Promise<readonly string[]> =>
      Promise.all(
        Array.from(
          { length: 20 },
          async () => (await call(cluster, "web", { headers: { cookie: pairOf(first) } })).body,
        ),
      );
    expect(new Set(await mine())).toEqual(new Set([first.body]));
    const { endpoint } = await cluster.wirePod(saying("e"));
    cluster.gateway.cluster.set("pods", fakePod("web-00001-e", "web-00001", { endpoint }));
    expect(new Set(await mine())).toEqual(new Set([first.body]));
    cluster.gateway.cluster.delete("pods", fakePod(`web-00001-${first.body}`, "web-00001"));
    const moved = await call(cluster, "web", { headers: { cookie: pairOf(first) } });
    expect(moved.body).not.toBe(first.body);
    const again = await call(cluster, "web", { headers: { cookie: pairOf(moved) } });
    expect([again.body, pairOf(again)]).toEqual([moved.body, pairOf(moved)]);
    expect((await call(cluster, "web", { headers: { cookie: `sid=${"x.".repeat(500)}` } })).status).toBe(200);
  });

  test("a retry by status: idempotent requests only, so often, and the answer is the last one", async () => {
    const cluster = await governed({ retry: { codes: [503], attempts: 2, backoff: "1ms" } });
    let asked = 0;
    await cluster.nativeService("flaky", (_incoming, outgoing) => {
      outgoing.writeHead(++asked % 3 === 0 ? 200 : 503).end(String(asked));
    });
    cluster.gateway.cluster.set(
      "trafficPolicies",
      trafficPolicy("q", { retry: { codes: [503], attempts: 2, backoff: "1ms" } }, toService("flaky")),
    );
    expect(await call(cluster, "flaky")).toMatchObject({ status: 200, body: "3" });
    expect(await call(cluster, "flaky", { method: "POST", body: "x" })).toMatchObject({ status: 503, body: "4" });
  });

  test("an attempt that takes too long is made again; the request as a whole has its own limit", async () => {
    const cluster = await start();
    let asked = 0;
    await cluster.nativeService("slow", (_incoming, outgoing) => {
      if (++asked > 1) outgoing.end("second");
    });
    const policy = (spec: Omit<TrafficPolicy["spec"], "targetRefs">) =>
      cluster.gateway.cluster.set("trafficPolicies", trafficPolicy("p", spec, toService("slow")));
    policy({ timeouts: { backendRequest: "50ms" }, retry: { attempts: 1, backoff: "1ms" } });
    expect(await call(cluster, "slow")).toMatchObject({ status: 200, body: "second" });
    asked = 0;
    policy({ timeouts: { request: "50ms" } });
    expect((await call(cluster, "slow")).status).toBe(504);
  });

  test("a pod that goes on failing is left alone, and never the last one", async () => {
    const cluster = await start();
    await cluster.nativeService("web", (_incoming, outgoing) => void outgoing.writeHead(500).end("bad"));
    const { endpoint } = await cluster.nativePod((_incoming, outgoing) => void outgoing.end("good"));
    cluster.gateway.cluster.set("pods", fakePod("web-00001-b", "web-00001", { endpoint }));
    cluster.gateway.cluster.set(
      "trafficPolicies",
      trafficPolicy("p", { outlierDetection: { consecutiveErrors: 2, baseEjectionTime: "1h" } }, toService("web")),
    );
    const answers: string[] = [];
    for (let index = 0; index < 60; index++) answers.push((await call(cluster, "web")).body);
    expect(answers.filter((body) => body === "bad")).toHaveLength(2);
    cluster.gateway.cluster.delete("pods", fakePod("web-00001-b", "web-00001"));
    expect((await call(cluster, "web")).body).toBe("bad");
  });
});

describe("compression", () => {
  const text = "all work and no play ".repeat(500);
  /** A native pod that answers with headers of its own. */
  async function answering(
    headers: Record<string, string>,
    rule: TrafficPolicy["spec"]["compression"] = {},
  ): Promise<FakeCluster> {
    const cluster = await start();
    const server = createHttpServer((_incoming, outgoing) => void outgoing.writeHead(200, headers).end(text));
    cluster.service("web");
    const endpoint = await cluster.listening(server);
    cluster.gateway.cluster.set("pods", fakePod("web-00001-a", "web-00001", { endpoint }));
    cluster.gateway.cluster.set("trafficPolicies", trafficPolicy("p", { compression: rule ?? {} }, toService("web")));
    return cluster;
  }

  const raw = (cluster: FakeCluster, acceptEncoding: string, method = "GET") =>
    new Promise<{
      readonly coding: string | undefined;
      readonly etag: string | undefined;
      readonly vary: string | undefined;
      readonly ofBytes: readonly (string | undefined)[];
      readonly bytes: Buffer;
    }>((resolve, reject) => {
      const headers = { host: "web.default.localhost", "accept-encoding": acceptEncoding };
      const request = httpRequest({ port: cluster.port, method, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        const { "content-encoding": coding, etag, vary } = response.headers;
        const ofBytes = ["accept-ranges", "content-digest"].map((name) => response.headers[name]?.toString());
        response.on("end", () => resolve({ coding, etag, vary, ofBytes, bytes: Buffer.concat(chunks) }));
      });
      request.on("error", reject);
      request.end();
    });

  test.each([
    ["gzip", "gzip", gunzipSync],
    ["gzip, br", "br", brotliDecompressSync],
    ["gzip, br, zstd", "zstd", zstdDecompressSync],
    ["gzip;q=1, br;q=0.5, zstd;q=0", "gzip", gunzipSync],
  ] as const)("Accept-Encoding: %s gets %s", async (accepted, coding, decompress) => {
    const ofBytes = { "accept-ranges": "bytes", "content-digest": "sha-256=:x:" };
    const cluster = await answering({ "content-type": "text/plain; charset=utf-8", etag: '"x"', ...ofBytes });
    const plain = await raw(cluster, "identity");
    expect([plain.ofBytes, plain.coding, plain.vary]).toEqual([Object.values(ofBytes), undefined, "accept-encoding"]);
    const answer = await raw(cluster, accepted);
    expect(answer.ofBytes).toEqual([undefined, undefined]);
    expect([answer.coding, answer.etag, answer.vary]).toEqual([coding, 'W/"x"', "accept-encoding"]);
    expect(decompress(answer.bytes).toString()).toBe(text);
    expect(answer.bytes.length).toBeLessThan(text.length / 5);
    await until(() => cluster.gateway.load.open === 0);
  });

  test.each([
    ["an image", { "content-type": "image/png" }],
    ["events", { "content-type": "text/event-stream" }],
    ["what is coded already", { "content-type": "text/plain", "content-encoding": "x-own" }],
    ["what may not be changed", { "content-type": "text/plain", "cache-control": "public, no-transform" }],
    ["what says no type", {}],
  ])("%s is left as it is", async (_name, headers) => {
    const answer = await raw(await answering(headers), "gzip");
    expect(answer.coding).not.toBe("gzip");
    expect(answer.bytes.toString()).toBe(text);
  });

  test("who takes nothing gets it plain; short answers are not worth it; HEAD has no body", async () => {
    const cluster = await answering(
      { "content-type": "text/plain", "content-length": String(text.length) },
      { minBytes: 100_000 },
    );
    expect((await raw(cluster, "identity")).bytes.toString()).toBe(text);
    expect((await raw(cluster, "gzip")).coding).toBeUndefined();
    expect((await raw(cluster, "gzip", "HEAD")).coding).toBeUndefined();
  });
});
