import { afterAll, beforeAll, expect, test } from "vitest";
import type { Pod } from "../api/core.ts";
import type { WatchEvent } from "../api/meta.ts";
import { nodes, pods, services } from "../api/resources.ts";
import { systemClock } from "../internal/clock.ts";
import { errorCode } from "../internal/fault.ts";
import { FakeClock } from "../internal/testing/clock.fake.ts";
import { explainService, podLogs, postLoadReport, serviceLogs } from "./control-plane.ts";
import { type HttpsClient, httpsClient } from "./https-client.ts";
import { startInformer } from "./informer.ts";
import { answerJson, type Received, TestAuthority, TestServer } from "./tls-server.fake.ts";

let authority: TestAuthority;
beforeAll(async () => (authority = await TestAuthority.make()));

const opened: Disposable[] = [];
afterAll(() => {
  for (const client of opened) client[Symbol.dispose]();
});

function clientOf(server: TestServer, options: Parameters<typeof httpsClient>[1] = {}): HttpsClient {
  const client = httpsClient({ server: server.url, token: "s3cret", authority: authority.pem }, options);
  opened.push(client);
  return client;
}

const pod = (name: string, resourceVersion = "1", extra: object = {}): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", uid: `uid-${name}`, resourceVersion },
  ...extra,
});

const line = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;

/** The code that a promise is refused with, and what is said. */
async function refusal(promise: Promise<unknown>): Promise<{ code: string | undefined; message: string }> {
  try {
    await promise;
    return { code: undefined, message: "" };
  } catch (error) {
    return { code: errorCode(error), message: error instanceof Error ? error.message : "" };
  }
}

/** Everything that a watch tells until it ends. */
async function all<T>(watch: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = [];
  for await (const event of watch) seen.push(event);
  return seen;
}

const forever = new AbortController().signal;

test("verbs become the requests that Kubernetes expects", async () => {
  await using server = await TestServer.start(authority, (request) => answerJson(request, pod("a")));
  const client = clientOf(server, { name: "shallop-test", fieldValidation: "Strict" });
  const object = { ...(await client.get(pods, "default", "a")), status: { phase: "Running" } } as const;
  await client.create(pods, {
    kind: "Pod",
    apiVersion: "v1",
    metadata: { name: "a", namespace: "default" },
    spec: { containers: [] },
  });
  await client.update(pods, object);
  await client.updateStatus(pods, object);
  await client.patch(
    pods,
    { namespace: "default", name: "a", subresource: "status" },
    { type: "merge", body: { a: 1 } },
  );
  await client.patch(pods, { namespace: "default", name: "a" }, { type: "apply", body: {} });
  await client.delete(pods, { namespace: "default", name: "a", uid: "u", gracePeriodSeconds: 0 });
  const written = { fieldManager: "shallop-test", fieldValidation: "Strict" };
  const at = "/api/v1/namespaces/default/pods";
  expect(server.received.map(({ method, path, query }) => [method, path, query])).toEqual([
    ["GET", `${at}/a`, {}],
    ["POST", at, written],
    ["PUT", `${at}/a`, written],
    ["PUT", `${at}/a/status`, written],
    ["PATCH", `${at}/a/status`, written],
    ["PATCH", `${at}/a`, { ...written, force: "true" }],
    ["DELETE", `${at}/a`, {}],
  ]);
  for (const { headers } of server.received) {
    expect(headers).toMatchObject({ authorization: "Bearer s3cret", "user-agent": "shallop-test" });
  }
  expect(server.received.map(({ headers }) => headers["content-type"])).toEqual([
    undefined,
    "application/json",
    "application/json",
    "application/json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
    "application/json",
  ]);
  expect(JSON.parse(server.received[6]?.body ?? "")).toEqual({
    apiVersion: "v1",
    kind: "DeleteOptions",
    preconditions: { uid: "u" },
    gracePeriodSeconds: 0,
  });
  // All of it over one connection.
  expect(server.connections).toBe(1);
});

