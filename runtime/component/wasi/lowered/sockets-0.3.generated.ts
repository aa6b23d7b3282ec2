// Made by lowered.test.ts from WASI's WIT: `npx vitest run --project unit runtime/component/wasi/lowered -u` writes it anew.
import type { AsyncLoweredInterfaces, CallingGuest, LoweredInterfaces } from "../../instance/calling-guest.ts";
import type { TransferredType } from "../../abi/async-codecs.ts";
import { CaseNames, noCase } from "../../abi/variant-codecs.ts";
import { allocateList, readOctets, storeListAt, storeOctets } from "../../abi/list-codec.ts";
import { readString, storeString } from "../../abi/string-codec.ts";
import type { TcpSocket } from "../p3/tcp-socket.ts";
import type { UdpSocket } from "../p3/udp-socket.ts";

function store4(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    storeString(guest.context, value, pointer + 4);
  }
}

const cases91 = new CaseNames([
  "ipv4",
  "ipv6",
]);

function store93(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases93.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 14) {
    store4(guest, value.val, pointer + 4);
  }
}

const cases93 = new CaseNames([
  "access-denied",
  "not-supported",
  "invalid-argument",
  "out-of-memory",
  "timeout",
  "invalid-state",
  "address-not-bindable",
  "address-in-use",
  "remote-unreachable",
  "connection-refused",
  "connection-broken",
  "connection-reset",
  "connection-aborted",
  "datagram-too-large",
  "other",
]);

function store94(guest: CallingGuest, value: any, pointer: number, tcpSocketType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, tcpSocketType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store93(guest, value.val, pointer + 4);
  }
}

function store96(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setUint8(pointer, value[0]);
  guest.context.view.setUint8(pointer + 1, value[1]);
  guest.context.view.setUint8(pointer + 2, value[2]);
  guest.context.view.setUint8(pointer + 3, value[3]);
}

function store97(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setUint16(pointer, value.port, true);
  store96(guest, value.address, pointer + 2);
}

function store98(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setUint16(pointer, value[0], true);
  guest.context.view.setUint16(pointer + 2, value[1], true);
  guest.context.view.setUint16(pointer + 4, value[2], true);
  guest.context.view.setUint16(pointer + 6, value[3], true);
  guest.context.view.setUint16(pointer + 8, value[4], true);
  guest.context.view.setUint16(pointer + 10, value[5], true);
  guest.context.view.setUint16(pointer + 12, value[6], true);
  guest.context.view.setUint16(pointer + 14, value[7], true);
}

function store99(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setUint16(pointer, value.port, true);
  guest.context.view.setUint32(pointer + 4, value.flowInfo, true);
  store98(guest, value.address, pointer + 8);
  guest.context.view.setUint32(pointer + 24, value.scopeId, true);
}

function lift100(guest: CallingGuest, tag: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number, p8: number, p9: number, p10: number, p11: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return { tag: "ipv4", val: { port: p1 & 0xffff, address: [p2 & 0xff, p3 & 0xff, p4 & 0xff, p5 & 0xff] } };
    case 1:
      return { tag: "ipv6", val: { port: p1 & 0xffff, flowInfo: p2 >>> 0, address: [p3 & 0xffff, p4 & 0xffff, p5 & 0xffff, p6 & 0xffff, p7 & 0xffff, p8 & 0xffff, p9 & 0xffff, p10 & 0xffff], scopeId: p11 >>> 0 } };
    default:
      return noCase(guest.context, index, 2);
  }
}

function store100(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases100.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 0) {
    store97(guest, value.val, pointer + 4);
  }
  if (index === 1) {
    store99(guest, value.val, pointer + 4);
  }
}

const cases100 = new CaseNames([
  "ipv4",
  "ipv6",
]);

