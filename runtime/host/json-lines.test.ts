import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { JsonLines } from "./json-lines.ts";

async function pair(): Promise<[Socket, Socket]> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = createConnection((server.address() as AddressInfo).port, "127.0.0.1");
  const [accepted] = (await once(server, "connection")) as [Socket];
  server.close();
  return [client, accepted];
}

describe("JsonLines", () => {
  test("carries values whole, however they are cut", async () => {
    const [left, right] = await pair();
    const received: unknown[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const lines = new JsonLines(right, 1000, { message: (value) => received.push(value), closed: resolve });
    const text = `${JSON.stringify({ a: "é\n" })}\n${JSON.stringify([1, 2])}\n`;
    for (const byte of Buffer.from(text)) {
      left.write(Uint8Array.of(byte));
      await new Promise(setImmediate);
    }
    left.end();
    await promise;
    expect(received).toEqual([{ a: "é\n" }, [1, 2]]);
    lines.close();
  });

  test.each([
    { what: "a line that is no JSON", text: "hello\n" },
    { what: "a line without an end", text: "x".repeat(2000) },
  ])("ends the connection at $what", async ({ text }) => {
    const [left, right] = await pair();
    const { promise, resolve } = Promise.withResolvers<void>();
    const lines = new JsonLines(right, 1000, { message: () => undefined, closed: resolve });
    left.on("error", () => undefined);
    left.write(text);
    await promise;
    expect(lines.send({})).toBe(true);
    left.destroy();
  });

  test("flush resolves when what was sent has left", async () => {
    const [left, right] = await pair();
    const lines = new JsonLines(left, 1000, { message: () => undefined, closed: () => undefined });
    lines.send({ a: 1 });
    await lines.flush();
    expect(lines.waitingBytes).toBe(0);
    const [data] = (await once(right, "data")) as [Buffer];
    expect(data.toString()).toBe('{"a":1}\n');
    lines.close();
    right.destroy();
  });
});
