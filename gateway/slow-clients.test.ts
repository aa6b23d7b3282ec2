import { expect, test } from "vitest";
import { call, start, until } from "./client.fake.ts";
import { saying } from "./gateway.fake.ts";

// A thousand clients that never come to the end of what they say, beside those that do.

const slowCount = 1_000;
const hello = "hello.default.localhost";
const slow: readonly { readonly name: string; readonly begins: string }[] = [
  { name: "say nothing", begins: "" },
  { name: "stop in their headers", begins: `GET / HTTP/1.1\r\nhost: ${hello}\r\nx-` },
  { name: "stop in their bodies", begins: `POST / HTTP/1.1\r\nhost: ${hello}\r\ncontent-length: 1000\r\n\r\nabc` },
];

test.each(slow)("a thousand that $name: all others are answered, and those are let go", async ({ begins }) => {
  const cluster = await start({
    headerTimeoutMs: 1_000,
    headerCheckMs: 100,
    idleTimeoutMs: 1_000,
    bodyIdleTimeoutMs: 1_000,
  });
  await cluster.wireService("hello", saying("hello"), { containerConcurrency: 0 });
  const clients = Array.from({ length: slowCount }, () => cluster.connect().send(begins));
  let answered = 0;
  while (!clients.every(({ closed }) => closed)) {
    const answers = await Promise.all(Array.from({ length: 4 }, () => call(cluster, "hello")));
    for (const { status } of answers) expect(status).toBe(200);
    answered += answers.length;
  }
  expect(answered).toBeGreaterThan(0);
  if (begins.startsWith("POST")) expect(clients[0]?.text).toMatch(/^HTTP\/1\.1 408 /);
});

test("clients that do not read what they have asked for give their guests back", async () => {
  const cluster = await start({ bodyIdleTimeoutMs: 500 });
  let ended = 0;
  await cluster.wireService("endless", (_head, stream) => {
    const fill = (): void => {
      while (stream.write(Buffer.alloc(1 << 14)));
    };
    stream.respond({ status: 200, headers: [] });
    fill();
    return { data: () => undefined, end: () => undefined, writable: fill, failed: () => void ended++ };
  });
  const clients = Array.from({ length: 20 }, () => cluster.connect());
  for (const client of clients) client.send("GET / HTTP/1.1\r\nhost: endless.default.localhost\r\n\r\n").socket.pause();
  await until(() => ended === clients.length);
  expect(cluster.gateway.load.open).toBe(0);
});
