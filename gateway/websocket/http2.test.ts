import { createHash } from "node:crypto";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { RequestHead } from "@shallop/sdk/wire";
import { describe, expect, onTestFinished, test } from "vitest";
import { start, until } from "../client.fake.ts";
import type { FakeCluster, WireHandler } from "../gateway.fake.ts";
import type { RequestRecord } from "../stats/request-record.ts";

// WebSockets in streams of HTTP/2 (RFC 8441), of components and of native pods.

async function session(port: number): Promise<ClientHttp2Session> {
  const client = connect(`http://127.0.0.1:${port}`);
  client.on("error", () => undefined);
  onTestFinished(() => client.destroy());
  await until(() => client.remoteSettings.enableConnectProtocol === true);
  return client;
}

/** A stream in which WebSocket is spoken, by frames of at most 125 bytes. */
class Socket {
  readonly stream: ClientHttp2Stream;
  headers: IncomingHttpHeaders | undefined;
  #bytes = Buffer.alloc(0);

  constructor(client: ClientHttp2Session, more: Readonly<Record<string, string>> = {}) {
    this.stream = client.request(
      {
        ...{ ":method": "CONNECT", ":protocol": "websocket", ":scheme": "http", ":path": "/room?a=b" },
        ...{ ":authority": "chat.default.localhost:8080", "sec-websocket-version": "13", ...more },
      },
      { endStream: false },
    );
    this.stream.on("error", () => undefined);
    this.stream.on("response", (headers) => (this.headers = headers));
    this.stream.on("data", (chunk: Buffer) => (this.#bytes = Buffer.concat([this.#bytes, chunk])));
  }

  async answered(): Promise<IncomingHttpHeaders> {
    await until(() => this.headers !== undefined || this.stream.closed);
    return this.headers ?? {};
  }

  /** RFC 6455, 5.2: masked, by nothing. */
  send(opcode: number, payload: Buffer | string): void {
    const bytes = Buffer.from(payload);
    this.stream.write(Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | bytes.length, 0, 0, 0, 0]), bytes]));
  }

  /** What has been said to it, a frame a line: `1 hello`. */
  get said(): readonly string[] {
    const said: string[] = [];
    for (let at = 0; at + 2 <= this.#bytes.length;) {
      const length = this.#bytes.readUInt8(at + 1);
      said.push(`${this.#bytes.readUInt8(at) & 0x0f} ${this.#bytes.toString("latin1", at + 2, at + 2 + length)}`);
      at += 2 + length;
    }
    return said;
  }
}

/** A component that greets, and says again what it is told. */
function component(): { readonly handler: WireHandler; readonly heads: RequestHead[] } {
  const heads: RequestHead[] = [];
  const handler: WireHandler = (head, stream) => {
    let body = "";
    heads.push(head);
    const event = head.headers[head.headers.indexOf("x-shallop-websocket") + 1];
    return {
      data: (chunk) => {
        body += chunk.toString();
        stream.consumed(chunk.length);
      },
      end: () => {
        stream.respond({ status: 200, headers: ["content-type", "application/vnd.shallop.websocket"] });
        const actions =
          event === "open" ? [{ accept: {} }, { send: "hi" }] : event === "message" ? [{ send: body }] : [];
        for (const action of actions) stream.write(Buffer.from(`${JSON.stringify(action)}\n`));
        stream.end();
      },
      failed: () => undefined,
    };
  };
  return { handler, heads };
}

async function chat(options: Parameters<typeof FakeCluster.start>[1] = {}) {
  const cluster = await start({ drainTimeoutMs: 100 }, options);
  const { handler, heads } = component();
  await cluster.wireService("chat", handler);
  return { cluster, heads };
}

const acceptOf = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

