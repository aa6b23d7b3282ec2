import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { silent, start, until } from "../client.fake.ts";
import { saying } from "../gateway.fake.ts";

// Clients of HTTP/2 that send what costs a server more than it costs them (CVE-2019-9511 and those after it, CVE-2024-27316), as
// frames that no library would send. Each loses its connection, or is held back; nobody else notices.

const type = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  windowUpdate: 8,
  continuation: 9,
} as const;
const endStream = 0x1;
const endHeaders = 0x4;

interface FrameOptions {
  readonly flags?: number;
  readonly stream?: number;
  readonly payload?: Uint8Array;
}

/** RFC 9113, 4.1. */
function frame(kind: number, options: FrameOptions = {}): Buffer {
  const { flags = 0, stream = 0, payload = new Uint8Array() } = options;
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(kind, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** RFC 7541, 6.2.2: a literal that is not indexed; names and values are short. */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);
}

function requestBlock(method: string): Buffer {
  const fields = { ":method": method, ":scheme": "http", ":path": "/", ":authority": "hello.default.localhost" };
  return Buffer.concat(Object.entries(fields).map(([name, value]) => literal(name, value)));
}

const request = (stream: number, method = "GET", flags = endStream | endHeaders): Buffer =>
  frame(type.headers, { flags, stream, payload: requestBlock(method) });

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

interface Attacker {
  readonly socket: Socket;
  readonly isClosed: () => boolean;
  readonly receivedBytes: () => number;
}

async function attack(port: number, settings = new Uint8Array()): Promise<Attacker> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let closed = false;
  let received = 0;
  socket.on("error", () => undefined);
  socket.on("close", () => (closed = true));
  socket.on("data", (chunk: Buffer) => (received += chunk.length));
  await once(socket, "connect");
  socket.write(Buffer.concat([Buffer.from(preface), frame(type.settings, { payload: settings })]));
  return { socket, isClosed: () => closed, receivedBytes: () => received };
}

/** Until what was written has gone out, or never will. */
function roomOrEnd(socket: Socket): Promise<unknown> {
  const events = ["drain", "close"].map((event) => new Promise((resolve) => socket.once(event, resolve)));
  return Promise.race([...events, sleep(2_000)]);
}

const helloBlock = requestBlock("GET");
/** What is sent again and again, so many times in all, after what comes first. */
const floods: readonly {
  readonly name: string;
  readonly first?: Buffer;
  readonly again: (round: number) => Buffer;
  readonly roundsMax: number;
  /** The attacker does not read what it is answered. */
  readonly deaf?: boolean;
}[] = [
  {
    name: "CONTINUATION without end",
    first: frame(type.headers, { flags: endStream, stream: 1, payload: helloBlock }),
    again: (round) => frame(type.continuation, { stream: 1, payload: literal(`x-${round}`, "a".repeat(100)) }),
    roundsMax: 100_000,
  },
  {
    name: "CONTINUATION that is empty",
    first: frame(type.headers, { flags: endStream, stream: 1, payload: helloBlock }),
    again: () => frame(type.continuation, { stream: 1 }),
    roundsMax: 100_000,
  },
  {
    name: "PING, and no answer read",
    again: () => frame(type.ping, { payload: Buffer.alloc(8) }),
    roundsMax: 2_000_000,
    deaf: true,
  },
  { name: "SETTINGS, and no answer read", again: () => frame(type.settings), roundsMax: 2_000_000, deaf: true },
  {
    name: "requests that are reset at once",
    again: (round) =>
      Buffer.concat([request(2 * round + 1), frame(type.reset, { stream: 2 * round + 1, payload: uint32(8) })]),
    roundsMax: 100_000,
  },
  {
    name: "requests that break the rules, each of which is reset by the gateway",
    again: (round) =>
      Buffer.concat([
        request(2 * round + 1, "POST", endHeaders),
        frame(type.windowUpdate, { stream: 2 * round + 1, payload: uint32(0) }),
      ]),
    roundsMax: 100_000,
  },
  {
    name: "a window beyond what one can be",
    again: () => frame(type.windowUpdate, { payload: uint32(0x7fff_ffff) }),
    roundsMax: 10,
  },
  {
    name: "more streams than there may be, none of which ends",
    again: (round) => request(2 * round + 1, "POST", endHeaders),
    roundsMax: 100_000,
  },
];