test("names cannot reach another path", async () => {
  await using server = await TestServer.start(authority, (request) => answerJson(request, pod("a")));
  const client = clientOf(server);
  await client.get(pods, "default", "../../secrets/x?y#z");
  expect(server.received[0]?.path).toBe("/api/v1/namespaces/default/pods/..%2F..%2Fsecrets%2Fx%3Fy%23z");
  for (const name of ["", ".", ".."]) {
    expect((await refusal(client.get(pods, "default", name))).code).toBe("BadRequest");
    expect((await refusal(client.get(pods, name, "a"))).code).toBe("BadRequest");
  }
  expect((await refusal(client.get(pods, undefined, "a"))).code).toBe("BadRequest");
  expect(server.received).toHaveLength(1);
});

test("a list is fetched page by page, at the version of the first", async () => {
  await using server = await TestServer.start(authority, (request) => {
    const page = request.query["continue"] === "next" ? 2 : 1;
    const { apiVersion: _a, kind: _k, ...bare } = pod(`p${page}`) as { apiVersion: string; kind: string };
    answerJson(request, {
      kind: "PodList",
      apiVersion: "v1",
      metadata: { resourceVersion: page === 1 ? "7" : "9", ...(page === 1 ? { continue: "next" } : {}) },
      items: [bare],
    });
  });
  const list = await clientOf(server).list(pods, { labelSelector: "a=b,c", fieldSelector: "spec.nodeName=n" });
  expect(list.resourceVersion).toBe("7");
  // Kubernetes' own lists leave out what their items are.
  expect(list.items.map(({ kind, apiVersion, metadata }) => [kind, apiVersion, metadata.name])).toEqual([
    ["Pod", "v1", "p1"],
    ["Pod", "v1", "p2"],
  ]);
  expect(server.received[1]?.query).toEqual({
    labelSelector: "a=b,c",
    fieldSelector: "spec.nodeName=n",
    limit: "500",
    continue: "next",
  });
});

const status = { kind: "Status", apiVersion: "v1", status: "Failure" };
const refusals: { name: string; http: number; body: string; code: string; says: string }[] = [
  {
    name: "a Status with a reason",
    http: 409,
    body: JSON.stringify({ ...status, reason: "AlreadyExists", message: 'pods "a" already exists', code: 409 }),
    code: "AlreadyExists",
    says: 'pods "a" already exists',
  },
  {
    name: "a Status without a reason",
    http: 409,
    body: JSON.stringify({ ...status, message: "no", code: 409 }),
    code: "Conflict",
    says: "no",
  },
  {
    name: "a Status with a reason of another server",
    http: 500,
    body: JSON.stringify({ ...status, reason: "ServerTimeout", message: "later", code: 500 }),
    code: "Timeout",
    says: "later",
  },
  { name: "text", http: 404, body: "404 page not found\n", code: "NotFound", says: "404 page not found" },
  { name: "JSON that is no Status", http: 400, body: '{"error":"x"}', code: "BadRequest", says: '{"error":"x"}' },
  { name: "a proxy's page", http: 502, body: "<html>", code: "ServiceUnavailable", says: "<html>" },
  { name: "nothing", http: 418, body: "", code: "InternalError", says: "418" },
  { name: "a redirect", http: 302, body: "", code: "InternalError", says: "302" },
];
test.each(refusals)("a refusal is an ApiFault: $name", async ({ http, body, code, says }) => {
  await using server = await TestServer.start(authority, ({ answer }) => answer.writeHead(http).end(body));
  const refused = await refusal(clientOf(server).get(nodes, undefined, "n"));
  expect(refused.code).toBe(code);
  expect(refused.message).toContain(says);
  expect(refused.message).not.toContain("s3cret");
});

test("the details of a refusal are kept", async () => {
  const details = {
    name: "a",
    kind: "pods",
    causes: [{ reason: "FieldValueInvalid", message: "no", field: "spec.x" }],
  };
  await using server = await TestServer.start(authority, (request) =>
    answerJson(
      request,
      { ...status, reason: "Invalid", message: "bad", code: 422, details: { ...details, retryAfterSeconds: 3 } },
      422,
    ),
  );
  const refused = clientOf(server).get(pods, "default", "a");
  await expect(refused).rejects.toMatchObject({ code: "Invalid", details: { ...details, retryAfterSeconds: 3 } });
});

