import type { IncomingMessage, RequestListener } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { start, until } from "../client.fake.ts";
import { type FakeCluster, type RawClient, saying } from "../gateway.fake.ts";

const handshake = (more = ""): string =>
  `GET /chat?room=1 HTTP/1.1\r\nhost: chat.default.localhost\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n` +
  `sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`;

type Upgraded = (socket: Duplex, incoming: IncomingMessage, head: Buffer) => void;

const agreeing =
  (then: (socket: Duplex) => void): Upgraded =>
  (socket) => {
    socket.on("error", () => undefined);
    socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nx-own: 1\r\n\r\n");
    then(socket);
  };

const echoing = agreeing((socket) => socket.pipe(socket));

/** A service with a native pod that does this with requests to upgrade. */
async function chat(cluster: FakeCluster, upgraded: Upgraded, listener: RequestListener = () => undefined) {
  const seen: IncomingMessage[] = [];
  const server = await cluster.nativeService("chat", listener);
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    seen.push(incoming);
    upgraded(socket, incoming, head);
  });
  return seen;
}

async function opened(client: RawClient): Promise<RawClient> {
  await client.until(/\r\n\r\n/);
  expect(client.text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
  return client;
}

describe("a WebSocket to a native pod", () => {
  test("the pod sees the handshake, the client its answer, and then both say what they like", async () => {
    const cluster = await start();
    const seen = await chat(cluster, echoing);
    const client = await opened(cluster.connect().send(handshake()));
    expect(client.text).toMatch(/\r\nx-own: 1\r\n/);
    expect(client.text).toMatch(/\r\nx-request-id: [0-9a-f-]{36}\r\n/);
    expect(client.text).toMatch(/connection: Upgrade\r\nupgrade: websocket\r\n\r\n$/);
    expect(seen[0]).toMatchObject({ method: "GET", url: "/chat?room=1" });
    expect(seen[0]?.headers).toMatchObject({
      host: "chat.default.localhost",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      "x-forwarded-for": "127.0.0.1",
    });
    for (const word of ["one", "two", "three"]) {
      client.send(word);
      await client.until(new RegExp(`${word}$`));
    }
    client.socket.end("last");
    expect(await client.ended()).toMatch(/onetwothreelast$/);
    expect(cluster.gateway.load.open).toBe(0);
  });

  test("a large stream goes through both ways, held back by who reads slowly", async () => {
    const cluster = await start();
    await chat(cluster, echoing);
    const client = await opened(cluster.connect().send(handshake()));
    const before = client.text.length;
    const bytes = 8 * 1024 * 1024;
    client.socket.write(Buffer.alloc(bytes, "x"));
    await until(() => client.text.length === before + bytes);
  });

  test("it outlives the time limit of a request, and ends by silence where the revision says so", async () => {
    const cluster = await start();
    const server = await cluster.nativeService("chat", () => undefined, { timeoutSeconds: 1, idleTimeoutSeconds: 2 });
    server.on("upgrade", (incoming: IncomingMessage, socket: Duplex) => echoing(socket, incoming, Buffer.alloc(0)));
    const client = await opened(cluster.connect().send(handshake()));
    for (let round = 0; round < 4; round++) {
      await sleep(500);
      client.send(`round ${round}`);
      await client.until(new RegExp(`round ${round}$`));
    }
    expect(client.closed).toBe(false);
    await client.ended();
  });

  test("one that the pod refuses is an answer like any, and what the client says then reaches nobody", async () => {
    const cluster = await start();
    let said = "";
    await chat(cluster, (socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (chunk: Buffer) => (said += chunk.toString()));
      socket.write("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
    });
    const client = cluster.connect().send(handshake()).send("GET /inside HTTP/1.1\r\nhost: pod\r\n\r\n");
    const answer = await client.ended();
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(answer).toMatch(/connection: close\r\n\r\nno$/);
    expect(said).toBe("");
  });

  const rows: { name: string; request: string; status: number }[] = [
    { name: "with a body", request: handshake("content-length: 3\r\n"), status: 400 },
    { name: "by POST", request: handshake().replace("GET", "POST"), status: 400 },
    { name: "to nobody", request: handshake().replace("chat.default", "other.default"), status: 404 },
    { name: "to a component", request: handshake().replace("chat.default", "hello.default"), status: 501 },
  ];
  test.each(rows)("$name is refused", async ({ request, status }) => {
    const cluster = await start();
    const seen = await chat(cluster, echoing);
    await cluster.wireService("hello", saying("hello"));
    const answer = await cluster.connect().send(request).ended();
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toMatch(/request id: [0-9a-f-]{36}\n$/);
    expect(seen).toEqual([]);
  });

  test("another protocol is not offered: the request is one like all others", async () => {
    const cluster = await start();
    await cluster.nativeService("chat", (_incoming, outgoing) => void outgoing.end("plain"));
    const client = cluster.connect().send(handshake().replace("WebSocket", "h2c"));
    expect(await client.until(/plain$/)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  test("a pod that switches to something else is 502, one that breaks off breaks off", async () => {
    const cluster = await start();
    await chat(cluster, (socket) => socket.end("HTTP/1.1 101 X\r\nconnection: Upgrade\r\nupgrade: telnet\r\n\r\n"));
    expect(await cluster.connect().send(handshake()).ended()).toMatch(/^HTTP\/1\.1 502 /);
    const other = await start();
    await chat(
      other,
      agreeing((socket) => setTimeout(() => socket.destroy(), 30)),
    );
    await (await opened(other.connect().send(handshake()))).ended();
  });

  test("a client that goes takes its pod's connection along", async () => {
    const cluster = await start();
    let closed = false;
    const seen = await chat(cluster, (socket) => {
      socket.on("error", () => undefined);
      socket.once("end", () => (closed = true));
      socket.resume();
    });
    const client = cluster.connect().send(handshake());
    await until(() => seen.length === 1);
    client.socket.destroy();
    await until(() => closed);
  });

  test("those that are open at a stop end with it", async () => {
    const cluster = await start({ drainTimeoutMs: 100 });
    await chat(cluster, echoing);
    const client = await opened(cluster.connect().send(handshake()));
    await cluster.gateway.close();
    await until(() => client.closed);
  });
});
