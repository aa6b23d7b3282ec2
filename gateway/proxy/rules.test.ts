import { describe, expect, test } from "vitest";
import { faultResponse, faultRules, type GatewayFaultCode } from "./fault-status.ts";
import { addForwarded, clientAddress, readClientHeaders } from "./request-head.ts";
import { readRequestTarget } from "./request-target.ts";
import { readAnswerHead } from "./response-head.ts";
import { type FailedAttempt, mayRetry, RetryBudget } from "./retry.ts";
import { formatServerTiming } from "./server-timing.ts";

describe("mayRetry", () => {
  const attempt: FailedAttempt = {
    code: "CONNECT_FAILED",
    losses: 1,
    podsLost: 1,
    answered: false,
    idempotent: true,
    replayable: true,
    isKnown: false,
  };
  const cases: { name: string; change: Partial<FailedAttempt>; retried: boolean }[] = [
    { name: "nothing was sent", change: {}, retried: true },
    {
      name: "nothing was sent, for the hundredth time",
      change: { losses: 100, idempotent: false },
      retried: true,
    },
    {
      name: "nothing was sent now, but what was sent before cannot be again",
      change: { replayable: false },
      retried: false,
    },
    { name: "refused", change: { code: "REFUSED", idempotent: false }, retried: true },
    { name: "refused, body gone", change: { code: "REFUSED", replayable: false }, retried: false },
    { name: "refused by four", change: { code: "REFUSED", losses: 4 }, retried: false },
    { name: "lost", change: { code: "CONNECTION_LOST" }, retried: true },
    { name: "lost a POST", change: { code: "CONNECTION_LOST", idempotent: false }, retried: false },
    {
      name: "lost a PUT whose body is too long to be kept",
      change: { code: "CONNECTION_LOST", replayable: false },
      retried: false,
    },
    { name: "lost after the answer began", change: { code: "CONNECTION_LOST", answered: true }, retried: false },
    { name: "lost four times", change: { code: "CONNECTION_LOST", losses: 4 }, retried: false },
    { name: "a second pod lost with it", change: { code: "CONNECTION_LOST", losses: 2, podsLost: 2 }, retried: false },
    {
      name: "lost with a pod that was known to be lost, after one that was not",
      change: { code: "CONNECTION_LOST", losses: 2, isKnown: true },
      retried: true,
    },
    { name: "guest failed", change: { code: "GUEST_FAILED" }, retried: false },
    { name: "too slow", change: { code: "ANSWER_TIMEOUT" }, retried: false },
    { name: "nonsense", change: { code: "PROTOCOL" }, retried: false },
  ];
  test.each(cases)("$name: $retried", ({ change, retried }) => {
    expect(mayRetry({ ...attempt, ...change }, new RetryBudget())).toBe(retried);
  });

  test("of the requests that one pod takes along only the first is counted", () => {
    const budget = new RetryBudget();
    const lost: FailedAttempt = { ...attempt, code: "CONNECTION_LOST" };
    const retried = Array.from({ length: 500 }, (_none, index) => mayRetry({ ...lost, isKnown: index > 0 }, budget));
    expect(retried.every(Boolean)).toBe(true);
    expect(mayRetry({ ...lost, idempotent: false, isKnown: true }, budget)).toBe(false);
    expect(mayRetry({ ...lost, losses: 4, isKnown: true }, budget)).toBe(false);
  });

  test("lost requests are a fifth of all at most, once the small change is spent", () => {
    const budget = new RetryBudget();
    let retried = 0;
    for (let request = 0; request < 1000; request++) {
      budget.earn();
      if (mayRetry({ ...attempt, code: "CONNECTION_LOST" }, budget)) retried++;
    }
    expect(retried).toBeGreaterThanOrEqual(200);
    expect(retried).toBeLessThanOrEqual(211);
  });
});