function load100(guest: CallingGuest, pointer: number): any {
  const index = guest.context.view.getUint8(pointer);
  switch (index) {
    case 0:
      return { tag: "ipv4", val: { port: guest.context.view.getUint16(pointer + 4, true), address: [guest.context.view.getUint8(pointer + 6), guest.context.view.getUint8(pointer + 7), guest.context.view.getUint8(pointer + 8), guest.context.view.getUint8(pointer + 9)] } };
    case 1:
      return { tag: "ipv6", val: { port: guest.context.view.getUint16(pointer + 4, true), flowInfo: guest.context.view.getUint32(pointer + 8, true), address: [guest.context.view.getUint16(pointer + 12, true), guest.context.view.getUint16(pointer + 14, true), guest.context.view.getUint16(pointer + 16, true), guest.context.view.getUint16(pointer + 18, true), guest.context.view.getUint16(pointer + 20, true), guest.context.view.getUint16(pointer + 22, true), guest.context.view.getUint16(pointer + 24, true), guest.context.view.getUint16(pointer + 26, true)], scopeId: guest.context.view.getUint32(pointer + 28, true) } };
    default:
      return noCase(guest.context, index, 2);
  }
}

function store101(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store93(guest, value.val, pointer + 4);
  }
}

function store103(guest: CallingGuest, value: any, pointer: number, tcpSocketType: number, stream102Type: TransferredType | undefined): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.streamHandle(value.val, stream102Type), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store93(guest, value.val, pointer + 4);
  }
}

function store105(guest: CallingGuest, value: any, pointer: number, stream7Type: TransferredType | undefined, future104Type: TransferredType | undefined): void {
  guest.context.view.setUint32(pointer, guest.streamHandle(value[0], stream7Type), true);
  guest.context.view.setUint32(pointer + 4, guest.futureHandle(value[1], future104Type), true);
}

function store106(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store100(guest, value.val, pointer + 4);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store93(guest, value.val, pointer + 4);
  }
}

function store107(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint8(pointer + 4, value.val ? 1 : 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store93(guest, value.val, pointer + 4);
  }
}

function store108(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setBigUint64(pointer + 8, value.val, true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store93(guest, value.val, pointer + 8);
  }
}

function store109(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, value.val, true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store93(guest, value.val, pointer + 4);
  }
}

function store110(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint8(pointer + 4, value.val);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store93(guest, value.val, pointer + 4);
  }
}

function store112(guest: CallingGuest, value: any, pointer: number, udpSocketType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, udpSocketType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store93(guest, value.val, pointer + 4);
  }
}

function lift114(guest: CallingGuest, tag: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number, p8: number, p9: number, p10: number, p11: number, p12: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return lift100(guest, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12);
    default:
      return noCase(guest.context, index, 2);
  }
}

function load114(guest: CallingGuest, pointer: number): any {
  const index = guest.context.view.getUint8(pointer);
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return load100(guest, pointer + 4);
    default:
      return noCase(guest.context, index, 2);
  }
}

function store115(guest: CallingGuest, value: any, pointer: number): void {
  storeOctets(guest.context, value[0], pointer);
  store100(guest, value[1], pointer + 8);
}

function store116(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store115(guest, value.val, pointer + 4);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store93(guest, value.val, pointer + 4);
  }
}

function store117(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases117.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 0) {
    store96(guest, value.val, pointer + 2);
  }
  if (index === 1) {
    store98(guest, value.val, pointer + 2);
  }
}

const cases117 = new CaseNames([
  "ipv4",
  "ipv6",
]);

function store118(guest: CallingGuest, values: any, pointer: number): void {
  const at = allocateList(guest.context, values.length, elements118);
  for (let index = 0; index < values.length; index++) {
    store117(guest, values[index], at + index * 18);
  }
  storeListAt(guest.context, pointer, at, values.length);
}

const elements118 = { size: 18, alignment: 2, heldBytes: 64 };

function store119(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases119.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 5) {
    store4(guest, value.val, pointer + 4);
  }
}

const cases119 = new CaseNames([
  "access-denied",
  "invalid-argument",
  "name-unresolvable",
  "temporary-resolver-failure",
  "permanent-resolver-failure",
  "other",
]);

function store120(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store118(guest, value.val, pointer + 4);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store119(guest, value.val, pointer + 4);
  }
}

