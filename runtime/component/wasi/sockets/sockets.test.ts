import { describe, expect, test } from "vitest";
import { EgressFault } from "../../egress/egress.ts";
import { IoError } from "../io-error.ts";
import type { Pollable } from "../io-poll.ts";
import type { Result } from "../result.ts";
import { type IpAddress, isLocal, isRemote, parseAddress, socketAddress, addressText } from "./ip-address.ts";
import { socketsIpNameLookup } from "./ip-name-lookup.ts";
import { socketsNetwork } from "./network.ts";
import { type NetworkErrorCode, networkErrorOf } from "./network-error.ts";
import { at, codeOf, Guest, must, whenDone } from "./sockets.fixture.ts";
import { TcpSocket } from "./tcp-socket.ts";
import { UdpSocket } from "./udp-socket.ts";

describe("addresses", () => {
  test.each(["1.2.3.4", "0.0.0.0", "::", "::1", "2606:4700::1111", "fe80::1"])("%s survives", (text) => {
    const address = socketAddress(text, 7);
    const again = socketAddress(addressText(address), 7);
    expect(again).toEqual(address);
    expect(address.val.address).toEqual(parseAddress(text).val);
  });

  test("a zone is a scope", () => {
    expect(socketAddress("fe80::1%3", 1).val).toMatchObject({ scopeId: 3 });
    expect(addressText(socketAddress("fe80::1%3", 1))).toBe("fe80:0:0:0:0:0:0:1%3");
  });

  test.each([
    { address: at("1.2.3.4", 1), local: true, remote: true },
    { address: at("1.2.3.4", 0), local: true, remote: false },
    { address: at("0.0.0.0", 1), local: true, remote: false },
    { address: at("224.0.0.1", 1), local: false, remote: false },
    { address: at("239.255.255.255", 1), local: false, remote: false },
    { address: at("255.255.255.255", 1), local: false, remote: false },
    { address: at("::1", 1), local: false, remote: false },
  ])("$address.val.address $address.val.port: local $local, remote $remote", ({ address, local, remote }) => {
    expect([isLocal(address, "ipv4"), isRemote(address, "ipv4")]).toEqual([local, remote]);
  });

  test.each([
    ["::1", true],
    ["::", false],
    ["::ffff:1.2.3.4", false],
    ["ff02::1", false],
    ["2001:db8::1", true],
  ])("%s: an IPv6 remote end: %s", (text, isOne) => {
    expect(isRemote(at(text, 1), "ipv6")).toBe(isOne);
  });
});

test.each([
  ["ECONNREFUSED", "connection-refused"],
  ["EHOSTUNREACH", "remote-unreachable"],
  ["EADDRNOTAVAIL", "address-not-bindable"],
  ["ENOTFOUND", "name-unresolvable"],
  ["EAI_AGAIN", "temporary-resolver-failure"],
  ["EWHATEVER", "unknown"],
])("%s: %s", (code, expected) => {
  const error = Object.assign(new Error("failed"), { code });
  expect(networkErrorOf(error)).toBe(expected);
  if (expected.includes("resol")) expect(networkErrorOf(new EgressFault("DNS", "x", { cause: error }))).toBe(expected);
});

test("an error of a stream says what the network said", () => {
  using guest = new Guest();
  const { networkErrorCode } = socketsNetwork(guest) as { networkErrorCode: (error: IoError) => unknown };
  expect(networkErrorCode(new IoError(guest.context, "x", { kind: "network", code: "timeout" }))).toBe("timeout");
  expect(networkErrorCode(new IoError(guest.context, "x"))).toBeUndefined();
});