describe("the fault table", () => {
  const expected: Partial<Record<GatewayFaultCode, number>> = {
    BAD_REQUEST: 400,
    HOST_UNKNOWN: 404,
    REQUEST_TIMEOUT: 408,
    BODY_TOO_LARGE: 413,
    HEADERS_TOO_LARGE: 431,
    GUEST_FAILED: 502,
    CONNECTION_LOST: 502,
    NO_CAPACITY: 503,
    START_FAILED: 503,
    QUEUE_FULL: 503,
    START_TIMEOUT: 503,
    QUEUE_TIMEOUT: 503,
    GUEST_TIMEOUT: 504,
    ANSWER_TIMEOUT: 504,
    GUEST_MEMORY: 507,
  };
  test.each(Object.entries(expected))("%s is %i", (code, status) => {
    expect(faultRules[code as GatewayFaultCode].status).toBe(status);
  });

  test("each 503 says when to come again; each body has one sentence and the id", () => {
    for (const [code, rule] of Object.entries(faultRules)) {
      expect(rule.retryAfterSeconds !== undefined, code).toBe(rule.status === 503);
      const { body, headers } = faultResponse(code as GatewayFaultCode, "the-id");
      expect(body).toBe(`${code}: ${rule.text}\nrequest id: the-id\n`);
      expect(headers).toContain(String(Buffer.byteLength(body)));
    }
  });
});

describe("readClientHeaders", () => {
  const read = (...raw: string[]): readonly string[] => readClientHeaders(raw, 100).headers;

  test("keeps order, repetition and case of values", () => {
    expect(read("Accept", "A", "X-B", "1", "X-B", "2", "Cookie", "c=d")).toEqual([
      "accept",
      "A",
      "x-b",
      "1",
      "x-b",
      "2",
      "cookie",
      "c=d",
    ]);
  });

  test("what Connection names is of this hop only, but never the length", () => {
    expect(
      read("Connection", "close, X-A", "Connection", "content-length", "X-A", "1", "Content-Length", "3", "X-B", "2"),
    ).toEqual(["content-length", "3", "x-b", "2"]);
  });

  test.each([
    ["two Hosts", ["host", "a", "host", "a"], "BAD_REQUEST"],
    ["two lengths", ["content-length", "1", "content-length", "1"], "BAD_REQUEST"],
    ["a length with a plus", ["content-length", "+1"], "BAD_REQUEST"],
    ["both lengths", ["content-length", "1", "transfer-encoding", "chunked"], "BAD_REQUEST"],
    ["another coding", ["transfer-encoding", "gzip"], "NOT_SUPPORTED"],
    ["too many", Array.from({ length: 202 }, () => "a"), "HEADERS_TOO_LARGE"],
  ])("%s", (_name, raw, code) => {
    expect(() => readClientHeaders(raw, 100)).toThrow(expect.objectContaining({ code }));
  });
});

test.each([
  ["1.2.3.4", "1.2.3.4", "for=1.2.3.4"],
  ["::ffff:1.2.3.4", "1.2.3.4", "for=1.2.3.4"],
  ["fd00::1", "fd00::1", 'for="[fd00::1]"'],
  [undefined, "unknown", "for=unknown"],
])("clientAddress(%s)", (remote, address, forwardedFor) => {
  expect(clientAddress(remote)).toEqual({ address, forwardedFor });
});

test("addForwarded says who asked for what", () => {
  const headers: string[] = [];
  addForwarded(headers, clientAddress("fd00::1"), { authority: "a.b:80", requestId: "i", scheme: "http" });
  expect(headers.join(" ")).toBe(
    'x-forwarded-for fd00::1 x-forwarded-proto http x-forwarded-host a.b:80 forwarded for="[fd00::1]";host="a.b:80";proto=http x-request-id i',
  );
});

