import { once } from "node:events";
import { type ClientHttp2Session, connect, constants, createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../client.fake.ts";
import { UnreadStreams } from "./unread-streams.ts";

const body = Buffer.alloc(1_000, "x");

/** A client that takes nothing by itself, and what a server has written to it. */
async function written(): Promise<{ readonly client: ClientHttp2Session; readonly stream: ServerHttp2Stream }> {
  const server = createServer();
  const given = once(server, "stream") as Promise<[ServerHttp2Stream]>;
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    settings: { initialWindowSize: 0 },
  });
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  // Not read: its window would be opened again by what it had.
  client.request({ ":path": "/" }).on("error", () => undefined);
  const [stream] = await given;
  stream.on("error", () => undefined);
  stream.respond({ ":status": 200 });
  stream.end(body);
  return { client, stream };
}

const sent = ({ session }: ServerHttp2Stream): number => session?.socket.bytesWritten ?? 0;

test("a stream whose client takes a little now and then is kept, and given up when it takes nothing", async () => {
  const { client, stream } = await written();
  const streams = new UnreadStreams(1_000);
  streams.add(stream, 0);
  for (let count = 1; count <= 5; count++) {
    const before = sent(stream);
    client.settings({ initialWindowSize: 10 * count });
    await until(() => sent(stream) >= before + 10);
    streams.look(count * 900);
    expect(stream.closed).toBe(false);
  }
  streams.look(4_500 + 999);
  expect(stream.closed).toBe(false);
  streams.look(4_500 + 1_000);
  expect([stream.closed, stream.rstCode]).toEqual([true, constants.NGHTTP2_CANCEL]);
});

test("one that takes nothing beside others of its connection is given up later", async () => {
  const { client, stream } = await written();
  const streams = new UnreadStreams(1_000);
  streams.add(stream, 0);
  for (let nowMs = 900; nowMs <= 9_900; nowMs += 900) {
    const before = sent(stream);
    client.ping(() => undefined);
    await until(() => sent(stream) > before);
    streams.look(nowMs);
    expect(stream.closed).toBe(false);
  }
  streams.look(10_000);
  expect([stream.closed, stream.rstCode]).toEqual([true, constants.NGHTTP2_CANCEL]);
});