test.each(["not json", "[]", '{"kind":"Pod"}', '{"kind":"Secret","metadata":{"name":"a","resourceVersion":"1"}}', ""])(
  "an answer that is no object of the kind is InternalError: %s",
  async (body) => {
    await using server = await TestServer.start(authority, ({ answer }) => answer.end(body));
    expect((await refusal(clientOf(server).get(pods, "default", "a"))).code).toBe("InternalError");
  },
);

test("a server that is not there, and one of another cluster, are ServiceUnavailable, with what to do", async () => {
  await using server = await TestServer.start(authority, (request) => answerJson(request, pod("a")));
  const other = await TestAuthority.make("somebody else");
  const client = httpsClient({ server: server.url, token: "s3cret", authority: other.pem });
  opened.push(client);
  const stranger = await refusal(client.get(pods, "default", "a"));
  expect(stranger.code).toBe("ServiceUnavailable");
  expect(stranger.message).toContain("credentials of another cluster");
  expect(server.received).toHaveLength(0);
  const gone = clientOf(server);
  await server[Symbol.asyncDispose]();
  expect((await refusal(gone.get(pods, "default", "a"))).code).toBe("ServiceUnavailable");
});

test("an answer that does not come in time is Timeout; a caller who gives up gets his own reason", async () => {
  await using server = await TestServer.start(authority, () => undefined);
  const clock = new FakeClock();
  const waiting = refusal(clientOf(server, { clock, timeoutMs: 5_000 }).get(pods, "default", "a"));
  while (server.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  await clock.advance(5_001);
  expect((await waiting).code).toBe("Timeout");
  const stop = new AbortController();
  const given = refusal(clientOf(server).get(pods, "default", "a", stop.signal));
  while (server.received.length === 1) await new Promise((resolve) => setTimeout(resolve, 2));
  stop.abort(new Error("I give up"));
  expect((await given).message).toBe("I give up");
  expect((await refusal(clientOf(server).get(pods, "default", "a", stop.signal))).message).toBe("I give up");
});

test("a kept connection that the server has closed meanwhile does not fail the next read", async () => {
  await using server = await TestServer.start(authority, (request) => answerJson(request, pod("a")));
  const client = clientOf(server);
  for (let round = 0; round < 5; round++) {
    await client.get(pods, "default", "a");
    server.cut();
  }
  expect((await refusal(client.get(pods, "default", "a"))).code).toBeUndefined();
});

/** A server whose watches are written by the test. */
async function watchServer(write: (request: Received) => void): Promise<TestServer> {
  return TestServer.start(authority, (request) => {
    request.answer.writeHead(200, { "content-type": "application/json" });
    write(request);
  });
}

const short = (events: readonly WatchEvent<Pod>[]): string[] =>
  events.map(({ type, object }) => `${type} ${object.metadata.name}@${object.metadata.resourceVersion}`);

test("a watch yields events however they are cut, and keeps bookmarks to itself", async () => {
  const bookmark = line("BOOKMARK", { kind: "Pod", apiVersion: "v1", metadata: { resourceVersion: "12" } });
  const text = line("ADDED", pod("ä", "5")) + "\n" + bookmark + line("DELETED", pod("b", "13"));
  await using server = await watchServer(async ({ answer }) => {
    for (const byte of Buffer.from(text)) {
      answer.write(Buffer.of(byte));
      if (byte === 0xc3) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    answer.end();
  });
  const bookmarks: string[] = [];
  const events = await all(
    clientOf(server).watch(
      pods,
      { namespace: "default", resourceVersion: "4", onBookmark: (at) => bookmarks.push(at) },
      forever,
    ),
  );
  expect(short(events)).toEqual(["ADDED ä@5", "DELETED b@13"]);
  expect(bookmarks).toEqual(["12"]);
  expect(server.received[0]?.query).toMatchObject({ watch: "true", resourceVersion: "4", allowWatchBookmarks: "true" });
  expect(Number(server.received[0]?.query["timeoutSeconds"])).toBeGreaterThanOrEqual(300);
});

test("a watch that the server cuts is ServiceUnavailable, after all that came before", async () => {
  await using server = await watchServer(({ answer }) => {
    answer.write(line("ADDED", pod("a", "5")) + '{"type":"ADD');
    setTimeout(() => answer.socket?.destroy(), 20);
  });
  const seen: WatchEvent<Pod>[] = [];
  const watch = async (): Promise<void> => {
    for await (const event of clientOf(server).watch(pods, { resourceVersion: "1" }, forever)) seen.push(event);
  };
  expect((await refusal(watch())).code).toBe("ServiceUnavailable");
  expect(short(seen)).toEqual(["ADDED a@5"]);
});

const tooOld = { ...status, message: "too old resource version: 1 (4)", reason: "Expired", code: 410 };
test("a version that is too old is Expired, as an answer and as an event", async () => {
  await using answers = await TestServer.start(authority, (request) => answerJson(request, tooOld, 410));
  const ask = (server: TestServer): Promise<unknown> =>
    all(clientOf(server).watch(pods, { resourceVersion: "1" }, forever));
  expect((await refusal(ask(answers))).code).toBe("Expired");
  await using tells = await watchServer(({ answer }) => answer.write(line("ERROR", tooOld)));
  expect((await refusal(ask(tells))).code).toBe("Expired");
});

test.each([
  ["garbage", "garbage\n"],
  ["no object", "[]\n"],
  ["an unknown type", line("EXPLODED", pod("a"))],
  ["an event without an object", '{"type":"ADDED"}\n'],
  ["another kind", line("ADDED", { kind: "Secret", metadata: { name: "a", resourceVersion: "1" } })],
])("a line of a watch that cannot be is InternalError: %s", async (_name, text) => {
  await using server = await watchServer(({ answer }) => answer.write(text));
  const refused = await refusal(all(clientOf(server).watch(pods, { resourceVersion: "1" }, forever)));
  expect(refused.code).toBe("InternalError");
});

test("a line of 100 MB is refused long before it is there", async () => {
  const chunk = Buffer.alloc(1024 * 1024, "x");
  let sentBytes = 0;
  await using server = await watchServer(({ answer }) => {
    const more = (): void => {
      while (!answer.destroyed && sentBytes < 100 * chunk.length) {
        sentBytes += chunk.length;
        if (!answer.write(chunk)) return void answer.once("drain", more);
      }
    };
    more();
  });
  const refused = await refusal(all(clientOf(server).watch(pods, { resourceVersion: "1" }, forever)));
  expect(refused.code).toBe("InternalError");
  expect(refused.message).toContain("8388608");
  expect(sentBytes).toBeLessThan(30 * chunk.length);
});

test("a watch ends quietly when it is aborted, and its connection with it", async () => {
  const closed = Promise.withResolvers<void>();
  await using server = await watchServer(({ answer }) => {
    answer.write(line("ADDED", pod("a")));
    answer.once("close", closed.resolve);
  });
  const stop = new AbortController();
  const seen: unknown[] = [];
  for await (const event of clientOf(server).watch(pods, { resourceVersion: "1" }, stop.signal)) {
    seen.push(event);
    setTimeout(() => stop.abort(), 5);
  }
  expect(seen).toHaveLength(1);
  await closed.promise;
  expect(await all(clientOf(server).watch(pods, { resourceVersion: "1" }, stop.signal))).toEqual([]);
});

test("a watch that is left early closes its connection", async () => {
  const closed = Promise.withResolvers<void>();
  await using server = await watchServer(({ answer }) => {
    answer.write(line("ADDED", pod("a")));
    answer.once("close", closed.resolve);
  });
  for await (const _event of clientOf(server).watch(pods, { resourceVersion: "1" }, forever)) break;
  await closed.promise;
});

test("a watch outlives every deadline while the server sends something, and ends when it falls silent", async () => {
  const clock = new FakeClock();
  let answer: Received["answer"] | undefined;
  await using server = await watchServer((request) => {
    answer = request.answer;
    answer.write(line("ADDED", pod("a", "1")));
  });
  const seen: WatchEvent<Pod>[] = [];
  const watching = (async () => {
    for await (const event of clientOf(server, { clock, timeoutMs: 1_000 }).watch(
      pods,
      { resourceVersion: "1" },
      forever,
    )) {
      seen.push(event);
    }
  })();
  const until = async (count: number): Promise<void> => {
    while (seen.length < count) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  await until(1);
  await clock.advance(120_000);
  answer?.write(line("ADDED", pod("b", "2")));
  await until(2);
  await clock.advance(120_000);
  answer?.write(line("ADDED", pod("c", "3")));
  await until(3);
  await clock.advance(181_000);
  await watching;
  expect(seen).toHaveLength(3);
});

test("an informer over HTTPS survives cuts, garbage and 410", async () => {
  const stop = new AbortController();
  let version = 1;
  const have = new Map([["a", "1"]]);
  const open = new Set<Received["answer"]>();
  await using server = await TestServer.start(authority, (request) => {
    if (request.query["watch"] !== "true") {
      const items = [...have].map(([name, resourceVersion]) => pod(name, resourceVersion));
      return answerJson(request, { kind: "PodList", metadata: { resourceVersion: String(version) }, items });
    }
    if (Number(request.query["resourceVersion"]) < version) return answerJson(request, tooOld, 410);
    request.answer.writeHead(200).write("\n");
    open.add(request.answer);
  });
  const hasty = { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 50, signal) };
  const informer = startInformer(clientOf(server), pods, {}, { signal: stop.signal, clock: hasty });
  await informer.synced;
  const harms = [
    (): void => server.cut(),
    (): void => open.forEach((answer) => answer.write("garbage\n")),
    (): void => open.forEach((answer) => answer.end()),
    (): void => open.forEach((answer) => answer.end(line("ERROR", tooOld))),
  ];
  for (const [index, harm] of harms.entries()) {
    while (open.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    version += 1;
    have.set(`pod-${index}`, String(version));
    harm();
    open.clear();
    while (informer.get("default", `pod-${index}`) === undefined)
      await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(informer.items()).toHaveLength(5);
  stop.abort(new Error("done"));
  await informer.stopped;
});

test("the private endpoints: load, explanation, logs", async () => {
  const explanation = {
    namespace: "default",
    service: "hello",
    revisions: [{ revision: "hello-00001", decisions: [], placements: [], variants: [] }],
  };
  await using server = await TestServer.start(authority, (request) => {
    const { path, answer } = request;
    if (path === "/shallop/v1/load") answer.writeHead(204).end();
    else if (path.endsWith("/explain")) answerJson(request, explanation);
    else {
      const text = Buffer.from("grüße\nline 2\n");
      answer.write(text.subarray(0, 3));
      setTimeout(() => answer.end(text.subarray(3)), 5);
    }
  });
  const client = clientOf(server);
  const report = { gateway: "g", revisions: [] };
  await postLoadReport(client, report);
  expect(JSON.parse(server.received[0]?.body ?? "")).toEqual(report);
  expect(await explainService(client, { namespace: "default", name: "hello" })).toEqual(explanation);
  const log = await all(serviceLogs(client, { namespace: "default", name: "hello" }, { follow: true, tailLines: 10 }));
  expect(log.join("")).toBe("grüße\nline 2\n");
  await all(podLogs(client, { namespace: "default", name: "p" }, { container: "user-container" }));
  expect(server.received.slice(1).map(({ path, query }) => [path, query])).toEqual([
    ["/shallop/v1/namespaces/default/services/hello/explain", {}],
    ["/shallop/v1/namespaces/default/services/hello/logs", { follow: "true", tailLines: "10" }],
    ["/api/v1/namespaces/default/pods/p/log", { container: "user-container" }],
  ]);
});

test("the serving group has its own root", async () => {
  await using server = await TestServer.start(authority, (request) =>
    answerJson(request, { metadata: { resourceVersion: "1" }, items: [] }),
  );
  await clientOf(server).list(services, { namespace: "team" });
  await clientOf(server).list(services);
  expect(server.received.map(({ path }) => path)).toEqual([
    "/apis/serving.knative.dev/v1/namespaces/team/services",
    "/apis/serving.knative.dev/v1/services",
  ]);
});
