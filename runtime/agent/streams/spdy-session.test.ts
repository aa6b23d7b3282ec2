import { once } from "node:events";
import { createServer, connect, type Socket } from "node:net";
import { constants, createDeflate, type Deflate } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { spdyDictionary } from "./spdy-dictionary.ts";
import { SpdySession, type SpdyStream } from "./spdy-session.ts";

/** A client of SPDY/3.1 as far as the tests need one; its bytes are written here, not by the code under test. */
class Client {
  readonly socket: Socket;
  readonly #deflate: Deflate = createDeflate({ dictionary: spdyDictionary });
  #received = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => (this.#received = Buffer.concat([this.#received, chunk])));
    socket.on("error", () => undefined);
  }

  get received(): Buffer {
    return this.#received;
  }

  async open(id: number, headers: Readonly<Record<string, string>>, flags = 0): Promise<void> {
    const word = (text: string): Buffer => Buffer.concat([u32(text.length), Buffer.from(text)]);
    const pairs = Object.entries(headers).flatMap(([name, value]) => [word(name), word(value)]);
    const chunks: Buffer[] = [];
    this.#deflate.on("data", (chunk: Buffer) => chunks.push(chunk));
    this.#deflate.write(Buffer.concat([u32(pairs.length / 2), ...pairs]));
    await new Promise<void>((resolve) => this.#deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    this.#deflate.removeAllListeners("data");
    this.control(1, Buffer.concat([u32(id), u32(0), Buffer.alloc(2), ...chunks]), flags);
  }

  control(type: number, payload: Buffer, flags = 0): void {
    const head = Buffer.concat([Buffer.of(0x80, 3, 0, type, flags), u32(payload.length).subarray(1)]);
    this.socket.write(Buffer.concat([head, payload]));
  }

  data(id: number, text: string, flags = 0): void {
    this.socket.write(Buffer.concat([u32(id), Buffer.of(flags), u32(text.length).subarray(1), Buffer.from(text)]));
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function pair(opened: (stream: SpdyStream) => void): Promise<{ client: Client; ended: Promise<unknown> }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const socket = connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1");
  const [accepted] = (await once(server, "connection")) as [Socket];
  server.close();
  closers.push(() => socket.destroy());
  const ended = new SpdySession(accepted, opened).run().then(
    () => undefined,
    (error: unknown) => error,
  );
  return { client: new Client(socket), ended };
}

test("streams are opened with their headers, carry bytes both ways and end by half", async () => {
  const heard: string[] = [];
  const { client } = await pair((stream) => {
    heard.push(stream.headers.get("streamtype") ?? "");
    stream.on("data", (chunk: Buffer) => stream.write(`${stream.headers.get("streamtype") ?? ""}:${String(chunk)}`));
    stream.on("end", () => stream.end("bye"));
  });
  await client.open(1, { streamType: "stdin" });
  await client.open(3, { streamType: "error" });
  client.data(1, "one");
  client.data(3, "two", 1);
  await expect.poll(() => String(client.received)).toContain("bye");
  expect(heard).toEqual(["stdin", "error"]);
  expect(String(client.received)).toContain("stdin:one");
  expect(String(client.received)).toContain("error:two");
});

test("a ping is answered with the same id", async () => {
  const { client } = await pair(() => undefined);
  client.control(6, u32(77));
  await expect.poll(() => client.received.toString("hex")).toBe("80030006000000040000004d");
});

test("a stream that is not read slows its session down, and loses nothing", async () => {
  const streams: SpdyStream[] = [];
  const { client } = await pair((stream) => streams.push(stream));
  await client.open(1, { streamtype: "data" });
  const piece = "x".repeat(32 * 1024);
  for (let index = 0; index < 64; index++) client.data(1, piece, index === 63 ? 1 : 0);
  await expect.poll(() => streams.length).toBe(1);
  let bytes = 0;
  for await (const chunk of streams[0]!) bytes += (chunk as Buffer).length;
  expect(bytes).toBe(64 * piece.length);
});

test.each([
  ["a frame that is too large", async (client: Client) => client.socket.write(Buffer.from("0000000100ffffff", "hex"))],
  ["headers that cannot be inflated", async (client: Client) => client.control(1, Buffer.alloc(40, 0x5a))],
  ["a control frame without an id", async (client: Client) => client.control(3, Buffer.alloc(2))],
  ["a header block that inflates to a megabyte", (client: Client) => client.open(1, { a: "b".repeat(1 << 20) })],
])("%s ends the session", async (_, send) => {
  const { client, ended } = await pair(() => undefined);
  await send(client);
  expect(await ended).toMatchObject({ code: "PROTOCOL" });
});

test("when the client goes, its streams are over", async () => {
  const streams: SpdyStream[] = [];
  const { client, ended } = await pair((stream) => streams.push(stream));
  await client.open(1, { streamtype: "stdin" });
  await expect.poll(() => streams.length).toBe(1);
  client.socket.destroy();
  expect(await ended).toBeUndefined();
  expect(streams[0]?.destroyed).toBe(true);
});
