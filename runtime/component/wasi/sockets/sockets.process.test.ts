import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import type { InputStream } from "../input-stream.ts";
import type { OutputStream } from "../output-stream.ts";
import { at, codeOf, Guest, must, whenDone } from "./sockets.fixture.ts";
import type { TcpSocket } from "./tcp-socket.ts";
import type { UdpSocket } from "./udp-socket.ts";

const loopback = { allowed: ["127.0.0.1"] } as const;
const bytes = (content: string): Uint8Array => new TextEncoder().encode(content);
const text = (content: Uint8Array): string => new TextDecoder().decode(content);

/** A server on a free port; each connection is handed to `serve`. */
class Peer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(serve: (socket: Socket) => void) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      serve(socket);
    });
  }

  static async start(serve: (socket: Socket) => void): Promise<Peer> {
    const peer = new Peer(serve);
    peer.#server.listen(0, "127.0.0.1");
    await once(peer.#server, "listening");
    return peer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

async function connected(guest: Guest, port: number): Promise<[TcpSocket, InputStream, OutputStream]> {
  const socket = guest.tcp();
  must(socket.startConnect(guest.network, at("127.0.0.1", port)));
  return [socket, ...must(await whenDone(socket, () => socket.finishConnect()))];
}

async function readAll(input: InputStream): Promise<string> {
  let content = "";
  for (;;) {
    const piece = await input.blockingRead(100_000n);
    if (piece.tag === "err") return piece.val.tag === "closed" ? content : `${content}!`;
    content += text(piece.val);
  }
}

describe("a connection out", () => {
  test("carries bytes both ways, and ends each way by itself", async () => {
    await using peer = await Peer.start((socket) => {
      socket.write("hello ");
      socket.on("data", (chunk) => socket.write(chunk));
      socket.on("end", () => socket.end("bye"));
    });
    using guest = new Guest(loopback);
    const [socket, input, output] = await connected(guest, peer.port);
    expect(must(socket.remoteAddress())).toEqual(at("127.0.0.1", peer.port));
    expect(must(socket.localAddress()).val.address).toEqual([127, 0, 0, 1]);
    must(await output.blockingWriteAndFlush(bytes("guest ")));
    must(socket.shutdown("send"));
    expect(output.checkWrite()).toEqual({ tag: "err", val: { tag: "closed" } });
    expect(await readAll(input)).toBe("hello guest bye");
    expect(codeOf(socket.startConnect(guest.network, at("127.0.0.1", 1)))).toBe("invalid-state");
  });

  test("waits while it is on its way, and refuses a second operation meanwhile", async () => {
    await using peer = await Peer.start(() => undefined);
    using guest = new Guest(loopback);
    const socket = guest.tcp();
    must(socket.startConnect(guest.network, at("127.0.0.1", peer.port)));
    expect(codeOf(socket.finishConnect())).toBe("would-block");
    expect(socket.subscribe().ready()).toBe(false);
    expect(codeOf(socket.startConnect(guest.network, at("127.0.0.1", peer.port)))).toBe("concurrency-conflict");
    expect(codeOf(socket.startBind(guest.network, at("127.0.0.1")))).toBe("concurrency-conflict");
    expect(codeOf(socket.shutdown("both"))).toBe("invalid-state");
    must(await whenDone(socket, () => socket.finishConnect()));
    expect(codeOf(socket.finishConnect())).toBe("not-in-progress");
  });

  test("a refused connection says so once", async () => {
    const peer = await Peer.start(() => undefined);
    const { port } = peer;
    await peer[Symbol.asyncDispose]();
    using guest = new Guest(loopback);
    const socket = guest.tcp();
    must(socket.startConnect(guest.network, at("127.0.0.1", port)));
    expect(codeOf(await whenDone(socket, () => socket.finishConnect()))).toBe("connection-refused");
    expect(codeOf(socket.finishConnect())).toBe("not-in-progress");
    expect(codeOf(socket.startConnect(guest.network, at("127.0.0.1", port)))).toBe("invalid-state");
    await expect.poll(() => guest.context.connections.held).toBe(0);
  });

  test("to an address that the judge refuses is never made", async () => {
    let connections = 0;
    await using peer = await Peer.start(() => connections++);
    using guest = new Guest();
    expect(codeOf(guest.tcp().startConnect(guest.network, at("127.0.0.1", peer.port)))).toBe("access-denied");
    using other = new Guest(loopback);
    await connected(other, peer.port);
    expect(connections).toBe(1);
  });

  test("a peer that does not read holds the guest's writing, and loses nothing", async () => {
    let reader: Socket | undefined;
    let received = 0;
    await using peer = await Peer.start((socket) => {
      socket.pause();
      reader = socket;
    });
    using guest = new Guest(loopback);
    const [, , output] = await connected(guest, peer.port);
    let sent = 0;
    // The system's own buffers take some megabytes; what it takes no more waits in the sink, which is full then.
    for (let turnsFull = 0; turnsFull < 50; turnsFull++) {
      const capacity = Number(must(output.checkWrite()));
      if (capacity > 0) {
        must(output.write(new Uint8Array(capacity)));
        sent += capacity;
        expect(sent).toBeLessThan(64 * 1024 * 1024);
        turnsFull = 0;
      }
      await new Promise(setImmediate);
    }
    expect(output.subscribe().ready()).toBe(false);
    reader?.on("data", (chunk: Buffer) => (received += chunk.length)).resume();
    must(await output.blockingFlush());
    await expect.poll(() => received).toBe(sent);
  });

  test("a guest that does not read holds the peer's writing", async () => {
    let writer: Socket | undefined;
    await using peer = await Peer.start((socket) => {
      writer = socket;
      socket.end(Buffer.alloc(32 * 1024 * 1024, "x"));
    });
    using guest = new Guest(loopback);
    const [, input] = await connected(guest, peer.port);
    await input.subscribe().block();
    await expect.poll(() => writer?.writableFinished).toBe(false);
    expect((await readAll(input)).length).toBe(32 * 1024 * 1024);
  });

  test("a reset is an error of the streams, with its code", async () => {
    await using peer = await Peer.start((socket) => socket.once("data", () => socket.resetAndDestroy()));
    using guest = new Guest(loopback);
    const [, input, output] = await connected(guest, peer.port);
    must(await output.blockingWriteAndFlush(bytes("x")));
    const read = await input.blockingRead(1n);
    expect(read.tag === "err" && read.val.tag === "last-operation-failed" ? read.val.val.cause : read).toEqual({
      kind: "network",
      code: "connection-reset",
    });
    expect(output.checkWrite().tag).toBe("err");
  });

  test("what was written goes out although everything is dropped", async () => {
    const got: string[] = [];
    await using peer = await Peer.start((socket) => {
      socket.on("data", (chunk: Buffer) => got.push(chunk.toString()));
      socket.on("end", () => {
        got.push("end");
        socket.end();
      });
    });
    using guest = new Guest(loopback);
    const [socket, input, output] = await connected(guest, peer.port);
    must(output.write(bytes("last words")));
    for (const one of [input, output, socket]) one[Symbol.dispose]();
    await expect.poll(() => got.join(" ")).toBe("last words end");
    await expect.poll(() => guest.context.connections.held).toBe(0);
  });

  test("shutting down what is received ends the input, and the rest is thrown away", async () => {
    await using peer = await Peer.start((socket) => socket.write("never read"));
    using guest = new Guest(loopback);
    const [socket, input] = await connected(guest, peer.port);
    must(socket.shutdown("receive"));
    expect(await readAll(input)).toBe("");
  });

  test("ends with the instance", async () => {
    let closed = false;
    await using peer = await Peer.start((socket) => {
      socket.resume();
      socket.on("end", () => (closed = true));
    });
    const guest = new Guest(loopback);
    const [, input] = await connected(guest, peer.port);
    const waiting = Promise.resolve(input.blockingRead(1n));
    // Its guest leaves its stack, and is collected.
    const left = expect(waiting).rejects.toMatchObject({ code: "GUEST_FAILED" });
    guest.context.end();
    await left;
    await expect.poll(() => closed).toBe(true);
    await expect.poll(() => guest.context.connections.held).toBe(0);
  });

  test("may come from an address that was bound, and keeps its options", async () => {
    let from = 0;
    await using peer = await Peer.start((socket) => (from = socket.remotePort ?? 0));
    using guest = new Guest({ ...loopback, listen: true });
    const socket = guest.tcp();
    must(socket.startBind(guest.network, at("0.0.0.0")));
    must(socket.finishBind());
    const local = must(socket.localAddress());
    expect(local.val.address).toEqual([127, 0, 0, 1]);
    must(socket.setKeepAliveEnabled(true));
    must(socket.startConnect(guest.network, at("127.0.0.1", peer.port)));
    must(await whenDone(socket, () => socket.finishConnect()));
    must(socket.setKeepAliveIdleTime(5_000_000_000n));
    await expect.poll(() => from).toBe(local.val.port);
    expect(must(socket.localAddress())).toEqual(local);
  });
});

describe("listening", () => {
  async function listening(guest: Guest): Promise<TcpSocket> {
    const socket = guest.tcp();
    must(socket.startBind(guest.network, at("127.0.0.1")));
    expect(codeOf(socket.localAddress())).toBe("invalid-state");
    must(socket.finishBind());
    must(socket.startListen());
    expect(codeOf(socket.startListen())).toBe("concurrency-conflict");
    must(await whenDone(socket, () => socket.finishListen()));
    expect(socket.isListening()).toBe(true);
    return socket;
  }

  test("accepts connections, each with its streams", async () => {
    using guest = new Guest({ listen: true });
    const listener = await listening(guest);
    expect(codeOf(listener.accept())).toBe("would-block");
    expect(listener.subscribe().ready()).toBe(false);
    const { port } = must(listener.localAddress()).val;
    const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const got: string[] = [];
    client.on("data", (chunk: Buffer) => got.push(chunk.toString()));
    client.end("question");
    const [accepted, input, output] = must(await whenDone(listener, () => listener.accept()));
    expect(must(accepted.remoteAddress())).toEqual(at("127.0.0.1", client.localPort));
    expect(accepted.isListening()).toBe(false);
    expect(await readAll(input)).toBe("question");
    must(await output.blockingWriteAndFlush(bytes("answer")));
    must(accepted.shutdown("both"));
    await once(client, "end");
    expect(got.join("")).toBe("answer");
    expect([
      codeOf(listener.setListenBacklogSize(1n)),
      codeOf(listener.startConnect(guest.network, at("127.0.0.1", 1))),
      codeOf(listener.shutdown("both")),
      codeOf(accepted.accept()),
    ]).toEqual(["not-supported", "invalid-state", "invalid-state", "invalid-state"]);
  });

  test("is refused on what is not loopback, and on what is taken", async () => {
    await using peer = await Peer.start(() => undefined);
    using guest = new Guest({ listen: true });
    expect(codeOf(guest.tcp().startBind(guest.network, at("192.168.7.7")))).toBe("access-denied");
    expect(codeOf(guest.tcp().startBind(guest.network, at("127.0.0.1", peer.port)))).toBe("address-in-use");
  });

  test("takes no more connections than there may be sockets, and closes those that wait", async () => {
    using guest = new Guest({ listen: true, bounds: { connectionsMax: 1 } });
    const listener = await listening(guest);
    const client = connect({ port: must(listener.localAddress()).val.port, host: "127.0.0.1" });
    client.on("error", () => undefined);
    expect(codeOf(await whenDone(listener, () => listener.accept()))).toBe("new-socket-limit");
    listener[Symbol.dispose]();
    await once(client, "close");
    expect(guest.context.connections.held).toBe(0);
  });

  test("ends with the instance", async () => {
    const guest = new Guest({ listen: true });
    const listener = await listening(guest);
    const { port } = must(listener.localAddress()).val;
    guest.context.end();
    const client = connect({ port, host: "127.0.0.1" });
    await expect(once(client, "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect(guest.context.connections.held).toBe(0);
  });
});

describe("udp", () => {
  async function peer(): Promise<ReturnType<typeof createSocket>> {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    return socket;
  }

  function bound(guest: Guest, address = "0.0.0.0"): UdpSocket {
    const socket = guest.udp();
    must(socket.startBind(guest.network, at(address)));
    must(socket.finishBind());
    expect(codeOf(socket.finishBind())).toBe("not-in-progress");
    return socket;
  }

  test("sends and receives, unconnected and connected", async () => {
    await using server = await peer();
    server.on("message", (data, from) => server.send(`got ${data.toString()}`, from.port, from.address));
    using guest = new Guest(loopback);
    const socket = bound(guest);
    const to = at("127.0.0.1", server.address().port);
    for (const remote of [undefined, to]) {
      const [input, output] = must(socket.stream(remote));
      expect(must(output.checkSend())).toBeGreaterThan(0n);
      const datagrams = [
        { data: bytes("one"), remoteAddress: to },
        { data: bytes("two"), ...(remote === undefined ? { remoteAddress: to } : {}) },
      ];
      expect(must(output.send(datagrams))).toBe(2n);
      const received: string[] = [];
      while (received.length < 2) {
        await input.subscribe().block();
        for (const { data, remoteAddress } of must(input.receive(1n))) {
          expect(remoteAddress).toEqual(to);
          received.push(text(data));
        }
      }
      expect(received.sort()).toEqual(["got one", "got two"]);
      expect(must(input.receive(10n))).toEqual([]);
      expect(codeOf(socket.remoteAddress())).toBe(remote === undefined ? "invalid-state" : "ok");
    }
  });

  test("a client hears only those that it has sent to", async () => {
    await using friend = await peer();
    await using stranger = await peer();
    using guest = new Guest(loopback);
    const socket = bound(guest);
    const [input, output] = must(socket.stream(undefined));
    const { port } = must(socket.localAddress()).val;
    must(output.checkSend());
    must(output.send([{ data: bytes("x"), remoteAddress: at("127.0.0.1", friend.address().port) }]));
    await once(friend, "message");
    await new Promise((resolve) => stranger.send("evil", port, "127.0.0.1", resolve));
    await new Promise((resolve) => friend.send("good", port, "127.0.0.1", resolve));
    await input.subscribe().block();
    expect(must(input.receive(10n)).map(({ data }) => text(data))).toEqual(["good"]);
  });

  test("with leave to listen it hears everybody, on loopback", async () => {
    await using stranger = await peer();
    using guest = new Guest({ listen: true });
    const socket = bound(guest, "127.0.0.1");
    const [input] = must(socket.stream(undefined));
    stranger.send("hello", must(socket.localAddress()).val.port, "127.0.0.1");
    await input.subscribe().block();
    expect(must(input.receive(10n)).map(({ data }) => text(data))).toEqual(["hello"]);
  });

  test("refuses what cannot be sent, and says how far it came", async () => {
    await using server = await peer();
    using guest = new Guest(loopback);
    const socket = bound(guest);
    const to = at("127.0.0.1", server.address().port);
    expect(codeOf(socket.stream(at("127.0.0.2", 1)))).toBe("access-denied");
    expect(codeOf(socket.stream(at("127.0.0.1", 0)))).toBe("invalid-argument");
    const [, output] = must(socket.stream(undefined));
    expect(() => output.send([{ data: bytes("x"), remoteAddress: to }])).toThrow("check-send");
    const send = (...datagrams: Parameters<typeof output.send>[0]): unknown => {
      must(output.checkSend());
      return output.send(datagrams).val;
    };
    expect(send({ data: bytes("x") })).toBe("invalid-argument");
    expect(send({ data: bytes("x"), remoteAddress: at("::1", 1) })).toBe("invalid-argument");
    expect(send({ data: bytes("x"), remoteAddress: at("127.0.0.2", 1) })).toBe("access-denied");
    expect(send({ data: new Uint8Array(65_508), remoteAddress: to })).toBe("datagram-too-large");
    expect(send({ data: bytes("x"), remoteAddress: to }, { data: bytes("y") })).toBe(1n);
    expect(send()).toBe(0n);
    const [, second] = must(socket.stream(to));
    expect(codeOf(output.checkSend())).toBe("invalid-state");
    must(second.checkSend());
    expect(codeOf(second.send([{ data: bytes("x"), remoteAddress: at("127.0.0.1", 1) }]))).toBe("invalid-argument");
  });

  test("closes when the socket and its streams are dropped", () => {
    using guest = new Guest(loopback);
    const socket = bound(guest);
    must(socket.setUnicastHopLimit(3));
    must(socket.setReceiveBufferSize(8192n));
    expect(must(socket.sendBufferSize())).toBeGreaterThan(0n);
    const streams = must(socket.stream(undefined));
    socket[Symbol.dispose]();
    expect(guest.context.connections.held).toBe(1);
    for (const stream of streams) stream[Symbol.dispose]();
    expect(guest.context.connections.held).toBe(0);
  });
});