describe("tcp-socket", () => {
  test.each([
    { to: at("127.0.0.1", 80), code: "access-denied" },
    { to: at("10.0.0.1", 80), code: "access-denied" },
    { to: at("169.254.169.254", 80), code: "access-denied" },
    { to: at("1.1.1.1", 0), code: "invalid-argument" },
    { to: at("0.0.0.0", 80), code: "invalid-argument" },
    { to: at("224.0.0.1", 80), code: "invalid-argument" },
    { to: at("::1", 80), code: "invalid-argument" },
  ])("connecting to $to.val.address: $code", ({ to, code }) => {
    using guest = new Guest();
    const socket = guest.tcp();
    expect(codeOf(socket.startConnect(guest.network, to))).toBe(code);
    expect(codeOf(socket.finishConnect())).toBe("not-in-progress");
  });

  test.each(["0.0.0.0", "127.0.0.1", "192.168.0.1"])("without leave to listen, %s is not bound to", (address) => {
    using guest = new Guest();
    const socket = guest.tcp();
    expect(codeOf(socket.startBind(guest.network, at(address)))).toBe("access-denied");
    expect(codeOf(socket.finishBind())).toBe("not-in-progress");
    expect(codeOf(socket.startListen())).toBe("invalid-state");
  });

  test("a new socket is in no state for most things", () => {
    using guest = new Guest();
    const socket = guest.tcp();
    const { network } = guest;
    expect(
      [
        socket.finishBind(),
        socket.finishConnect(),
        socket.startListen(),
        socket.finishListen(),
        socket.accept(),
        socket.localAddress(),
        socket.remoteAddress(),
        socket.shutdown("both"),
        socket.startBind(network, at("::1")),
      ].map(codeOf),
    ).toEqual([
      "not-in-progress",
      "not-in-progress",
      "invalid-state",
      "not-in-progress",
      "invalid-state",
      "invalid-state",
      "invalid-state",
      "invalid-state",
      "invalid-argument",
    ]);
    expect([socket.isListening(), socket.addressFamily(), socket.subscribe().ready()]).toEqual([false, "ipv4", true]);
  });

  test("options are kept as far as they can be, and refused where there are none", () => {
    using guest = new Guest();
    const socket = guest.tcp();
    expect(must(socket.keepAliveEnabled())).toBe(false);
    must(socket.setKeepAliveEnabled(true));
    must(socket.setKeepAliveIdleTime(1n));
    must(socket.setKeepAliveInterval(2n ** 63n));
    must(socket.setKeepAliveCount(1000));
    expect(must(socket.keepAliveEnabled())).toBe(true);
    expect(must(socket.keepAliveIdleTime())).toBe(1_000_000_000n);
    expect(must(socket.keepAliveInterval())).toBe(32_767_000_000_000n);
    expect(must(socket.keepAliveCount())).toBe(127);
    const zeroes = [
      socket.setKeepAliveIdleTime(0n),
      socket.setKeepAliveInterval(0n),
      socket.setKeepAliveCount(0),
      socket.setHopLimit(0),
      socket.setReceiveBufferSize(0n),
      socket.setSendBufferSize(0n),
      socket.setListenBacklogSize(0n),
    ];
    expect(zeroes.map(codeOf)).toEqual(zeroes.map(() => "invalid-argument"));
    const absent = [
      socket.hopLimit(),
      socket.setHopLimit(1),
      socket.receiveBufferSize(),
      socket.setReceiveBufferSize(1n),
      socket.sendBufferSize(),
      socket.setSendBufferSize(1n),
    ];
    expect(absent.map(codeOf)).toEqual(absent.map(() => "not-supported"));
    must(socket.setListenBacklogSize(5n));
  });
});

test("sockets are bounded, and given back", () => {
  using guest = new Guest({ bounds: { connectionsMax: 2 } });
  const [tcp, udp] = [guest.tcp(), guest.udp()];
  expect(codeOf(TcpSocket.create(guest.context, "ipv6"))).toBe("new-socket-limit");
  expect(codeOf(UdpSocket.create(guest.context, "ipv6"))).toBe("new-socket-limit");
  tcp[Symbol.dispose]();
  udp[Symbol.dispose]();
  expect(guest.context.connections.held).toBe(0);
  guest.udp();
  guest.context.end();
  expect(guest.context.connections.held).toBe(0);
});

