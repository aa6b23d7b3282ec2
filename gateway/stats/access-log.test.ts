import { request } from "node:http";
import { Writable } from "node:stream";
import { silentLog, systemClock as clock } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { call, failing, silent, start, until } from "../client.fake.ts";
import { saying } from "../gateway.fake.ts";
import { secretOf } from "../filter/filters.fixture.ts";
import { toService, trafficPolicy } from "../route/routing.fixture.ts";
import { accessLine } from "./access-line.ts";
import { AccessLog } from "./access-log.ts";
import { RequestRecord } from "./request-record.ts";

/** Takes lines, or is stuck. */
class Paper extends Writable {
  text = "";
  stuck = false;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.stuck) return;
    this.text += chunk.toString();
    done();
  }
}

function recordOf(more: Partial<RequestRecord> = {}): RequestRecord {
  const origin = { id: "r-1", method: "GET", scheme: "http", protocol: "1.1", client: "::1" } as const;
  const record = new RequestRecord({ ...origin, startMs: 100, startWallMs: Date.UTC(2026, 0, 2, 3, 4, 5) });
  return Object.assign(record, { target: "/a?b=c", authority: "h", status: 200, bytesSent: 6, endMs: 102.5 }, more);
}

test("the common and the combined form are as everybody's tools read them", () => {
  expect(accessLine(recordOf(), "common")).toBe('::1 - - [02/Jan/2026:03:04:05 +0000] "GET /a?b=c HTTP/1.1" 200 6\n');
  const headers = ["referer", "http://x/", "user-agent", "curl/8"];
  expect(accessLine(recordOf({ headers }), "combined")).toMatch(/" 200 6 "http:\/\/x\/" "curl\/8"\n$/);
  expect(accessLine(recordOf({ status: 0, target: "" }), "common")).toMatch(/"GET - HTTP\/1.1" 499 6\n$/);
  expect(accessLine(recordOf({ user: "ann" }), "common")).toMatch(/^::1 - ann \[/);
  expect(accessLine(recordOf({ user: 'a b"c' }), "common")).toMatch(/^::1 - a\\x20b\\x22c \[/);
  expect(accessLine(recordOf({ user: "" }), "combined")).toMatch(/^::1 - "" \[/);
  expect(accessLine(recordOf({ status: 304, bytesSent: 0 }), "common")).toMatch(/ 304 -\n$/);
  const origin = { ...recordOf().origin, protocol: "2" };
  expect(accessLine(recordOf({ origin }), "common")).toContain('"GET /a?b=c HTTP/2.0"');
});

test.each(["common", "combined", "json"] as const)("what a client sends stays within its field: %s", (form) => {
  const evil = '" 200 0\r\n127.0.0.1 - - "forged\u001b[31m\u009b\u2028\\';
  const record = recordOf({ target: `/${evil}`, authority: evil, headers: ["user-agent", evil, "referer", evil] });
  const line = accessLine(record, form);
  expect(line.match(/\n/g)).toHaveLength(1);
  // oxlint-disable-next-line no-control-regex -- they are what must not be there
  expect(line).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028]/);
  if (form === "json") expect(JSON.parse(line)).toMatchObject({ user_agent: evil, referer: evil, target: `/${evil}` });
  else expect(line.match(/(?<!\\)"/g)).toHaveLength(form === "common" ? 2 : 6);
});

test("every request has its line: answered, failed, unknown, and left by its client", async () => {
  const paper = new Paper();
  const log = new AccessLog("json", { output: paper, log: silentLog, clock });
  const cluster = await start({}, { watchers: [log] });
  const { handler, streams } = silent();
  await cluster.wireService("hello", saying("hello\n"));
  await cluster.wireService("broken", failing("GUEST_MEMORY"));
  await cluster.wireService("slow", handler);
  const answer = await call(cluster, "hello", {
    method: "POST",
    path: "/p",
    body: "abc",
    headers: { "user-agent": "t" },
  });
  await call(cluster, "broken");
  await call(cluster, "nobody");
  const leaving = request({ port: cluster.port, headers: { host: "slow.default.localhost" } });
  leaving.on("error", () => undefined).end();
  await until(() => streams.length > 0);
  leaving.destroy();
  await until(() => paper.text.split("\n").length > 4);
  const [first, ...more] = paper.text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(first).toMatchObject({
    ...{ method: "POST", target: "/p", status: 200, bytes_received: 3, bytes_sent: 6, user_agent: "t" },
    ...{
      request_id: answer.headers["x-request-id"],
      namespace: "default",
      revision: "hello-00001",
      client: "127.0.0.1",
    },
    ...{ pod: "hello-00001-a", node: "n1", protocol: "HTTP/1.1", scheme: "http" },
  });
  expect(first.duration_ms).toBeGreaterThan(0);
  expect(more.map(({ status, code }) => [status, code]).slice(0, 2)).toEqual([
    [507, "GUEST_MEMORY"],
    [404, "HOST_UNKNOWN"],
  ]);
  expect(more[2]).toMatchObject({ status: 499, code: "CANCELLED", revision: "slow-00001", bytes_sent: 0 });
});

test("whom a rule has asked for his password is named, and nobody else", async () => {
  const paper = new Paper();
  const log = new AccessLog("common", { output: paper, log: silentLog, clock });
  const cluster = await start({}, { watchers: [log] });
  await cluster.wireService("web", saying("hi"));
  const basicAuth = { secrets: [{ name: "users" }] };
  cluster.gateway.cluster.set("trafficPolicies", trafficPolicy("p", { basicAuth }, toService("web")));
  const user = { username: "ann", password: "pass" };
  cluster.gateway.cluster.set("secrets", secretOf("users", "kubernetes.io/basic-auth", user));
  for (const text of ["ann:pass", "bob:pass"]) {
    const authorization = `Basic ${Buffer.from(text).toString("base64")}`;
    await call(cluster, "web", { headers: { authorization } });
  }
  await until(() => paper.text.split("\n").length > 2);
  expect(paper.text).toMatch(/^127\.0\.0\.1 - ann \[.* 200 2\n127\.0\.0\.1 - - \[.* 401 [0-9]+\n$/);
});

test("an output that is stuck costs lines, and no memory without end", async () => {
  const paper = new Paper();
  paper.stuck = true;
  const log = new AccessLog("common", { output: paper, log: silentLog, clock });
  const record = recordOf({ target: `/${"x".repeat(2_000)}` });
  for (let index = 0; index < 10_000; index++) log.ended(record);
  expect(paper.writableLength).toBeLessThan(5 * 1024 * 1024);
});