test.each(floods)("$name: the connection is ended, and another client is served", async (flood) => {
  const cluster = await start();
  await cluster.wireService("hello", saying("hello"));
  const { socket, isClosed } = await attack(cluster.port);
  if (flood.deaf === true) socket.pause();
  if (flood.first !== undefined) socket.write(flood.first);
  let round = 0;
  while (round < flood.roundsMax && !isClosed() && !socket.destroyed) {
    const some = Array.from({ length: 500 }, () => flood.again(round++));
    // What the gateway does not read it does not keep: then nothing is sent, and that is the end of it, too.
    if (!socket.write(Buffer.concat(some))) await roomOrEnd(socket);
  }
  if (flood.deaf === true) socket.resume();
  await until(isClosed);
  const other = connectHttp2(`http://127.0.0.1:${cluster.port}`);
  other.on("error", () => undefined);
  onTestFinished(() => other.destroy());
  const answer = other.request({ ":authority": "hello.default.localhost" });
  answer.on("error", () => undefined);
  const [head] = (await once(answer, "response")) as [{ readonly ":status"?: number }];
  expect(head[":status"]).toBe(200);
});

test("a client that opens no window holds its guest back, and is let go after a while", async () => {
  const cluster = await start({ bodyIdleTimeoutMs: 300, idleTimeoutMs: 300 });
  let written = 0;
  const guest = silent();
  const pod = await cluster.wireService("hello", (head, stream) => {
    stream.respond({ status: 200, headers: [] });
    for (; written < 1 << 26 && stream.write(Buffer.alloc(1 << 14)); written += 1 << 14);
    return guest.handler(head, stream);
  });
  // SETTINGS_INITIAL_WINDOW_SIZE (4) is 0.
  const { socket, receivedBytes } = await attack(cluster.port, Buffer.from([0, 4, 0, 0, 0, 0]));
  socket.write(request(1));
  await until(() => pod.seen.length === 1);
  await until(() => guest.cancelled.length === 1);
  // A window of the wire, and no more, has left the guest; of the body nothing has come.
  expect(written).toBeLessThan(1 << 22);
  expect(receivedBytes()).toBeLessThan(4096);
});

test("an answer that nobody reads is not kept for long, though its guest has given all of it", async () => {
  const cluster = await start({ bodyIdleTimeoutMs: 300, headerCheckMs: 100 });
  await cluster.wireService("hello", saying("hello"));
  const { socket, receivedBytes } = await attack(cluster.port, Buffer.from([0, 4, 0, 0, 0, 0]));
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.write(request(1));
  await until(() => receivedBytes() > 100);
  // RST_STREAM of stream 1, CANCEL (8).
  const reset = frame(type.reset, { stream: 1, payload: uint32(8) }).toString("latin1");
  await until(() => text.includes(reset));
});

const data = (stream: number, flags = 0): Buffer => frame(type.data, { flags, stream, payload: Buffer.from("x") });
const reset = (stream: number): Buffer => frame(type.reset, { stream, payload: uint32(8) });
const raised = (stream: number): Buffer => frame(type.windowUpdate, { stream, payload: uint32(0x7fff_ffff) });
const acknowledged = 0x1;

/**
 * Frames that the state of their stream does not allow (RFC 9113, 5.1, 5.1.1, 6.3, 6.7, 6.9.1). Where h2spec wants the connection
 * closed and nghttp2, as Node has it, leaves them out, they must come to nothing all the same.
 */
const misplaced: readonly { readonly name: string; readonly frames: readonly Buffer[] }[] = [
  { name: "DATA for a stream that is over", frames: [data(1), data(1, endStream)] },
  { name: "a request on a stream that is over", frames: [request(1)] },
  { name: "a request on a stream that was reset", frames: [request(3, "POST", endHeaders), reset(3), request(3)] },
  { name: "DATA for a stream that was reset", frames: [request(3, "POST", endHeaders), reset(3), data(3, endStream)] },
  { name: "a request on a stream older than the newest", frames: [request(7), request(5)] },
  { name: "PRIORITY of the connection", frames: [frame(type.priority, { payload: Buffer.alloc(5) })] },
  {
    name: "PRIORITY of a stream over itself",
    frames: [frame(type.priority, { stream: 3, payload: Buffer.concat([uint32(3), Buffer.from([1])]) })],
  },
  {
    name: "an answer to a PING that nobody sent",
    frames: [frame(type.ping, { flags: acknowledged, payload: Buffer.alloc(8) })],
  },
  {
    name: "a window of a stream beyond what one can be",
    frames: [request(3, "POST", endHeaders), raised(3), raised(3)],
  },
];

test.each(misplaced)(
  "$name: no request is made of it twice, and the connection goes on or ends",
  async ({ frames }) => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", saying("hello"));
    const { socket, isClosed, receivedBytes } = await attack(cluster.port);
    socket.write(request(1));
    await until(() => pod.seen.length === 1 && receivedBytes() > 100);
    // Its answer has left by then, and the stream is over.
    await sleep(5);
    socket.write(Buffer.concat([...frames, request(101)]));
    const asked = new Set([
      1,
      101,
      ...frames.filter((one) => one[3] === type.headers).map((one) => one.readUInt32BE(5)),
    ]);
    const before = receivedBytes();
    await until(() => isClosed() || (pod.seen.length >= 2 && receivedBytes() > before + 50));
    expect(pod.seen.length).toBeLessThanOrEqual(asked.size);
  },
);