describe("a WebSocket of a component", () => {
  test("is held by the gateway: several on one connection, beside requests", async () => {
    const { cluster, heads } = await chat();
    const client = await session(cluster.port);
    const [one, two] = [new Socket(client, { cookie: "who=me" }), new Socket(client)];
    expect(await one.answered()).toMatchObject({ ":status": 200 });
    expect((await two.answered())["sec-websocket-accept"]).toBeUndefined();
    one.send(1, "first");
    two.send(1, "second");
    await until(() => one.said.length === 2 && two.said.length === 2);
    expect([one.said, two.said]).toEqual([
      ["1 hi", "1 first"],
      ["1 hi", "1 second"],
    ]);
    expect(heads[0]).toMatchObject({ method: "GET", target: "/room?a=b" });
    expect(heads.flatMap(({ headers }) => headers)).toContain("who=me");
    const plain = client.request({ ":path": "/", ":authority": "chat.default.localhost:8080" });
    const status = await new Promise((resolve) => void plain.once("response", (head) => resolve(head[":status"])));
    expect(status).toBe(200);
    one.send(8, Buffer.from([0x0f, 0xa1]));
    one.stream.end();
    await until(() => one.stream.closed && cluster.gateway.status().webSockets === 1);
    expect(one.said.at(-1)).toBe("8 \u000f\u00a1");
    two.stream.close(constants.NGHTTP2_CANCEL);
    await until(() => cluster.gateway.status().webSockets === 0);
    await until(() => cluster.gateway.load.open === 0);
  });

  test("is one of another version of WebSocket, or of no protocol that is known: refused, and the connection goes on", async () => {
    const { cluster } = await chat();
    const client = await session(cluster.port);
    expect(await new Socket(client, { "sec-websocket-version": "8" }).answered()).toMatchObject({
      ...{ ":status": 426, "sec-websocket-version": "13" },
    });
    expect(await new Socket(client, { ":protocol": "connect-udp" }).answered()).toMatchObject({ ":status": 501 });
    expect(await new Socket(client, { ":authority": "nobody.default.localhost" }).answered()).toMatchObject({
      ":status": 404,
    });
    expect(await new Socket(client).answered()).toMatchObject({ ":status": 200 });
  });

  test("broken frames close it and nothing else", async () => {
    const { cluster } = await chat();
    const client = await session(cluster.port);
    const [bad, good] = [new Socket(client), new Socket(client)];
    await Promise.all([bad.answered(), good.answered()]);
    // A reserved bit (RFC 6455, 5.2).
    bad.stream.write(Buffer.from([0xc1, 0x80, 0, 0, 0, 0]));
    await until(() => bad.said.some((frame) => frame.startsWith("8 \u0003\u00ea")));
    good.send(1, "still here");
    await until(() => good.said.includes("1 still here"));
  });

  test("who watches sees it as answered", async () => {
    const records: RequestRecord[] = [];
    const { cluster } = await chat({ watchers: [{ ended: (record) => void records.push(record) }] });
    const socket = new Socket(await session(cluster.port));
    await socket.answered();
    socket.send(1, "x");
    await until(() => socket.said.length === 2);
    socket.stream.close(constants.NGHTTP2_CANCEL);
    await until(() => records.length === 1);
    expect(records[0]).toMatchObject({ status: 101, code: undefined, origin: { protocol: "2", method: "GET" } });
  });
});

test("a native pod is asked as in HTTP/1.1, and what it says goes through; one that has not understood is none", async () => {
  const cluster = await start();
  const server = await cluster.nativeService("chat", () => undefined);
  let isUnderstood = true;
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex) => {
    const key = incoming.headers["sec-websocket-key"] ?? "";
    expect(Buffer.from(key, "base64").length).toBe(16);
    const accept = acceptOf(isUnderstood ? key : "other");
    socket.on("error", () => undefined);
    socket.write(
      `HTTP/1.1 101 X\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ${accept}\r\nx-own: 1\r\n\r\n`,
    );
    socket.pipe(socket);
  });
  const client = await session(cluster.port);
  const socket = new Socket(client);
  const headers = await socket.answered();
  expect(headers).toMatchObject({ ":status": 200, "x-own": "1" });
  expect(Object.keys(headers)).not.toContain("sec-websocket-accept");
  let echoed = 0;
  socket.stream.on("data", (chunk: Buffer) => (echoed += chunk.length));
  // More than all windows together.
  socket.stream.write(Buffer.alloc(1024 * 1024));
  await until(() => echoed === 1024 * 1024);
  socket.stream.end();
  await until(() => socket.stream.closed);
  isUnderstood = false;
  expect(await new Socket(client).answered()).toMatchObject({ ":status": 502 });
});