describe("readRequestTarget", () => {
  const targets: { method?: string; url: string; host?: string; gives: string | undefined }[] = [
    { url: "/", host: "a.b", gives: "a.b /" },
    { url: "/a/../b//c?d=%00", host: "a.b:1", gives: "a.b /a/../b//c?d=%00" },
    { url: "http://A.b/x", host: "a.b", gives: "a.b /x" },
    { url: "HTTP://a.b?x", host: "a.b", gives: "a.b /?x" },
    { url: "http://a.b", host: "a.b", gives: "a.b /" },
    { url: "http://c.d/", host: "a.b", gives: undefined },
    { url: "http://a.b@c.d/", host: "a.b", gives: undefined },
    { url: "http://c.d#@a.b/", host: "a.b", gives: undefined },
    { url: "https://a.b/", host: "a.b", gives: undefined },
    { url: "//a.b/x", host: "a.b", gives: "a.b //a.b/x" },
    { url: "*", host: "a.b", gives: undefined },
    { method: "OPTIONS", url: "*", host: "A.b", gives: "a.b *" },
    { method: "OPTIONS", url: "http://a.b", host: "a.b", gives: "a.b *" },
    { method: "OPTIONS", url: "http://a.b/", host: "a.b", gives: "a.b /" },
    { method: "OPTIONS", url: "http://a.b?x", host: "a.b", gives: "a.b /?x" },
    { method: "OPTIONS", url: "http://c.d", host: "a.b", gives: undefined },
    { method: "OPTIONS", url: "**", host: "a.b", gives: undefined },
    { method: "OPTIONS", url: "*", gives: undefined },
    { url: "", host: "a.b", gives: undefined },
    { url: "a", host: "a.b", gives: undefined },
    { url: "/a b", host: "a.b", gives: undefined },
    { url: "/\u00e9", host: "a.b", gives: undefined },
    { url: "/", gives: undefined },
  ];
  test.each(targets)("$method $url of $host", ({ method = "GET", url, host, gives }) => {
    if (gives === undefined) {
      expect(() => readRequestTarget({ method, url }, host)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
    } else {
      const read = readRequestTarget({ method, url }, host);
      expect(`${read.host} ${read.target}`).toBe(gives);
      expect(read.authority).toBe(host);
    }
  });
});

describe("readAnswerHead", () => {
  test("lines for the gateway are no part of the body's length, and bring the status of an answer without a body", () => {
    const said = (value: string, ...more: string[]) =>
      readAnswerHead(200, ["x-shallop-websocket-said", value, ...more], "GET");
    expect(said("5")).toEqual({ status: 200, headers: [], contentLength: undefined, hasBody: true, prefixBytes: 5 });
    expect(said("5", "content-length", "7")).toMatchObject({ headers: ["content-length", "2"], contentLength: 2 });
    expect(said("5 204", "content-length", "5")).toMatchObject({ status: 204, headers: [], hasBody: false });
    expect(said("5 304", "content-length", "5")).toMatchObject({ status: 304, headers: [], hasBody: false });
    for (const [value, ...more] of [
      ["-1"],
      ["1e9"],
      ["9999999999"],
      ["5 200"],
      ["5 500"],
      [""],
      ["6", "content-length", "5"],
    ] as const)
      expect(() => said(value, ...more)).toThrow("the guest");
  });

  test("a length goes with a body only, and one that is said twice alike is said once", () => {
    expect(readAnswerHead(200, ["Content-Length", "5", "content-length", "5"], "GET")).toEqual({
      status: 200,
      headers: ["content-length", "5"],
      contentLength: 5,
      hasBody: true,
      prefixBytes: 0,
    });
    expect(readAnswerHead(200, ["content-length", "5"], "HEAD")).toMatchObject({
      headers: ["content-length", "5"],
      contentLength: undefined,
      hasBody: false,
    });
    expect(readAnswerHead(204, ["content-length", "5", "x", "y"], "GET")).toMatchObject({
      headers: ["x", "y"],
      hasBody: false,
    });
    expect(readAnswerHead(304, ["content-length", "5"], "GET")).toMatchObject({
      headers: ["content-length", "5"],
      hasBody: false,
    });
  });

  test("hop-by-hop headers are left out, those that Connection names too", () => {
    const raw = [
      "Connection",
      "x-a",
      "X-A",
      "1",
      "Transfer-Encoding",
      "chunked",
      "Upgrade",
      "h2",
      "X-B",
      "2",
      "x-request-id",
      "theirs",
    ];
    expect(readAnswerHead(200, raw, "GET").headers).toEqual(["x-b", "2"]);
  });
});

test.each([
  [{ queue: 1.23456, handle: 0 }, "queue;dur=1.235, handle;dur=0"],
  [{ queue: 1, activate: undefined, bad: Number.NaN, worse: -1 }, "queue;dur=1"],
  [{ 'a";b': 1, "x\r\ny": 2, ok: 3 }, "ok;dur=3"],
  [
    Object.fromEntries(Array.from({ length: 50 }, (_none, index) => ["a".repeat(index + 1), 1])),
    /^(a+;dur=1, ){9}a+;dur=1$/,
  ],
  [{}, ""],
])("formatServerTiming %#", (phases, text) => {
  expect(formatServerTiming(phases)).toEqual(text instanceof RegExp ? expect.stringMatching(text) : text);
});
