import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { createServer as createTlsServer, request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type NewObject, type Node, nodes, type Pod, pods, services, type Service } from "@shallop/sdk/api";
import { explainService, podLogs, postLoadReport, serviceLogs } from "@shallop/sdk/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusal } from "./api.fixture.ts";
import { runApi, type RunningApi } from "./server.fixture.ts";

let running: RunningApi;
let registry: ReturnType<typeof createServer>;
beforeAll(async () => {
  registry = createServer((request, response) => {
    let size = 0;
    request.on("data", (chunk: Buffer) => (size += chunk.length));
    request.on("end", () => {
      const seen = {
        method: request.method,
        url: request.url,
        size,
        authorization: request.headers.authorization ?? null,
      };
      response.writeHead(202, { location: "/v2/a/blobs/uploads/1", "docker-content-digest": "sha256:0" });
      response.end(JSON.stringify(seen));
    });
  });
  registry.listen(0, "127.0.0.1");
  await once(registry, "listening");
  running = await runApi({
    registry: { url: `http://127.0.0.1:${(registry.address() as AddressInfo).port}`, token: "platform" },
  });
});
afterAll(async () => {
  await running[Symbol.asyncDispose]();
  registry.close();
  registry.closeAllConnections();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Ask {
  readonly method?: string;
  readonly token?: string | null;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

/** Over HTTP/1.1, as the administrator unless said otherwise. */
function ask(path: string, { method = "GET", token, headers = {}, body }: Ask = {}): Promise<Answer> {
  const bearer = token === undefined ? running.material.tokens.admin : token;
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      new URL(path, running.server.url),
      {
        method,
        ca: running.authority,
        headers: { ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }), ...headers },
      },
      (response) => {
        let text = "";
        response.on("data", (chunk) => (text += String(chunk)));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

const json = { "content-type": "application/json" };
const status = ({ text }: Answer): { reason: string; message: string } =>
  JSON.parse(text) as { reason: string; message: string };
const newPod = (name: string, nodeName?: string): NewObject<Pod> => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: { containers: [{ name: "c", image: "i" }], ...(nodeName === undefined ? {} : { nodeName }) },
});

test("/metrics counts requests by verb, resource and status, for administrators only", async () => {
  expect((await ask("/api/v1/namespaces/default")).status).toBe(200);
  expect((await ask("/api/v1/namespaces/default/pods/nobody")).status).toBe(404);
  const { status: code, text, headers } = await ask("/metrics");
  expect([code, headers["content-type"]]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  const of = 'apiserver_request_total{verb="GET",group="",version="v1",resource=';
  expect(text).toContain(`${of}"namespaces",subresource="",code="200"}`);
  expect(text).toContain(`${of}"pods",subresource="",code="404"}`);
  expect(text).toContain('apiserver_request_duration_seconds_bucket{verb="GET",group="",version="v1",resource="pods"');
  expect((await ask("/metrics", { token: null })).status).toBe(401);
  for (const path of [
    "/metrics",
    "/api/v1/nodes/n/proxy/metrics",
    "/api/v1/nodes/n/proxy/stats/summary",
    "/api/v1/nodes/n/proxy/metrics/resource",
    "/api/v1/nodes/n/proxy/healthz",
  ]) {
    const refused = await ask(path, { token: running.material.tokens.gateway });
    expect(refused.status).toBe(403);
    expect(status(refused).message).toBe(`forbidden: User "system:gateway" cannot get path "${path}"`);
  }
  expect((await ask("/api/v1/nodes/nowhere/proxy/metrics")).status).toBe(404);
  expect((await ask("/api/v1/nodes/nowhere/proxy/stats/summary")).status).toBe(404);
});

test("says who it is to anybody, and all else to those with a token only", async () => {
  expect((await ask("/version", { token: null })).text).toContain('"minor":"33"');
  for (const path of ["/healthz", "/readyz", "/livez"]) expect((await ask(path, { token: null })).text).toBe("ok");
  expect((await ask("/cacerts", { token: null })).text).toBe(running.authority);
  for (const token of [null, "wrong", `${running.material.tokens.admin}x`]) {
    for (const path of ["/api/v1/pods", "/apis", "/openapi/v3", "/shallop/v1/load", "/v2/"]) {
      const answer = await ask(path, { token });
      expect({ code: answer.status, reason: status(answer).reason }).toEqual({ code: 401, reason: "Unauthorized" });
      expect(answer.headers["www-authenticate"]).toContain("Bearer");
    }
  }
  const answer = await ask("/api/v1/namespaces/default");
  expect(answer.headers["audit-id"]).toMatch(/^[0-9a-f-]{36}$/);
  expect(answer.headers["cache-control"]).toBe("no-cache, private");
});

test.each([
  { name: "unknown path", path: "/nope", code: 404 },
  { name: "unknown kind", path: "/api/v1/nothings", code: 404 },
  { name: "unknown subresource", path: "/api/v1/namespaces/default/pods/a/frobnicate", code: 404 },
  { name: "exec without an upgrade", path: "/api/v1/namespaces/default/pods/a/exec", code: 400 },
  { name: "a name with a slash in it", path: "/api/v1/namespaces/a%2Fb/pods/c", code: 404 },
  { name: "a broken escape", path: "/api/v1/namespaces/%zz", code: 404 },
  { name: "a missing object", path: "/api/v1/namespaces/default/pods/nope", code: 404 },
  { name: "a bad selector", path: "/api/v1/pods?fieldSelector=a.b=c", code: 400 },
  { name: "a bad limit", path: "/api/v1/pods?limit=many", code: 400 },
  { name: "an answer that is not spoken", path: "/api/v1/pods", ask: { headers: { accept: "text/html" } }, code: 406 },
  { name: "a method that is not allowed", path: "/api/v1/namespaces", ask: { method: "DELETE" }, code: 405 },
  {
    name: "create over all namespaces",
    path: "/api/v1/pods",
    ask: { method: "POST", headers: json, body: "{}" },
    code: 405,
  },
  {
    name: "a body that is no object",
    path: "/api/v1/namespaces",
    ask: { method: "POST", headers: json, body: "[]" },
    code: 400,
  },
  {
    name: "a body too large",
    path: "/api/v1/namespaces",
    ask: { method: "POST", headers: json, body: Buffer.alloc(3 * 1024 * 1024 + 1) },
    code: 413,
  },
  {
    name: "a body of another type",
    path: "/api/v1/namespaces",
    ask: { method: "POST", headers: { "content-type": "text/plain" }, body: "x" },
    code: 415,
  },
  {
    name: "a dry run of something",
    path: "/api/v1/namespaces?dryRun=Some",
    ask: { method: "POST", headers: json, body: "{}" },
    code: 400,
  },
])("$name: $code", async ({ path, ask: options, code }) => {
  expect((await ask(path, options)).status).toBe(code);
});

test("warnings come as headers, and a repeated field is one", async () => {
  const body = '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"w","name":"w"},"spce":{}}';
  const answer = await ask("/api/v1/namespaces?dryRun=All", { method: "POST", headers: json, body });
  expect(answer.status).toBe(201);
  expect(answer.headers["warning"]).toBe(
    String.raw`299 - "unknown field \"spce\"", 299 - "duplicate field \"metadata.name\""`,
  );
  const strict = await ask("/api/v1/namespaces?fieldValidation=Strict", { method: "POST", headers: json, body });
  expect(status(strict).message).toContain(
    'strict decoding error: unknown field "spce", duplicate field "metadata.name"',
  );
});

test("Tables, parts and YAML are made when they are asked for", async () => {
  const table = JSON.parse(
    (
      await ask("/api/v1/namespaces", {
        headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" },
      })
    ).text,
  ) as { kind: string; columnDefinitions: { name: string }[]; rows: { cells: string[]; object: { kind: string } }[] };
  expect(table.columnDefinitions.map((column) => column.name)).toEqual(["Name", "Status", "Age"]);
  expect(table.rows[0]).toMatchObject({
    cells: ["default", "Active", expect.any(String)],
    object: { kind: "PartialObjectMetadata" },
  });
  const parts = await ask("/api/v1/namespaces", {
    headers: { accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" },
  });
  expect(parts.text).not.toContain("Active");
  const yaml = await ask("/api/v1/namespaces/default", { headers: { accept: "application/yaml" } });
  expect(yaml.text).toMatch(/^apiVersion: v1\nkind: Namespace\n/);
});

test("discovery: legacy and aggregated, with an ETag; OpenAPI names what it describes", async () => {
  const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
  const first = await ask("/apis", { headers: { accept: aggregated } });
  expect(first.headers["content-type"]).toBe("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  const again = await ask("/apis", { headers: { accept: aggregated, "if-none-match": first.headers["etag"] ?? "" } });
  expect(again.status).toBe(304);
  expect((await ask("/apis")).text).toContain('"kind":"APIGroupList"');
  expect((await ask("/apis/serving.knative.dev/v1")).text).toContain('"services/status"');
  expect((await ask("/openapi/v2")).text).toBe("");
  const index = JSON.parse((await ask("/openapi/v3")).text) as { paths: Record<string, { serverRelativeURL: string }> };
  const document = JSON.parse((await ask(index.paths["api/v1"]?.serverRelativeURL ?? "")).text) as {
    components: { schemas: Record<string, unknown> };
  };
  // Every reference leads somewhere.
  for (const [, name] of JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)) {
    expect(document.components.schemas).toHaveProperty(name ?? "");
  }
});

describe("the typed client", () => {
  test("reads, writes and watches over HTTP/2 or 1.1", async () => {
    const client = running.client(running.material.tokens.admin);
    const stop = new AbortController();
    const { resourceVersion } = await client.list(pods, { namespace: "default" });
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { type, object } of client.watch(pods, { namespace: "default", resourceVersion }, stop.signal)) {
        seen.push(`${type} ${object.metadata.name}`);
        if (type === "DELETED") stop.abort();
      }
    })();
    const made = await client.create(pods, newPod("typed"));
    const labelled = await client.update(pods, { ...made, metadata: { ...made.metadata, labels: { a: "b" } } });
    expect((await refusal(() => client.update(pods, made))).code).toBe("Conflict");
    expect(await client.get(pods, "default", "typed")).toEqual(labelled);
    await client.patch(
      pods,
      { namespace: "default", name: "typed", subresource: "status" },
      { type: "merge", body: { status: { phase: "Running" } } },
    );
    await client.delete(pods, { namespace: "default", name: "typed" });
    await watching;
    expect(seen).toEqual(["ADDED typed", "MODIFIED typed", "MODIFIED typed", "DELETED typed"]);
  });

  test("a gateway reports load and writes nothing else", async () => {
    const gateway = running.client(running.material.tokens.gateway);
    const load = {
      namespace: "default",
      revision: "a-1",
      averageConcurrency: 1.5,
      requestCount: 3,
      periodMs: 1000,
      waiting: 1,
    };
    expect(await postLoadReport(gateway, { gateway: "g", revisions: [load] })).toEqual({ gateways: [{ name: "g" }] });
    expect(running.reports).toEqual([{ gateway: "g", revisions: [load] }]);
    const other = { gateway: "h", peerAddress: "[fd00::1]:7", revisions: [] };
    expect((await postLoadReport(gateway, other))?.gateways).toEqual([
      { name: "g" },
      { name: "h", peerAddress: "[fd00::1]:7" },
    ]);
    for (const peerAddress of ["10.0.0.1", "a b:1", ":1", "x:y"])
      expect((await refusal(() => postLoadReport(gateway, { ...other, peerAddress }))).code).toBe("BadRequest");
    expect((await postLoadReport(gateway, { ...other, isLeaving: true }))?.gateways).toEqual([{ name: "g" }]);
    running.reports.splice(1);
    const wrong = { gateway: "g", revisions: [{ ...load, waiting: -1 }] };
    expect((await refusal(() => postLoadReport(gateway, wrong))).code).toBe("BadRequest");
    expect((await refusal(() => gateway.create(pods, newPod("x")))).code).toBe("Forbidden");
    expect((await refusal(() => gateway.request("GET", "/v2/"))).code).toBe("Forbidden");
    expect(await explainService(gateway, { namespace: "default", name: "a" })).toMatchObject({ service: "a" });
  });
});

