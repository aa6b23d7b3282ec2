import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { type CallOptions, call, start, until } from "../client.fake.ts";
import { reflecting } from "../gateway.fake.ts";
import { toService, trafficPolicy } from "../route/routing.fixture.ts";
import { clientAddress } from "./request-head.ts";
import { TrustedProxies } from "./trusted-proxies.ts";

const trusted = new TrustedProxies(["10.0.0.0/8", "fd00::/8", "192.0.2.7"]);

test.each([
  { peer: "8.8.8.8", said: "1.1.1.1", client: "8.8.8.8", way: undefined },
  { peer: "10.0.0.1", said: undefined, client: "10.0.0.1", way: "10.0.0.1" },
  { peer: "10.0.0.1", said: "1.1.1.1", client: "1.1.1.1", way: "1.1.1.1, 10.0.0.1" },
  { peer: "192.0.2.7", said: "1.1.1.1", client: "1.1.1.1", way: "1.1.1.1, 192.0.2.7" },
  { peer: "192.0.2.8", said: "1.1.1.1", client: "192.0.2.8", way: undefined },
  // What the client says himself stands before what is known of him.
  { peer: "10.0.0.1", said: "6.6.6.6, 1.1.1.1", client: "1.1.1.1", way: "1.1.1.1, 10.0.0.1" },
  { peer: "10.0.0.1", said: "6.6.6.6,1.1.1.1 ,10.9.9.9", client: "1.1.1.1", way: "1.1.1.1, 10.9.9.9, 10.0.0.1" },
  { peer: "10.0.0.1", said: "10.1.1.1, 10.2.2.2", client: "10.1.1.1", way: "10.1.1.1, 10.2.2.2, 10.0.0.1" },
  { peer: "10.0.0.1", said: "1.1.1.1:4711", client: "1.1.1.1", way: "1.1.1.1, 10.0.0.1" },
  { peer: "fd00::1", said: "[2001:db8::1]:4711", client: "2001:db8::1", way: "2001:db8::1, fd00::1" },
  { peer: "fd00::1", said: "::ffff:1.1.1.1", client: "1.1.1.1", way: "1.1.1.1, fd00::1" },
  { peer: "10.0.0.1", said: "1.1.1.1, unknown", client: "10.0.0.1", way: "10.0.0.1" },
  { peer: "10.0.0.1", said: "1.1.1.1,", client: "10.0.0.1", way: "10.0.0.1" },
  { peer: "10.0.0.1", said: '1.1.1.1", x', client: "10.0.0.1", way: "10.0.0.1" },
  { peer: "10.0.0.1", said: "fe80::1%eth0", client: "10.0.0.1", way: "10.0.0.1" },
])("$peer says $said", ({ peer, said, client, way }) => {
  const known = trusted.clientOf(clientAddress(peer), "http", { address: said, scheme: undefined });
  expect([known.client.address, known.client.way]).toEqual([client, way]);
});

test("of a list without end the nearest part is read", () => {
  const said = Array.from({ length: 10_000 }, () => "10.0.0.2").join();
  const { client } = trusted.clientOf(clientAddress("10.0.0.1"), "http", { address: said, scheme: undefined });
  expect(client.way?.split(", ").length).toBeLessThan(40);
});

test.each([
  ["10.0.0.1", "https", "https"],
  ["10.0.0.1", "http, HTTPS", "https"],
  ["10.0.0.1", "gopher", "http"],
  ["10.0.0.1", undefined, "http"],
  ["8.8.8.8", "https", "http"],
] as const)("%s says that its client speaks %s", (peer, said, scheme) => {
  expect(trusted.clientOf(clientAddress(peer), "http", { address: undefined, scheme: said }).scheme).toBe(scheme);
});

test.each(["", "10.0.0.0/33", "10.0.0.0/x", "fd00::/129", "1.1.1.1/8/8", "balancer"])("%j is no range", (range) => {
  expect(() => new TrustedProxies([range])).toThrow();
});