describe("udp-socket", () => {
  test("a new socket is in no state for most things, and is not bound where others could reach it", () => {
    using guest = new Guest();
    const socket = guest.udp();
    const results = [
      socket.stream(undefined),
      socket.localAddress(),
      socket.remoteAddress(),
      socket.finishBind(),
      socket.startBind(guest.network, at("127.0.0.1", 0)),
      socket.startBind(guest.network, at("0.0.0.0", 53)),
      socket.startBind(guest.network, at("::")),
      socket.startBind(guest.network, at("224.0.0.1")),
    ];
    expect(results.map(codeOf)).toEqual([
      "invalid-state",
      "invalid-state",
      "invalid-state",
      "not-in-progress",
      "access-denied",
      "access-denied",
      "invalid-argument",
      "invalid-argument",
    ]);
  });

  test("options are kept until it is bound", () => {
    using guest = new Guest();
    const socket = guest.udp();
    expect(must(socket.unicastHopLimit())).toBe(64);
    must(socket.setUnicastHopLimit(5));
    must(socket.setReceiveBufferSize(4096n));
    must(socket.setSendBufferSize(2n ** 40n));
    expect(must(socket.unicastHopLimit())).toBe(5);
    expect(must(socket.receiveBufferSize())).toBe(4096n);
    expect(must(socket.sendBufferSize())).toBe(2n ** 31n - 1n);
    expect(codeOf(socket.setUnicastHopLimit(0))).toBe("invalid-argument");
  });
});

describe("ip-name-lookup", () => {
  interface Stream {
    resolveNextAddress(): Result<IpAddress | undefined, NetworkErrorCode>;
    subscribe(): Pollable;
  }
  type Resolve = (network: unknown, name: string) => { tag: "ok"; val: Stream } | { tag: "err"; val: never };

  async function resolve(guest: Guest, name: string): Promise<unknown> {
    const { resolveAddresses } = socketsIpNameLookup(guest) as { resolveAddresses: Resolve };
    const started = resolveAddresses(guest.network, name);
    if (started.tag === "err") return started.val;
    const found: string[] = [];
    for (;;) {
      const next = await whenDone(started.val, () => started.val.resolveNextAddress());
      if (next.tag === "err") return next.val;
      if (next.val === undefined) return found;
      found.push(next.val.val.join("."));
    }
  }

  const names = {
    "mixed.test": [
      { address: "10.0.0.1", family: 4 },
      { address: "1.1.1.1", family: 4 },
    ],
    "xn--bcher-kva.test": [{ address: "2.2.2.2", family: 4 }],
    "inside.test": [{ address: "169.254.169.254", family: 4 }],
    "later.test": Object.assign(new Error("try again"), { code: "EAI_AGAIN" }),
    "gone.test": Object.assign(new Error("no such name"), { code: "ENOTFOUND" }),
  } as const;

  test.each([
    { name: "mixed.test", answer: ["1.1.1.1"] },
    { name: "MIXED.test", answer: ["1.1.1.1"] },
    { name: "bücher.test", answer: ["2.2.2.2"] },
    { name: "inside.test", answer: "access-denied" },
    { name: "later.test", answer: "temporary-resolver-failure" },
    { name: "gone.test", answer: "name-unresolvable" },
    { name: "nothing.test", answer: "name-unresolvable" },
    { name: "127.0.0.1", answer: ["127.0.0.1"] },
    { name: "", answer: "invalid-argument" },
    { name: "a b", answer: "invalid-argument" },
  ])("$name: $answer", async ({ name, answer }) => {
    using guest = new Guest({ names });
    expect(await resolve(guest, name)).toEqual(answer);
    expect(guest.context.connections.held).toBe(0);
  });
});