test("the built-in registry is passed through, with the platform's own login in place of the caller's", async () => {
  const body = Buffer.alloc(100_000, 1);
  const answer = await ask("/v2/a/blobs/uploads/?x=1", { method: "POST", body });
  expect(answer.status).toBe(202);
  expect(answer.headers).toMatchObject({ location: "/v2/a/blobs/uploads/1", "docker-content-digest": "sha256:0" });
  expect(JSON.parse(answer.text)).toEqual({
    method: "POST",
    url: "/v2/a/blobs/uploads/?x=1",
    size: 100_000,
    authorization: "Bearer platform",
  });
});

test("logs come from the agent of the pod's node, known by its certificate, and of a service from all nodes by time", async () => {
  const pair = (name: string) =>
    running.material.authority.issue(
      { commonName: `system:node:${name}`, names: ["127.0.0.1"], usages: ["server"] },
      Date.now(),
    );
  const agent = async (name: string, lines: string): Promise<{ close(): void; address: string }> => {
    const { certificate: cert, key } = await pair(name);
    const server = createTlsServer(
      { cert, key, ca: running.authority, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        const url = new URL(request.url ?? "", "https://agent");
        const json = (line: string): string => JSON.stringify({ time: line.slice(0, 30), message: line.slice(31) });
        const records = lines.replaceAll(/.+/g, json);
        const isJson = url.searchParams.get("format") === "json";
        response.end(url.pathname === "/v1/logs" ? (isJson ? records : lines) : `${url.pathname} ${url.search}\n`);
      },
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return { close: () => void server.close(), address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  const one = await agent("one", "2026-01-01T00:00:01.000000000Z first\n2026-01-01T00:00:03.000000000Z third\n");
  const two = await agent("two", "2026-01-01T00:00:02.000000000Z second\n");
  const client = running.client(running.material.tokens.admin);
  const node = (name: string, address: string): NewObject<Node> => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, annotations: { "shallop.dev/agent-address": address } },
  });
  await client.create(nodes, node("one", one.address));
  await client.create(nodes, node("two", two.address));
  // Says that it is where another node's agent is.
  await client.create(nodes, node("liar", two.address));
  await client.create(pods, newPod("logged", "one"));
  await client.create(pods, newPod("lied", "liar"));
  const service: NewObject<Service> = {
    apiVersion: "serving.knative.dev/v1",
    kind: "Service",
    metadata: { name: "hello", namespace: "default" },
    spec: { template: { spec: { containers: [{ image: "a" }] } } },
  };
  await client.create(services, service);
  const text = async (chunks: AsyncIterable<string>): Promise<string> => {
    let all = "";
    for await (const chunk of chunks) all += chunk;
    return all;
  };
  expect(await text(podLogs(client, { namespace: "default", name: "logged" }, { tailLines: 5 }))).toBe(
    "/containerLogs/default/logged/c ?tailLines=5&format=text\n",
  );
  expect(await refusal(() => text(podLogs(client, { namespace: "default", name: "lied" }, {})))).toMatchObject({
    code: "ServiceUnavailable",
    message: expect.stringContaining("system:node:two, not of system:node:liar") as string,
  });
  const merged = await text(serviceLogs(client, { namespace: "default", name: "hello" }, {}));
  expect(merged.split("\n").filter((line) => !line.startsWith("["))).toEqual(["first", "second", "third", ""]);
  expect(merged).toContain("[node liar: logs are missing here: ");
  const records = await text(serviceLogs(client, { namespace: "default", name: "hello" }, { format: "json" }));
  expect(
    records
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { message: string; node?: string })
      .map(({ message, node = "" }) => node + message),
  ).toEqual([expect.stringMatching(/^liarlogs are missing here: /), "first", "second", "third"]);
  expect((await ask("/shallop/v1/namespaces/default/services/hello/logs?format=xml")).status).toBe(400);
  expect((await ask("/api/v1/namespaces/default/pods/logged/log?container=x")).status).toBe(400);
  one.close();
  two.close();
});

test("what is open ends when the server stops", async () => {
  const other = await runApi();
  const session = connectHttp2(other.server.url, { ca: other.authority });
  const stream = session.request({
    ":path": "/api/v1/namespaces?watch=true",
    authorization: `Bearer ${other.material.tokens.admin}`,
  });
  await once(stream, "data");
  const closed = once(session, "close");
  await other[Symbol.asyncDispose]();
  await Promise.race([closed, sleep(2000).then(() => Promise.reject(new Error("the connection is still open")))]);
});
