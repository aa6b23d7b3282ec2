import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { behavioursScript } from "../support/behaviours.ts";
import { eventually, Platform } from "../support/platform.ts";
import { exchangeRaw, type RawExchange, type RawOptions } from "../support/raw-http.ts";
import { Workshop } from "../support/workshop.ts";
import { besideBystander, deployBystander } from "./bystander.ts";

// Clients that break the rules of HTTP, or their word: each gets a status, a code and the request's id, as far as it can be
// answered at all, and nobody else notices.

let platform: Platform;
let workshop: Workshop;

beforeAll(async () => {
  workshop = await Workshop.open();
  platform = await Platform.start();
  await deployBystander(platform, workshop);
  const image = await workshop.publish(platform, "target", { script: behavioursScript });
  await platform.run("deploy", "target", "--image", image, "--timeout", "3s", "--memory", "128Mi", "--min-scale", "1");
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  await workshop?.[Symbol.asyncDispose]();
});

const host = "target.default.localhost";

const raw = (options: Omit<RawOptions, "port">): Promise<RawExchange> =>
  besideBystander(platform, () => exchangeRaw({ port: platform.ports.gateway, ...options }));

const head = (line: string, ...headers: readonly string[]): string =>
  [line, `host: ${host}`, ...headers, "", ""].join("\r\n");

function expectFault({ text, status }: RawExchange, expected: number, code: string): void {
  expect(text).toMatch(new RegExp(`\\r\\n\\r\\n${code}: [A-Z].*\\.\\nrequest id: \\S+\\n`));
  expect(status).toBe(expected);
}

async function expectTargetWorks(): Promise<void> {
  const answer = await platform.ask("target.default", "/hello");
  expect(answer).toMatchObject({ status: 200, body: "hello\n" });
}

test("a header of 64 KiB: 431", async () => {
  expectFault(
    await raw({ pieces: [head("GET / HTTP/1.1", `x-large: ${"a".repeat(64 * 1024)}`)] }),
    431,
    "HEADERS_TOO_LARGE",
  );
});

test("a thousand headers: 431", async () => {
  const headers = Array.from({ length: 1_000 }, (_, index) => `x-${index}: a`);
  expectFault(await raw({ pieces: [head("GET / HTTP/1.1", ...headers)] }), 431, "HEADERS_TOO_LARGE");
});

test.each([
  ["two lengths", ["content-length: 3", "content-length: 4"]],
  ["a length and chunks", ["content-length: 3", "transfer-encoding: chunked"]],
  ["a length that is no number", ["content-length: three"]],
  ["a second host", ["host: other.default.localhost"]],
])("%s: 400", async (_what, headers) => {
  expectFault(await raw({ pieces: [head("POST /length HTTP/1.1", ...headers), "abc"] }), 400, "BAD_REQUEST");
});

test("more body than its length: the rest is no request", async () => {
  const { text } = await raw({
    pieces: [head("POST /length HTTP/1.1", "content-length: 3"), "abc and more\r\n\r\n"],
  });
  // The rest may arrive before the function has answered: then the whole connection is refused. One that is late is told so.
  const first = String.raw`(?:200 [^]*\r\n\r\n3|504 [^]*_TIMEOUT: [^]*)HTTP/1\.1 `;
  expect(text).toMatch(new RegExp(String.raw`^HTTP/1\.1 (?:${first})?400 [^]*BAD_REQUEST: `));
});

test("less body than its length, and then nothing: the time limit of the function holds", async () => {
  const exchange = await raw({
    pieces: [head("POST /length HTTP/1.1", "content-length: 1000"), "abc"],
    timeoutMs: 10_000,
  });
  expect([408, 504]).toContain(exchange.status);
});

test("less body than its length, and the client goes: the guest is cancelled, and the next one answered", async () => {
  await raw({
    pieces: [head("POST /length HTTP/1.1", "content-length: 1000"), "abc"],
    leaveAfterMs: 200,
    timeoutMs: 600,
  });
  await expectTargetWorks();
});

test("a length beyond what is taken: 413 before the body", async () => {
  const exchange = await raw({ pieces: [head("POST /length HTTP/1.1", `content-length: ${2 * 1024 ** 3}`)] });
  expectFault(exchange, 413, "BODY_TOO_LARGE");
});

const chunk = `10000\r\n${"z".repeat(0x1_0000)}\r\n`;
function* endlessly(first: string): Generator<string> {
  yield first;
  for (;;) yield chunk;
}

test("an endless body to a function that keeps it: ended by the memory or the time of the function", async () => {
  const exchange = await raw({
    pieces: endlessly(head("POST /length HTTP/1.1", "transfer-encoding: chunked")),
    timeoutMs: 15_000,
  });
  expect([413, 504, 507]).toContain(exchange.status);
  expect(exchange.closed).toBe(true);
  await expectTargetWorks();
});

test("an endless body to a function that does not read it: answered, and the connection closed", async () => {
  const exchange = await raw({
    pieces: endlessly(head("POST /hello HTTP/1.1", "transfer-encoding: chunked")),
    timeoutMs: 10_000,
  });
  expect(exchange.status).toBe(200);
  expect(exchange.closed).toBe(true);
  // What nobody reads is not taken either.
  expect(exchange.bytesSent).toBeLessThan(32 * 1024 * 1024);
});

test("a chunk that is none: 400 or an end, and the function is told", async () => {
  const { status, closed } = await raw({
    pieces: [head("POST /length HTTP/1.1", "transfer-encoding: chunked"), "zz\r\nno chunk\r\n"],
  });
  expect([0, 400]).toContain(status);
  expect(closed).toBe(true);
  await expectTargetWorks();
});

test("a client that leaves while it is answered", async () => {
  const beats = async (): Promise<number> =>
    ((await platform.run("logs", "target", "--tail", "1000")).match(/beat gone /g) ?? []).length;
  await raw({ pieces: [head("GET /beat?name=gone HTTP/1.1")], leaveAfterMs: 500, timeoutMs: 1_000 });
  // A function whose client has gone is cancelled: its heart stops, long before the time limit.
  const before = await eventually("its heart stops", async () => {
    const now = await beats();
    await new Promise((resolve) => setTimeout(resolve, 300));
    return now > 0 && now === (await beats()) ? now : undefined;
  });
  expect(before).toBeLessThan(30);
  await expectTargetWorks();
});

test("something that is not HTTP: 400", async () => {
  const { status } = await raw({ pieces: ["\u0016\u0003\u0001 this is TLS, or nothing\r\n\r\n"] });
  expect(status).toBe(400);
});

test("a host that nobody has: 404", async () => {
  const answer = await platform.ask("nobody.default");
  expect(answer.status).toBe(404);
  expect(answer.body).toMatch(/^HOST_UNKNOWN: No service has this host name\.\nrequest id: /);
});

test("a thousand clients that connect and say nothing take nothing from anybody", async () => {
  const silent = besideBystander(platform, () =>
    Promise.all(
      Array.from({ length: 1_000 }, () =>
        exchangeRaw({ port: platform.ports.gateway, pieces: ["GET / HT"], timeoutMs: 1_500 }),
      ),
    ),
  );
  await expectTargetWorks();
  await silent;
});
