import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { cancelOf } from "../../abi/stream.ts";
import { at, Guest } from "../sockets/sockets.fixture.ts";
import { codeOf, must, readText, WrittenStream } from "./reader.fixture.ts";
import { socketsIpNameLookup } from "./sockets.ts";
import { TcpSocket } from "./tcp-socket.ts";
import { UdpSocket } from "./udp-socket.ts";

const loopback = { allowed: ["127.0.0.1"] } as const;
const tcp = (guest: Guest): TcpSocket => must(TcpSocket.create(guest.context, "ipv4"));
const udp = (guest: Guest): UdpSocket => must(UdpSocket.create(guest.context, "ipv4"));
const well = { tag: "ok", val: undefined } as const;

async function echoServer(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

describe("TCP of 0.3", () => {
  test("a connection sends and receives streams, each once", async () => {
    await using server = await echoServer();
    using guest = new Guest(loopback);
    const socket = tcp(guest);
    expect(await socket.connect(at("127.0.0.1", server.port))).toEqual(well);
    const sent = socket.send(WrittenStream.of("ping ", "pong")).read();
    const [reader, received] = socket.receive();
    expect(await readText(reader, 3)).toBe("ping pong");
    expect([await sent, await received]).toEqual([well, well]);
    const late = new WrittenStream();
    expect([codeOf(await socket.send(late).read()), late.isDropped]).toEqual(["invalid-state", true]);
    expect(codeOf(await socket.receive()[1])).toBe("invalid-state");
    expect(must(socket.getRemoteAddress())).toEqual(at("127.0.0.1", server.port));
    expect(must(socket.getLocalAddress()).tag).toBe("ipv4");
    socket[Symbol.dispose]();
  });

  test("its streams outlive the socket's handle, and then it is closed", async () => {
    await using server = await echoServer();
    using guest = new Guest(loopback);
    const socket = tcp(guest);
    must(await socket.connect(at("127.0.0.1", server.port)));
    const data = new WrittenStream();
    const sent = socket.send(data).read();
    const [reader] = socket.receive();
    socket[Symbol.dispose]();
    data.write("still here");
    data.end();
    expect([await readText(reader), await sent]).toEqual(["still here", well]);
    await expect.poll(() => guest.context.connections.held).toBe(0);
  });

  test("what was never connected has no streams", async () => {
    using guest = new Guest();
    const socket = tcp(guest);
    const data = new WrittenStream();
    expect([codeOf(await socket.send(data).read()), data.isDropped]).toEqual(["invalid-state", true]);
    expect(codeOf(await socket.receive()[1])).toBe("invalid-state");
    expect(codeOf(await socket.connect(at("127.0.0.1", 9)))).toBe("access-denied");
    expect(codeOf(socket.bind(at("127.0.0.1")))).toBe("access-denied");
    expect(codeOf(socket.listen())).toBe("access-denied");
  });

  test("a connection that is refused says so, and one that is called off takes no socket", async () => {
    using guest = new Guest(loopback);
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    const socket = tcp(guest);
    expect(codeOf(await socket.connect(at("127.0.0.1", port)))).toBe("connection-refused");
    expect(codeOf(await socket.connect(at("127.0.0.1", port)))).toBe("invalid-state");
    const other = tcp(guest);
    const connecting = other.connect(at("127.0.0.1", port)) as Promise<unknown>;
    cancelOf(connecting)?.();
    other[Symbol.dispose]();
    socket[Symbol.dispose]();
    await expect.poll(() => guest.context.connections.held).toBe(0);
  });

  test("listening gives a stream of sockets, which outlives the listener's handle", async () => {
    using guest = new Guest({ ...loopback, listen: true });
    const listener = tcp(guest);
    must(listener.bind(at("127.0.0.1")));
    must(listener.setListenBacklogSize(4n));
    const { port } = must(listener.getLocalAddress()).val;
    const accepting = must(listener.listen());
    expect(listener.getIsListening()).toBe(true);
    listener[Symbol.dispose]();
    const reading = accepting.read(8);
    const client = connect(port, "127.0.0.1");
    const [accepted] = (await reading) as TcpSocket[];
    client.end("hello");
    const [reader] = accepted!.receive();
    expect(await readText(reader)).toBe("hello");
    const answered = accepted!.send(WrittenStream.of("bye")).read();
    const [data] = (await once(client, "data")) as [Buffer];
    expect([data.toString(), await answered]).toEqual(["bye", well]);
    accepting.drop();
    expect(await accepting.read(1)).toBeUndefined();
    accepted![Symbol.dispose]();
    client.destroy();
    await expect.poll(() => guest.context.connections.held).toBe(0);
  });

  test("a guest that holds as many sockets as it may refuses who comes", async () => {
    using guest = new Guest({ ...loopback, listen: true, bounds: { connectionsMax: 1 } });
    const listener = tcp(guest);
    const accepting = must(listener.listen());
    const reading = accepting.read(1);
    const client = connect(must(listener.getLocalAddress()).val.port, "127.0.0.1");
    client.on("error", () => undefined);
    await once(client, "close");
    accepting.drop();
    expect(await reading).toBeUndefined();
  });

  test("options are kept", () => {
    using guest = new Guest();
    const socket = tcp(guest);
    must(socket.setKeepAliveEnabled(true));
    must(socket.setKeepAliveIdleTime(1n));
    must(socket.setKeepAliveInterval(3_000_000_000n));
    must(socket.setKeepAliveCount(1000));
    expect([
      must(socket.getKeepAliveEnabled()),
      must(socket.getKeepAliveIdleTime()),
      must(socket.getKeepAliveInterval()),
      must(socket.getKeepAliveCount()),
      socket.getAddressFamily(),
    ]).toEqual([true, 1_000_000_000n, 3_000_000_000n, 127, "ipv4"]);
    expect([socket.setKeepAliveCount(0), socket.setHopLimit(0), socket.getHopLimit()].map(codeOf)).toEqual([
      "invalid-argument",
      "invalid-argument",
      "not-supported",
    ]);
  });
});

describe("UDP of 0.3", () => {
  test("a client sends and hears, connected or not", async () => {
    using guest = new Guest(loopback);
    const peer = createSocket("udp4", (data, from) => peer.send(`pong to ${data.toString()}`, from.port, from.address));
    await new Promise<void>((resolve) => peer.bind(0, "127.0.0.1", resolve));
    const to = at("127.0.0.1", peer.address().port);
    const socket = udp(guest);
    expect(codeOf(await socket.receive())).toBe("invalid-state");
    must(await socket.send(Buffer.from("a"), to));
    expect(must(await socket.receive())).toEqual([Buffer.from("pong to a"), to]);
    must(socket.connect(to));
    must(await socket.send(Buffer.from("b"), undefined));
    expect(must(await socket.receive())[0]).toEqual(Buffer.from("pong to b"));
    expect(codeOf(await socket.send(Buffer.from("c"), at("127.0.0.1", 9)))).toBe("invalid-argument");
    must(socket.disconnect());
    expect([codeOf(socket.disconnect()), codeOf(socket.getRemoteAddress())]).toEqual([
      "invalid-state",
      "invalid-state",
    ]);
    expect(codeOf(await socket.send(Buffer.from("d"), undefined))).toBe("invalid-argument");
    expect(codeOf(await socket.send(Buffer.alloc(70_000), to))).toBe("datagram-too-large");
    expect(codeOf(await socket.send(Buffer.from("e"), at("10.0.0.1", 9)))).toBe("access-denied");
    socket[Symbol.dispose]();
    peer.close();
    expect(guest.context.connections.held).toBe(0);
  });

  test("a receive that is called off leaves the datagram to the next", async () => {
    using guest = new Guest(loopback);
    const peer = createSocket("udp4");
    await new Promise<void>((resolve) => peer.bind(0, "127.0.0.1", resolve));
    const socket = udp(guest);
    must(socket.connect(at("127.0.0.1", peer.address().port)));
    const first = socket.receive() as Promise<unknown>;
    cancelOf(first)?.();
    const second = socket.receive();
    peer.send("late", must(socket.getLocalAddress()).val.port, "127.0.0.1");
    expect(must(await second)[0]).toEqual(Buffer.from("late"));
    peer.close();
  });
});

test("names become the addresses that may be reached", async () => {
  using guest = new Guest({ ...loopback, names: { "peer.test": [{ address: "127.0.0.1", family: 4 }] } });
  const { resolveAddresses } = socketsIpNameLookup(guest) as {
    resolveAddresses: (name: string) => Promise<{ tag: "ok"; val: unknown } | { tag: "err"; val: { tag: string } }>;
  };
  expect(await resolveAddresses("peer.test")).toEqual({ tag: "ok", val: [{ tag: "ipv4", val: [127, 0, 0, 1] }] });
  expect(codeOf(await resolveAddresses("nobody.test"))).toBe("name-unresolvable");
  expect(codeOf(await resolveAddresses(""))).toBe("invalid-argument");
});
