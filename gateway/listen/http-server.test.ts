import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { silent, start, until } from "../client.fake.ts";
import { accessLine } from "../stats/access-line.ts";
import type { RequestRecord } from "../stats/request-record.ts";
import { reflecting, saying } from "../gateway.fake.ts";

const host = "host: hello.default.localhost\r\n";

test("who watches requests hears of what was none, and of what has not come in time", async () => {
  const records: RequestRecord[] = [];
  const watchers = [{ ended: (record: RequestRecord) => void records.push(record) }];
  const cluster = await start({ headerTimeoutMs: 60, headerCheckMs: 10 }, { watchers });
  const text = await cluster.connect().send("GET / HTTP/1.1\n\n").ended();
  await cluster.connect().send("GET / HTT").ended();
  expect(records.map(({ code, status, origin }) => [code, status, origin.client])).toEqual([
    ["BAD_REQUEST", 400, "127.0.0.1"],
    ["REQUEST_TIMEOUT", 408, "127.0.0.1"],
  ]);
  expect(text).toContain(records[0]?.origin.id);
  expect(accessLine(records[0]!, "common")).toMatch(/ "- - HTTP\/1\.1" 400 \d+\n$/);
});

describe("what is not clear is refused, with the request's id, and the connection is closed", () => {
  const payloads: { name: string; bytes: string; status: number }[] = [
    {
      name: "CL.TE",
      bytes: `POST / HTTP/1.1\r\n${host}content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nG`,
      status: 400,
    },
    {
      name: "TE.CL",
      bytes: `POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n1\r\nZ\r\n0\r\n\r\n`,
      status: 400,
    },
    {
      name: "TE.TE",
      bytes: `POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\ntransfer-encoding: cow\r\n\r\n0\r\n\r\n`,
      status: 400,
    },
    {
      name: "TE with a tab and a word",
      bytes: `POST / HTTP/1.1\r\n${host}transfer-encoding:\tchunked, identity\r\n\r\n0\r\n\r\n`,
      status: 400,
    },
    {
      name: "a coding that is not taken",
      bytes: `POST / HTTP/1.1\r\n${host}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      status: 501,
    },
    {
      name: "chunked twice",
      bytes: `POST / HTTP/1.1\r\n${host}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n`,
      status: 400,
    },
    {
      name: "two lengths",
      bytes: `POST / HTTP/1.1\r\n${host}content-length: 1\r\ncontent-length: 2\r\n\r\nab`,
      status: 400,
    },
    { name: "two lengths in one", bytes: `POST / HTTP/1.1\r\n${host}content-length: 1, 1\r\n\r\na`, status: 400 },
    { name: "a signed length", bytes: `POST / HTTP/1.1\r\n${host}content-length: +1\r\n\r\na`, status: 400 },
    { name: "a length in hex", bytes: `POST / HTTP/1.1\r\n${host}content-length: 0x1\r\n\r\na`, status: 400 },
    { name: "a negative length", bytes: `POST / HTTP/1.1\r\n${host}content-length: -1\r\n\r\n`, status: 400 },
    { name: "obs-fold", bytes: `GET / HTTP/1.1\r\n${host}x: a\r\n b\r\n\r\n`, status: 400 },
    { name: "a space before the colon", bytes: `GET / HTTP/1.1\r\n${host}x : a\r\n\r\n`, status: 400 },
    { name: "a bare CR", bytes: `GET / HTTP/1.1\r\n${host}x: a\rb: c\r\n\r\n`, status: 400 },
    { name: "a bare LF", bytes: `GET / HTTP/1.1\n${host}\n`, status: 400 },
    { name: "a zero byte", bytes: `GET / HTTP/1.1\r\n${host}x: a\0b\r\n\r\n`, status: 400 },
    { name: "no Host", bytes: "GET / HTTP/1.1\r\n\r\n", status: 400 },
    { name: "two Hosts", bytes: `GET / HTTP/1.1\r\n${host}${host}\r\n`, status: 400 },
    { name: "a Host with a user", bytes: "GET / HTTP/1.1\r\nhost: a@hello.default.localhost\r\n\r\n", status: 400 },
    { name: "a Host with a path", bytes: "GET / HTTP/1.1\r\nhost: hello.default.localhost/x\r\n\r\n", status: 400 },
    { name: "an empty Host", bytes: "GET / HTTP/1.1\r\nhost:\r\n\r\n", status: 400 },
    {
      name: "another host in the target",
      bytes: `GET http://other.default.localhost/ HTTP/1.1\r\n${host}\r\n`,
      status: 400,
    },
    { name: "a target with a fragment", bytes: `GET /a#b HTTP/1.1\r\n${host}\r\n`, status: 400 },
    { name: "a target that is no path", bytes: `GET * HTTP/1.1\r\n${host}\r\n`, status: 400 },
    { name: "bytes above ASCII in the target", bytes: `GET /\xe9 HTTP/1.1\r\n${host}\r\n`, status: 400 },
    {
      name: "chunked in HTTP/1.0",
      bytes: `POST / HTTP/1.0\r\n${host}transfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      status: 400,
    },
    { name: "HTTP/3.0", bytes: `GET / HTTP/3.0\r\n${host}\r\n`, status: 400 },
    { name: "no HTTP", bytes: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n", status: 400 },
    { name: "64 KiB in one header", bytes: `GET / HTTP/1.1\r\n${host}x: ${"a".repeat(65_536)}\r\n\r\n`, status: 431 },
    { name: "64 KiB of target", bytes: `GET /${"a".repeat(65_536)} HTTP/1.1\r\n${host}\r\n`, status: 431 },
    { name: "101 headers", bytes: `GET / HTTP/1.1\r\n${host}${"x: a\r\n".repeat(100)}\r\n`, status: 431 },
    { name: "CONNECT", bytes: `CONNECT hello.default.localhost:443 HTTP/1.1\r\n${host}\r\n`, status: 501 },
    { name: "TRACE", bytes: `TRACE / HTTP/1.1\r\n${host}\r\n`, status: 501 },
    {
      name: "another expectation",
      bytes: `POST / HTTP/1.1\r\n${host}expect: cake\r\ncontent-length: 1\r\n\r\na`,
      status: 417,
    },
    {
      name: "a body above the limit",
      bytes: `POST / HTTP/1.1\r\n${host}content-length: 2000000000000\r\n\r\na`,
      status: 413,
    },
  ];
  test.each(payloads)("$name", async ({ bytes, status }) => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", saying("hello"));
    const client = cluster.connect().send(bytes);
    const answer = await client.until(/request id: [0-9a-f-]{36}\n/);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toMatch(/x-request-id: [0-9a-f-]{36}\r\n/);
    expect(pod.seen).toEqual([]);
    client.send("GET /smuggled HTTP/1.1\r\nhost: hello.default.localhost\r\n\r\n");
    await sleep(20);
    // A request whose end is clear may be followed by another on the same connection; none may be followed by two.
    expect(pod.seen.length).toBeLessThanOrEqual(1);
    expect(pod.seen.map(({ target }) => target).filter((target) => target !== "/smuggled")).toEqual([]);
  });
});

describe("bodies", () => {
  test("what comes after the length is the next request, and not the guest's", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", reflecting);
    const client = cluster
      .connect()
      .send(`POST / HTTP/1.1\r\n${host}content-length: 5\r\n\r\nhello world is no request\r\n\r\n`);
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 (200|400) /);
    expect(pod.seen.length).toBeLessThanOrEqual(1);
  });

  test("fewer bytes than the length, and silence: 408", async () => {
    const cluster = await start({ bodyIdleTimeoutMs: 80 });
    await cluster.wireService("hello", reflecting);
    const client = cluster.connect().send(`POST / HTTP/1.1\r\n${host}content-length: 500\r\n\r\nhello`);
    expect(await client.until(/request id/)).toMatch(/^HTTP\/1\.1 408 /);
    await client.ended();
    await until(() => cluster.gateway.load.open === 0);
  });

  test("fewer bytes than the length, and the end: the guest is cancelled", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", reflecting);
    const client = cluster.connect().send(`POST / HTTP/1.1\r\n${host}content-length: 500\r\n\r\nhello`);
    await until(() => pod.seen.length === 1);
    client.socket.end();
    await until(() => cluster.gateway.load.open === 0 && pod.connections[0]!.openStreams === 0);
  });

  test("an endless body is cut at the limit with 413, and the connection is closed", async () => {
    const cluster = await start({ bodyBytesMax: 300_000 });
    const pod = await cluster.wireService("hello", reflecting);
    const client = cluster.connect().send(`POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n`);
    const chunk = `4000\r\n${"a".repeat(0x4000)}\r\n`;
    while (!client.closed) {
      client.send(chunk);
      await sleep(1);
    }
    expect(client.text).toMatch(/^HTTP\/1\.1 413 /);
    await until(() => pod.connections[0]!.openStreams === 0);
  });

  test("chunks of a byte are a body like any other", async () => {
    const cluster = await start();
    await cluster.wireService("hello", reflecting);
    const client = cluster.connect().send(`POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n`);
    const body = "0123456789".repeat(2_000);
    client.send(`${body.replaceAll(/./g, "1\r\n$&\r\n")}0\r\n\r\n`);
    expect(await client.until(/"body":"\d+"/)).toContain(`"body":"${body}"`);
  });

  test("a chunk's extension that is longer than a head may be is refused", async () => {
    const cluster = await start();
    const guest = silent();
    await cluster.wireService("hello", guest.handler);
    const client = cluster.connect().send(`POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n1;`);
    await until(() => guest.streams.length === 1);
    expect(await client.send("a".repeat(20_000)).ended()).toMatch(/^HTTP\/1\.1 400 /);
    await until(() => guest.cancelled.length === 1);
  });

  test("a chunk that is none ends the request with 400", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", reflecting);
    const client = cluster.connect().send(`POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`);
    await until(() => pod.seen.length === 1);
    client.send("zz\r\n");
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 400 /);
    await until(() => pod.connections[0]!.openStreams === 0);
  });

  test("who sends without end, and reads late, finds the answer and then the end", async () => {
    const cluster = await start();
    await cluster.wireService("hello", (_head, stream) => {
      stream.respond({ status: 200, headers: [] });
      stream.write(Buffer.from("hi"));
      stream.end();
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    });
    const client = cluster.connect().send(`POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n`);
    client.socket.pause();
    const chunk = `10000\r\n${"z".repeat(0x1_0000)}\r\n`;
    for (let sent = 0; sent < 256; sent++) client.send(chunk);
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.socket.resume();
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*hi$/);
  });

  test("100 Continue is said when a pod takes the body, not before", async () => {
    const cluster = await start();
    await cluster.wireService("hello", reflecting);
    const client = cluster
      .connect()
      .send(`POST / HTTP/1.1\r\n${host}expect: 100-continue\r\ncontent-length: 4\r\n\r\n`);
    await client.until(/100 Continue\r\n\r\n/);
    client.send("body");
    expect(await client.until(/"body":"body"/)).toContain("HTTP/1.1 200 OK");
  });

  test("who waits for 100 Continue and is refused is told to close", async () => {
    const cluster = await start({ activationTimeoutMs: 30 });
    cluster.service("hello");
    const client = cluster
      .connect()
      .send(`POST / HTTP/1.1\r\n${host}expect: 100-continue\r\ncontent-length: 4\r\n\r\n`);
    const answer = await client.ended();
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer.toLowerCase()).toContain("connection: close");
  });
});

describe("connections", () => {
  test("slow headers are cut off with 408", async () => {
    const cluster = await start({ headerTimeoutMs: 100, headerCheckMs: 20 });
    const client = cluster.connect().send("GET / HTTP/1.1\r\nhost: he");
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n(.*\r\n)*.*request id/s);
  });

  test("an idle connection is closed, one whose guest thinks is not", async () => {
    const cluster = await start({ idleTimeoutMs: 60 });
    await cluster.wireService("hello", (head, stream) => {
      setTimeout(() => saying("thought")(head, stream).end(), 200);
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    });
    const idle = cluster.connect();
    const thinking = cluster.connect().send(`GET / HTTP/1.1\r\n${host}\r\n`);
    await idle.ended();
    expect(await thinking.until(/thought/)).toContain("200 OK");
  });

  test("after the last request that a connection may have it is closed", async () => {
    const cluster = await start({ requestsPerConnectionMax: 3 });
    const pod = await cluster.wireService("hello", saying("hi"));
    const client = cluster.connect().send(`GET / HTTP/1.1\r\n${host}\r\n`.repeat(5));
    const answer = await client.ended();
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
    expect(answer.match(/connection: close/gi)).toHaveLength(1);
    expect(pod.seen.length).toBe(3);
  });

  test("pipelined requests are answered in order", async () => {
    const cluster = await start();
    await cluster.wireService("hello", (head, stream) => {
      setTimeout(() => saying(`[${head.target}]`)(head, stream).end(), head.target === "/0" ? 20 : 0);
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    });
    const client = cluster.connect();
    for (let index = 0; index < 10; index++) client.send(`GET /${index} HTTP/1.1\r\n${host}\r\n`);
    const answer = await client.until(/\[\/9\]/);
    expect([...answer.matchAll(/\[\/(\d)\]/g)].map((match) => match[1]).join("")).toBe("0123456789");
  });

  test("more connections than there may be are closed", async () => {
    const cluster = await start({ connectionsMax: 2 });
    await cluster.wireService("hello", saying("hi"));
    const clients = [cluster.connect(), cluster.connect(), cluster.connect()];
    await until(() => clients.some(({ closed }) => closed));
    clients[0]!.send(`GET / HTTP/1.1\r\n${host}\r\n`);
    expect(await clients[0]!.until(/hi$/)).toContain("200 OK");
  });

  test("absolute form, another case, a trailing dot and a port all mean the same host", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", saying("hi"));
    for (const [target, name] of [
      ["http://hello.default.localhost:8080/a?b", "hello.default.localhost:8080"],
      ["http://hello.default.localhost?b", "hello.default.localhost"],
      ["/a", "HELLO.Default.LocalHost.:8080"],
    ]) {
      const client = cluster.connect().send(`GET ${target} HTTP/1.1\r\nhost: ${name}\r\n\r\n`);
      expect(await client.until(/hi$/)).toContain("200 OK");
    }
    expect(pod.seen.map(({ target }) => target)).toEqual(["/a?b", "/?b", "/a"]);
  });

  test("OPTIONS of the whole server is answered by the gateway, whatever host it names, and the connection goes on", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", saying("hi"));
    const client = cluster.connect();
    for (const head of [`OPTIONS * HTTP/1.1\r\n${host}`, "OPTIONS http://nobody HTTP/1.1\r\nhost: nobody\r\n"]) {
      client.text = "";
      expect(await client.send(`${head}\r\n`).until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 204 [^]*\r\nallow: GET, HEAD, /);
    }
    expect(pod.seen).toEqual([]);
    expect(await client.send(`OPTIONS / HTTP/1.1\r\n${host}\r\n`).until(/hi$/)).toContain("200 OK");
    expect(pod.seen.map(({ method, target }) => `${method} ${target}`)).toEqual(["OPTIONS /"]);
  });

  test("paths go on as they came", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", saying("hi"));
    const targets = ["//a", "/a/../b", "/%2f%2F", "/a//b/./c?x=//", "/a%00b", "/;p=1?a=b&c=%20"];
    for (const target of targets) {
      await cluster.connect().send(`GET ${target} HTTP/1.1\r\n${host}\r\n`).until(/hi$/);
    }
    expect(pod.seen.map(({ target }) => target)).toEqual(targets);
  });

  test("headers named __proto__ and constructor harm nobody", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", saying("hi"));
    await cluster.connect().send(`GET / HTTP/1.1\r\n${host}constructor: x\r\ntoString: y\r\n\r\n`).until(/hi$/);
    expect(pod.seen[0]!.headers.slice(0, 4)).toEqual(["constructor", "x", "tostring", "y"]);
    expect(await cluster.connect().send(`GET / HTTP/1.1\r\n${host}__proto__: x\r\n\r\n`).until(/hi$/)).toContain("200");
  });
});