async function behind(proxies: readonly string[]) {
  const cluster = await start({}, { trustedProxies: new TrustedProxies(proxies), httpsPublicPort: 443 });
  await cluster.wireService("web", reflecting);
  const asked = (said: string, options: CallOptions = {}) =>
    call(cluster, "web", { ...options, headers: { "x-forwarded-for": said, ...options.headers } });
  return { cluster, asked };
}

test("behind a proxy that is trusted, rates and lists of addresses are the client's, and guests are told of him", async () => {
  const { cluster, asked } = await behind(["127.0.0.0/8", "10.0.0.0/8"]);
  const seen = JSON.parse(
    (await asked("6.6.6.6, 1.1.1.1, 10.0.0.9", { headers: { "x-forwarded-proto": "https" } })).body,
  ) as {
    readonly scheme: string;
    readonly headers: readonly string[];
  };
  const value = (name: string) => seen.headers.filter((_item, index) => seen.headers[index - 1] === name);
  expect(seen.scheme).toBe("https");
  expect(value("x-forwarded-for")).toEqual(["1.1.1.1, 10.0.0.9, 127.0.0.1"]);
  expect(value("x-forwarded-proto")).toEqual(["https"]);
  expect(value("forwarded")).toEqual(['for=1.1.1.1;host="web.default.localhost:8080";proto=https']);
  const policies = (spec: Parameters<typeof trafficPolicy>[1]) =>
    cluster.gateway.cluster.set("trafficPolicies", trafficPolicy("p", spec, toService("web")));
  policies({ clients: { allow: ["1.1.1.0/24"] } });
  const statuses = async (...said: string[]) => {
    const answers: number[] = [];
    for (const one of said) answers.push((await asked(one)).status);
    return answers;
  };
  expect(await statuses("1.1.1.1", "2.2.2.2", "1.1.1.1, 2.2.2.2", "2.2.2.2, 1.1.1.1")).toEqual([200, 403, 403, 200]);
  policies({ rateLimits: [{ requests: 1, period: "1h", per: "Client" }] });
  expect(await statuses("1.1.1.1", "1.1.1.1", "2.2.2.2", "6.6.6.6, 2.2.2.2")).toEqual([200, 429, 200, 429]);
});

test("TLS that ends at a proxy needs no redirect", async () => {
  const { cluster, asked } = await behind(["127.0.0.1"]);
  cluster.gateway.cluster.set("trafficPolicies", trafficPolicy("p", { redirectToHttps: true }, toService("web")));
  expect((await asked("1.1.1.1", { headers: { "x-forwarded-proto": "https" } })).status).toBe(200);
  expect((await asked("1.1.1.1", { headers: { "x-forwarded-proto": "http" } })).status).toBe(308);
});

test("who is no proxy of ours says nothing of himself", async () => {
  const { cluster, asked } = await behind(["10.0.0.0/8"]);
  cluster.gateway.cluster.set(
    "trafficPolicies",
    trafficPolicy("p", { clients: { allow: ["1.1.1.1"] } }, toService("web")),
  );
  expect((await asked("1.1.1.1")).status).toBe(403);
});

test("WebSockets of one client are counted as his, whoever brings them", async () => {
  const proxies = new TrustedProxies(["127.0.0.1"]);
  const cluster = await start({ webSocketsPerAddressMax: 1, drainTimeoutMs: 100 }, { trustedProxies: proxies });
  await cluster.wireService("chat", (_head, stream) => ({
    data: (chunk) => stream.consumed(chunk.length),
    end: () => {
      stream.respond({ status: 200, headers: ["content-type", "application/vnd.shallop.websocket"] });
      stream.end();
    },
    failed: () => undefined,
  }));
  const opened = async (client: string): Promise<boolean> => {
    const headers = { host: "chat.default.localhost", "x-forwarded-for": client };
    const socket = new WebSocket(`ws://127.0.0.1:${cluster.port}/`, { headers });
    socket.on("error", () => undefined);
    onTestFinished(() => socket.terminate());
    await until(() => socket.readyState !== WebSocket.CONNECTING);
    return socket.readyState === WebSocket.OPEN;
  };
  expect([await opened("1.1.1.1"), await opened("1.1.1.1"), await opened("2.2.2.2")]).toEqual([true, false, true]);
});