export const socketsFunctions03: LoweredInterfaces = {
  "wasi:sockets/types@0.3": {
    "[static]tcp-socket.create": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)((cases91.name(guest.context, p0 >>> 0) as any)) as any;
        guest.leave();
        store94(guest, result, guest.at(p1, 20, 4), tcpSocketType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.bind": (guest, index, [tcpSocketType]) => (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number, p8: number, p9: number, p10: number, p11: number, p12: number, p13: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).bind(lift100(guest, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12));
        guest.leave();
        store101(guest, result, guest.at(p13, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.listen": (guest, index, [tcpSocketType], [stream102Type]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).listen();
        guest.leave();
        store103(guest, result, guest.at(p1, 20, 4), tcpSocketType, stream102Type);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.send": (guest, index, [tcpSocketType], [stream7Type, future104Type]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).send(guest.stream(p1, stream7Type));
        guest.leave();
        return guest.futureHandle(result, future104Type);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.receive": (guest, index, [tcpSocketType], [stream7Type, future104Type]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).receive();
        guest.leave();
        store105(guest, result, guest.at(p1, 8, 4), stream7Type, future104Type);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.get-local-address": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).getLocalAddress();
        guest.leave();
        store106(guest, result, guest.at(p1, 36, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.get-remote-address": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).getRemoteAddress();
        guest.leave();
        store106(guest, result, guest.at(p1, 36, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.get-is-listening": (guest, index, [tcpSocketType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).getIsListening();
        guest.leave();
        return result ? 1 : 0;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.get-address-family": (guest, index, [tcpSocketType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).getAddressFamily();
        guest.leave();
        return cases91.index(result);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-listen-backlog-size": (guest, index, [tcpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setListenBacklogSize(BigInt.asUintN(64, p1));
        guest.leave();
        store101(guest, result, guest.at(p2, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.get-keep-alive-enabled": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).getKeepAliveEnabled();
        guest.leave();
        store107(guest, result, guest.at(p1, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-keep-alive-enabled": (guest, index, [tcpSocketType]) => (p0: number, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setKeepAliveEnabled(p1 !== 0);
        guest.leave();
        store101(guest, result, guest.at(p2, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.get-keep-alive-idle-time": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).getKeepAliveIdleTime();
        guest.leave();
        store108(guest, result, guest.at(p1, 24, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-keep-alive-idle-time": (guest, index, [tcpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setKeepAliveIdleTime(BigInt.asUintN(64, p1));
        guest.leave();
        store101(guest, result, guest.at(p2, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.get-keep-alive-interval": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).getKeepAliveInterval();
        guest.leave();
        store108(guest, result, guest.at(p1, 24, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-keep-alive-interval": (guest, index, [tcpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setKeepAliveInterval(BigInt.asUintN(64, p1));
        guest.leave();
        store101(guest, result, guest.at(p2, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.get-keep-alive-count": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).getKeepAliveCount();
        guest.leave();
        store109(guest, result, guest.at(p1, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-keep-alive-count": (guest, index, [tcpSocketType]) => (p0: number, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setKeepAliveCount(p1 >>> 0);
        guest.leave();
        store101(guest, result, guest.at(p2, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.get-hop-limit": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).getHopLimit();
        guest.leave();
        store110(guest, result, guest.at(p1, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-hop-limit": (guest, index, [tcpSocketType]) => (p0: number, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setHopLimit(p1 & 0xff);
        guest.leave();
        store101(guest, result, guest.at(p2, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.get-receive-buffer-size": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).getReceiveBufferSize();
        guest.leave();
        store108(guest, result, guest.at(p1, 24, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-receive-buffer-size": (guest, index, [tcpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setReceiveBufferSize(BigInt.asUintN(64, p1));
        guest.leave();
        store101(guest, result, guest.at(p2, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.get-send-buffer-size": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).getSendBufferSize();
        guest.leave();
        store108(guest, result, guest.at(p1, 24, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-send-buffer-size": (guest, index, [tcpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setSendBufferSize(BigInt.asUintN(64, p1));
        guest.leave();
        store101(guest, result, guest.at(p2, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[static]udp-socket.create": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)((cases91.name(guest.context, p0 >>> 0) as any)) as any;
        guest.leave();
        store112(guest, result, guest.at(p1, 20, 4), udpSocketType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.bind": (guest, index, [udpSocketType]) => (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number, p8: number, p9: number, p10: number, p11: number, p12: number, p13: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).bind(lift100(guest, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12));
        guest.leave();
        store101(guest, result, guest.at(p13, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.connect": (guest, index, [udpSocketType]) => (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number, p8: number, p9: number, p10: number, p11: number, p12: number, p13: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).connect(lift100(guest, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12));
        guest.leave();
        store101(guest, result, guest.at(p13, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.disconnect": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).disconnect();
        guest.leave();
        store101(guest, result, guest.at(p1, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.get-local-address": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).getLocalAddress();
        guest.leave();
        store106(guest, result, guest.at(p1, 36, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.get-remote-address": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).getRemoteAddress();
        guest.leave();
        store106(guest, result, guest.at(p1, 36, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.get-address-family": (guest, index, [udpSocketType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).getAddressFamily();
        guest.leave();
        return cases91.index(result);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.get-unicast-hop-limit": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).getUnicastHopLimit();
        guest.leave();
        store110(guest, result, guest.at(p1, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.set-unicast-hop-limit": (guest, index, [udpSocketType]) => (p0: number, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).setUnicastHopLimit(p1 & 0xff);
        guest.leave();
        store101(guest, result, guest.at(p2, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.get-receive-buffer-size": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).getReceiveBufferSize();
        guest.leave();
        store108(guest, result, guest.at(p1, 24, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.set-receive-buffer-size": (guest, index, [udpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).setReceiveBufferSize(BigInt.asUintN(64, p1));
        guest.leave();
        store101(guest, result, guest.at(p2, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.get-send-buffer-size": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).getSendBufferSize();
        guest.leave();
        store108(guest, result, guest.at(p1, 24, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.set-send-buffer-size": (guest, index, [udpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).setSendBufferSize(BigInt.asUintN(64, p1));
        guest.leave();
        store101(guest, result, guest.at(p2, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
};

export const socketsAsyncFunctions03: AsyncLoweredInterfaces = {
  "wasi:sockets/types@0.3": {
    "[method]tcp-socket.connect": (guest, _1, [tcpSocketType]) => ({
      call: (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number, p8: number, p9: number, p10: number, p11: number, p12: number) => guest.lend<TcpSocket>(p0, tcpSocketType).connect(lift100(guest, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12)),
      load: (pointer) => {
        const at = guest.at(pointer, 36, 4);
        return guest.lend<TcpSocket>(guest.context.view.getUint32(at, true), tcpSocketType).connect(load100(guest, at + 4));
      },
      finish: (result: any, pointer) => {
        store101(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]udp-socket.send": (guest, _1, [udpSocketType]) => ({
      call: (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number, p8: number, p9: number, p10: number, p11: number, p12: number, p13: number, p14: number, p15: number) => guest.lend<UdpSocket>(p0, udpSocketType).send(readOctets(guest.context, p1 >>> 0, p2 >>> 0), lift114(guest, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15)),
      load: (pointer) => {
        const at = guest.at(pointer, 48, 4);
        return guest.lend<UdpSocket>(guest.context.view.getUint32(at, true), udpSocketType).send(readOctets(guest.context, guest.context.view.getUint32(at + 4, true), guest.context.view.getUint32(at + 8, true)), load114(guest, at + 12));
      },
      finish: (result: any, pointer) => {
        store101(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]udp-socket.receive": (guest, _1, [udpSocketType]) => ({
      call: (p0: number) => guest.lend<UdpSocket>(p0, udpSocketType).receive(),
      finish: (result: any, pointer) => {
        store116(guest, result, guest.at(pointer, 44, 4));
      },
    }),
  },
  "wasi:sockets/ip-name-lookup@0.3": {
    "resolve-addresses": (guest, index) => ({
      call: (p0: number, p1: number) => guest.callable(index)(readString(guest.context, p0 >>> 0, p1 >>> 0)),
      finish: (result: any, pointer) => {
        store120(guest, result, guest.at(pointer, 20, 4));
      },
    }),
  },
};
