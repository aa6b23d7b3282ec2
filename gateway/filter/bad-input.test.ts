import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Answer, call } from "../client.fake.ts";
import type { FakeCluster } from "../gateway.fake.ts";
import { ask, filtered, governed, secretOf } from "./filters.fixture.ts";

// What a filter reads of a request is whatever a client has written: each is given what is none of its kind.

const header = (name: string, value: string) => ({ headers: { [name]: value } });
const base64 = (text: string): string => Buffer.from(text, "latin1").toString("base64");
const long = "a".repeat(6_000);

describe("credentials that are none let nobody in, and are no failure of the gateway", () => {
  const basic = [
    "",
    "Basic",
    "Basic ",
    "Basic %%%",
    `Basic ${base64("ann")}`,
    `Basic ${base64(":")}`,
    `Basic ${base64("ann:pass\0")}`,
    `Basic ${base64("\xff\xfe:pass")}`,
    `Basic ${base64(`ann:${long}`)}`,
    `Bearer ${base64("ann:pass")}`,
    `Basic ${base64("ann:pass")}, Basic ${base64("ann:pass")}`,
  ];
  test("basic authentication", async () => {
    const cluster = await governed({ basicAuth: { secrets: [{ name: "users" }] } });
    cluster.gateway.cluster.set(
      "secrets",
      secretOf("users", "kubernetes.io/basic-auth", { username: "ann", password: "pass" }),
    );
    for (const value of basic) expect((await call(cluster, "web", header("authorization", value))).status).toBe(401);
    expect((await call(cluster, "web", header("authorization", `Basic ${base64("ann:pass")}`))).status).toBe(200);
  });

  const json = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const tokens = [
    "Bearer",
    "Bearer ",
    "Bearer .",
    "Bearer ..",
    "Bearer a.b.c",
    "Bearer a.b.c.d.e",
    `Bearer ${json({ alg: "none" })}.${json({ sub: "x" })}.`,
    `Bearer ${json({ alg: "HS256" })}.${json({ sub: "x" })}.AAAA`,
    `Bearer ${json({ alg: "ES256", crit: ["x"] })}.${json({})}.AAAA`,
    `Bearer ${json({ alg: "ES256", jwk: { kty: "EC" } })}.${json({})}.AAAA`,
    `Bearer ${json(null)}.${json([])}.AAAA`,
    `Bearer ${long}`,
    `Basic ${base64("ann:pass")}`,
  ];
  test("JSON Web Tokens", async () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const jwks = JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), alg: "ES256" }] });
    const cluster = await governed({ jwt: { issuer: "us", audiences: ["web"], jwks } });
    for (const value of tokens) expect((await call(cluster, "web", header("authorization", value))).status).toBe(401);
  });

  test("a key set that is none opens nothing", async () => {
    for (const jwks of ["", "{", "{}", '{"keys":[{}]}', '{"keys":"x"}']) {
      const cluster = await governed({ jwt: { issuer: "us", audiences: ["web"], jwks } });
      expect((await call(cluster, "web", header("authorization", "Bearer a.b.c"))).status).toBeGreaterThanOrEqual(401);
    }
  });
});

test("who a client is for its rate and for the list of addresses is no header's to say", async () => {
  const claims = ["x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip", "true-client-ip"];
  const limited = await governed({ rateLimits: [{ requests: 1, period: "1h", per: "Client" }] });
  const asked: number[] = [];
  for (const [index, name] of ["none", ...claims].entries())
    asked.push((await call(limited, "web", header(name, `10.0.0.${index}`))).status);
  expect(asked).toEqual([200, 429, 429, 429, 429, 429]);
  const listed = await governed({ clients: { allow: ["10.0.0.0/8"] } });
  for (const name of claims) expect((await call(listed, "web", header(name, "10.0.0.1"))).status).toBe(403);
});

