import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { start, until } from "../client.fake.ts";
import { reflecting, saying, type WireHandler } from "../gateway.fake.ts";

const host = "host: hello.default.localhost\r\n";
const get = (more = ""): string => `GET / HTTP/1.1\r\n${host}${more}\r\n`;

/** Answers at once, whatever of the request is still to come. */
const hasty: WireHandler = (head, stream) => {
  saying("hasty")(head, stream).end();
  return { data: (chunk) => stream.consumed(chunk.length), end: () => undefined, failed: () => undefined };
};

describe("a request", () => {
  test("is the same in pieces of a byte", async () => {
    const cluster = await start();
    await cluster.wireService("hello", reflecting);
    const client = cluster.connect();
    const bytes = `\r\nPOST /a?b HTTP/1.1\r\n${host}X-A: b\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;
    for (const byte of bytes) {
      client.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.until(/"body":"abc"/)).toMatch(/^HTTP\/1\.1 200 [^]*"x-a","b"/);
  });

  test("whose lines end in LF alone is refused before its head is there", async () => {
    const cluster = await start();
    expect(await cluster.connect().send(`GET / HTTP/1.1\r\nx: y\nz`).ended()).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("whose body is broken is refused, if it came with the head or after it", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", reflecting);
    const head = `POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n`;
    expect(await cluster.connect().send(`${head}zz\r\n`).ended()).toMatch(/^HTTP\/1\.1 400 [^]*BAD_REQUEST/);
    const client = cluster.connect().send(`${head}3\r\nabc\r\n`);
    await until(() => pod.seen.length === 2);
    expect(await client.send("zz\r\n").ended()).toMatch(/^HTTP\/1\.1 400 [^]*BAD_REQUEST/);
    await until(() => cluster.gateway.load.open === 0 && pod.connections[0]?.openStreams === 0);
  });

  test("that is longer than it may be is refused, when all of it is there at once", async () => {
    const cluster = await start({ bodyBytesMax: 10 });
    await cluster.wireService("hello", reflecting);
    const body = `POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n`;
    expect(
      await cluster
        .connect()
        .send(body)
        .until(/request id/),
    ).toMatch(/^HTTP\/1\.1 413 /);
    await until(() => cluster.gateway.load.open === 0);
  });

  test("whose method is no word of HTTP is refused", async () => {
    const cluster = await start();
    await cluster.wireService("hello", saying("hi"));
    expect(await cluster.connect().send(get().replace("GET", "ET")).ended()).toMatch(/^HTTP\/1\.1 501 /);
  });

  test("waits for its turn, within bounds, and is not lost", async () => {
    const cluster = await start();
    const first = Promise.withResolvers<void>();
    const pod = await cluster.wireService("hello", (head, stream) => {
      const answer = (): void => saying(`[${head.target}]`)(head, stream).end();
      if (pod.seen.length > 1) setImmediate(answer);
      else void first.promise.then(answer);
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    });
    const client = cluster.connect();
    const long = `x-long: ${"x".repeat(8000)}\r\n`;
    for (let index = 0; index < 30; index++) client.send(get(long).replace("/", `/${index}`));
    await until(() => pod.seen.length > 0);
    await sleep(20);
    expect(pod.seen.length).toBe(1);
    first.resolve();
    const text = await client.until(/\[\/29\]/);
    expect(Array.from(text.matchAll(/\[\/(\d+)\]/g), ([, index]) => Number(index))).toEqual(
      Array.from({ length: 30 }, (_, index) => index),
    );
  });

  test("of HTTP/1.0 is answered in HTTP/1.0's ways", async () => {
    const cluster = await start();
    await cluster.wireService("hello", (_head, stream) => {
      stream.respond({ status: 200, headers: [] });
      setTimeout(() => {
        stream.write(Buffer.from("later"));
        stream.end();
      }, 10);
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    });
    await cluster.wireService("kept", saying("kept"));
    const old = get().replace("1.1", "1.0");
    // Without chunks the end of the connection is the body's.
    expect(await cluster.connect().send(old).ended()).toMatch(/\r\nconnection: close\r\n\r\nlater$/);
    const kept = old.replace("hello", "kept").replace("\r\n\r\n", "\r\nConnection: Keep-Alive\r\n\r\n");
    const client = cluster.connect().send(kept);
    expect(await client.until(/kept$/)).toMatch(/\r\nconnection: keep-alive\r\n/);
    expect(await client.send(kept).until(/kept[^]*kept$/)).not.toContain("close");
  });
});

describe("an answer before the request's end", () => {
  test("leaves the connection good when the rest comes", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", hasty);
    const client = cluster.connect().send(`POST / HTTP/1.1\r\n${host}content-length: 100000\r\n\r\n`);
    await client.until(/hasty$/);
    client.send("x".repeat(100_000)).send(get());
    await client.until(/hasty[^]*hasty$/);
    expect(pod.seen.map(({ method }) => method)).toEqual(["POST", "GET"]);
  });

  test("is followed by the end when the rest does not come, or is broken", async () => {
    const cluster = await start({ headerCheckMs: 100 });
    await cluster.wireService("hello", hasty);
    const chunked = `POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n`;
    const broken = cluster.connect().send(chunked);
    await broken.until(/hasty$/);
    expect(await broken.send(`zz\r\n${get()}`).ended()).toMatch(/hasty$/);
    const silent = cluster.connect().send(chunked);
    expect(await silent.ended()).toMatch(/hasty$/);
  });
});

describe("a connection", () => {
  test("whose client reads slowly is kept for as long as it reads", async () => {
    const cluster = await start({ idleTimeoutMs: 300, headerCheckMs: 50 });
    const size = 6 * 1024 * 1024;
    await cluster.wireService("hello", saying("x".repeat(size)));
    const client = cluster.connect().send(get("connection: close\r\n"));
    const reading = setInterval(() => {
      client.socket.resume();
      setTimeout(() => client.socket.pause(), 2);
    }, 10);
    const text = await client.ended();
    clearInterval(reading);
    expect(text.length).toBeGreaterThan(size);
  });

  test("that was asked for the last time takes no more, and nothing of what follows", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", saying("hi"));
    const client = cluster.connect().send(get("connection: close\r\n") + get());
    expect(await client.ended()).toMatch(/\r\nconnection: close\r\n\r\nhi$/);
    expect(pod.seen.length).toBe(1);
  });

  test("is told how long it is kept, and what the date is", async () => {
    const cluster = await start();
    await cluster.wireService("hello", saying("hi"));
    const text = await cluster.connect().send(get()).until(/hi$/);
    expect(text).toMatch(/\r\nconnection: keep-alive\r\nkeep-alive: timeout=60\r\n/);
    const date = /\r\ndate: (.*)\r\n/.exec(text)?.[1] ?? "";
    expect(Math.abs(Date.parse(date) - Date.now())).toBeLessThan(5_000);
  });
});
