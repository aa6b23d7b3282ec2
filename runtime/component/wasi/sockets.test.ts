import { expect, test } from "vitest";
import { testContext } from "./context.fixture.ts";
import { filesystemPreopens, filesystemTypes } from "./filesystem.ts";
import { socketsIpNameLookup, socketsTcp, socketsTcpCreate, socketsUdp, socketsUdpCreate } from "./sockets.ts";

type Methods = Readonly<Record<string, () => unknown>>;
const denied = { tag: "err", val: "access-denied" };

test("raw sockets and names are denied", () => {
  const { context } = testContext();
  expect((socketsTcpCreate(context) as Methods)["createTcpSocket"]?.()).toEqual(denied);
  expect((socketsUdpCreate(context) as Methods)["createUdpSocket"]?.()).toEqual(denied);
  expect((socketsIpNameLookup(context) as Methods)["resolveAddresses"]?.()).toEqual(denied);
  const { TcpSocket } = socketsTcp(context) as { TcpSocket: { prototype: Methods } };
  const { UdpSocket } = socketsUdp(context) as { UdpSocket: { prototype: Methods } };
  expect(TcpSocket.prototype["startConnect"]?.()).toEqual(denied);
  expect(UdpSocket.prototype["stream"]?.()).toEqual(denied);
});

test("there is no directory, and no descriptor answers", () => {
  const { context } = testContext();
  expect((filesystemPreopens(context) as Methods)["getDirectories"]?.()).toEqual([]);
  const { Descriptor } = filesystemTypes(context) as { Descriptor: { prototype: Methods } };
  for (const method of ["openAt", "stat", "readViaStream", "metadataHash"]) {
    expect(Descriptor.prototype[method]?.()).toEqual({ tag: "err", val: "bad-descriptor" });
  }
});