test("cookies that are none begin a new session", async () => {
  const cluster = await governed({ sessionPersistence: { sessionName: "sid" } });
  const cookies = [
    "",
    ";",
    "=",
    "sid",
    "sid=",
    "sid=.",
    "sid=..",
    "SID=x",
    `sid=${long}`,
    "sid=\u00e4; sid=b".replace("\u00e4", "%00"),
  ];
  const crumbs = Array.from({ length: 1_000 }, (_, index) => `a${index}=b`).join("; ");
  for (const cookie of [...cookies, crumbs]) {
    const { status, headers } = await call(cluster, "web", header("cookie", cookie));
    expect([status, headers["set-cookie"]?.[0]]).toEqual([200, expect.stringMatching(/^sid=[0-9a-z]+\.[0-9a-z]+; /)]);
  }
});

test("preferences that are none get the answer as it is", async () => {
  const cluster = await governed({ compression: { algorithms: ["gzip"] } });
  for (const wish of [
    "",
    ",",
    ";",
    "gzip;q=",
    "gzip;q=x",
    "gzip;q=0",
    "gzip;q=0.000",
    "gz ip",
    "*;q=0, gzip;q=0",
    "gzi\u0070x",
  ]) {
    const answer = await call(cluster, "web", { ...header("accept-encoding", wish), path: `/${long.slice(0, 3_000)}` });
    expect(answer.headers["content-encoding"], wish).toBeUndefined();
    expect(answer.status).toBe(200);
  }
});

test("origins and methods that are none are told nothing by CORS", async () => {
  const cors = { allowOrigins: ["https://*.good.com"], allowMethods: ["PUT"], allowHeaders: ["x-a"], maxAge: 60 };
  const cluster = await filtered([{ type: "CORS", cors }]);
  const origins = [
    "null",
    "https://",
    "good.com",
    "https://.good.com",
    "https://a.good.com.evil",
    "https://evil/?.good.com",
    long,
  ];
  for (const origin of origins) {
    const headers = { origin, "access-control-request-method": "PUT" };
    for (const method of ["OPTIONS", "GET"]) {
      const answer = await ask(cluster, { method, headers });
      expect(answer.headers["access-control-allow-origin"], origin).toBeUndefined();
    }
  }
  const odd = {
    origin: "https://a.good.com",
    "access-control-request-method": "P\u0055T, x",
    "access-control-request-headers": ",,;",
  };
  const answer: Answer = await ask(cluster, { method: "OPTIONS", headers: odd });
  expect(answer.status).toBeLessThan(300);
  expect(answer.headers["access-control-allow-methods"]).toBe("PUT");
});

test("targets that try to become another host, or another header, stay what they are in redirects and rewrites", async () => {
  const paths = [
    "//evil.com",
    "/%0d%0aset-cookie:a=b",
    "/\\evil.com".replace("\\", "%5c"),
    "/..%2f..%2fevil",
    "/?x=//evil.com",
    `/${long}`,
  ];
  const redirecting: FakeCluster = await filtered([
    { type: "RequestRedirect", requestRedirect: { scheme: "https", statusCode: 301 } },
  ]);
  for (const path of paths) {
    const { headers } = await ask(redirecting, { path });
    expect(headers.location).toBe(`https://example.com${path}`);
    expect(headers["set-cookie"]).toBeUndefined();
  }
  const rewriting = await filtered(
    [{ type: "URLRewrite", urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/new" } } }],
    "/old",
  );
  for (const [path, target] of [
    ["/old//evil.com", "/new/evil.com"],
    ["/old/%2e%2e/x", "/new/%2e%2e/x"],
    ["/old?/old=/old", "/new?/old=/old"],
  ] as const)
    expect((JSON.parse((await ask(rewriting, { path })).body) as { target: string }).target).toBe(target);
});

test("a length that is none is refused whatever the policy's bound", async () => {
  const cluster = await governed({ requestBodyMax: "4" });
  const lengths = ["-1", "+1", "0x4", "4.0", "99999999999999999999", "4, 4", ""];
  for (const length of lengths) {
    const text = await cluster
      .connect()
      .send(`POST / HTTP/1.1\r\nhost: web.default.localhost\r\ncontent-length: ${length}\r\n\r\nabcdefgh`)
      .ended();
    expect(text, length).toMatch(/^HTTP\/1\.1 4(00|13) /);
  }
});
