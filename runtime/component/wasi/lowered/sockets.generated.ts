// Made by lowered.test.ts from WASI's WIT: `npx vitest run --project unit runtime/component/wasi/lowered -u` writes it anew.
import type { CallingGuest, LoweredInterfaces } from "../../instance/calling-guest.ts";
import { CaseNames, noCase } from "../../abi/variant-codecs.ts";
import { allocateList, checkList, readOctets, storeListAt, storeOctets } from "../../abi/list-codec.ts";
import { readString } from "../../abi/string-codec.ts";
import type { IncomingDatagramStream, OutgoingDatagramStream } from "../sockets/udp-streams.ts";
import type { ResolveAddressStream } from "../sockets/ip-name-lookup.ts";
import type { TcpSocket } from "../sockets/tcp-socket.ts";
import type { UdpSocket } from "../sockets/udp-socket.ts";

const cases123 = new CaseNames([
  "unknown",
  "access-denied",
  "not-supported",
  "invalid-argument",
  "out-of-memory",
  "timeout",
  "concurrency-conflict",
  "not-in-progress",
  "would-block",
  "invalid-state",
  "new-socket-limit",
  "address-not-bindable",
  "address-in-use",
  "remote-unreachable",
  "connection-refused",
  "connection-reset",
  "connection-aborted",
  "datagram-too-large",
  "name-unresolvable",
  "temporary-resolver-failure",
  "permanent-resolver-failure",
]);

function store124(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 1, cases123.index(value));
  }
}

function store127(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setUint8(pointer, value[0]);
  guest.context.view.setUint8(pointer + 1, value[1]);
  guest.context.view.setUint8(pointer + 2, value[2]);
  guest.context.view.setUint8(pointer + 3, value[3]);
}

function store128(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setUint16(pointer, value[0], true);
  guest.context.view.setUint16(pointer + 2, value[1], true);
  guest.context.view.setUint16(pointer + 4, value[2], true);
  guest.context.view.setUint16(pointer + 6, value[3], true);
  guest.context.view.setUint16(pointer + 8, value[4], true);
  guest.context.view.setUint16(pointer + 10, value[5], true);
  guest.context.view.setUint16(pointer + 12, value[6], true);
  guest.context.view.setUint16(pointer + 14, value[7], true);
}

function store129(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases129.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 0) {
    store127(guest, value.val, pointer + 2);
  }
  if (index === 1) {
    store128(guest, value.val, pointer + 2);
  }
}

const cases129 = new CaseNames([
  "ipv4",
  "ipv6",
]);

function store130(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store129(guest, value, pointer + 2);
  }
}

function store131(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store130(guest, value.val, pointer + 2);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 2, cases123.index(value.val));
  }
}

function store134(guest: CallingGuest, value: any, pointer: number, resolveAddressStreamType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, resolveAddressStreamType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases123.index(value.val));
  }
}

function store136(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setUint16(pointer, value.port, true);
  store127(guest, value.address, pointer + 2);
}

function store137(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setUint16(pointer, value.port, true);
  guest.context.view.setUint32(pointer + 4, value.flowInfo, true);
  store128(guest, value.address, pointer + 8);
  guest.context.view.setUint32(pointer + 24, value.scopeId, true);
}

function lift138(guest: CallingGuest, tag: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number, p8: number, p9: number, p10: number, p11: number): any {
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

function store138(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases138.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 0) {
    store136(guest, value.val, pointer + 4);
  }
  if (index === 1) {
    store137(guest, value.val, pointer + 4);
  }
}

const cases138 = new CaseNames([
  "ipv4",
  "ipv6",
]);

function load138(guest: CallingGuest, pointer: number): any {
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

function store139(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 1, cases123.index(value.val));
  }
}

function store140(guest: CallingGuest, value: any, pointer: number, inputStreamType: number, outputStreamType: number): void {
  guest.context.view.setUint32(pointer, guest.handle(value[0], inputStreamType), true);
  guest.context.view.setUint32(pointer + 4, guest.handle(value[1], outputStreamType), true);
}

function store141(guest: CallingGuest, value: any, pointer: number, inputStreamType: number, outputStreamType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store140(guest, value.val, pointer + 4, inputStreamType, outputStreamType);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases123.index(value.val));
  }
}

function store143(guest: CallingGuest, value: any, pointer: number, tcpSocketType: number, inputStreamType: number, outputStreamType: number): void {
  guest.context.view.setUint32(pointer, guest.handle(value[0], tcpSocketType), true);
  guest.context.view.setUint32(pointer + 4, guest.handle(value[1], inputStreamType), true);
  guest.context.view.setUint32(pointer + 8, guest.handle(value[2], outputStreamType), true);
}

function store144(guest: CallingGuest, value: any, pointer: number, tcpSocketType: number, inputStreamType: number, outputStreamType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store143(guest, value.val, pointer + 4, tcpSocketType, inputStreamType, outputStreamType);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases123.index(value.val));
  }
}

function store145(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store138(guest, value.val, pointer + 4);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases123.index(value.val));
  }
}

const cases146 = new CaseNames([
  "ipv4",
  "ipv6",
]);

function store147(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint8(pointer + 1, value.val ? 1 : 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 1, cases123.index(value.val));
  }
}

function store148(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setBigUint64(pointer + 8, value.val, true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 8, cases123.index(value.val));
  }
}

function store149(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, value.val, true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases123.index(value.val));
  }
}

function store150(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint8(pointer + 1, value.val);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 1, cases123.index(value.val));
  }
}

const cases151 = new CaseNames([
  "receive",
  "send",
  "both",
]);

function store152(guest: CallingGuest, value: any, pointer: number, tcpSocketType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, tcpSocketType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases123.index(value.val));
  }
}

function lift154(guest: CallingGuest, tag: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number, p8: number, p9: number, p10: number, p11: number, p12: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return lift138(guest, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12);
    default:
      return noCase(guest.context, index, 2);
  }
}

function load154(guest: CallingGuest, pointer: number): any {
  const index = guest.context.view.getUint8(pointer);
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return load138(guest, pointer + 4);
    default:
      return noCase(guest.context, index, 2);
  }
}

function store157(guest: CallingGuest, value: any, pointer: number, incomingDatagramStreamType: number, outgoingDatagramStreamType: number): void {
  guest.context.view.setUint32(pointer, guest.handle(value[0], incomingDatagramStreamType), true);
  guest.context.view.setUint32(pointer + 4, guest.handle(value[1], outgoingDatagramStreamType), true);
}

function store158(guest: CallingGuest, value: any, pointer: number, incomingDatagramStreamType: number, outgoingDatagramStreamType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store157(guest, value.val, pointer + 4, incomingDatagramStreamType, outgoingDatagramStreamType);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases123.index(value.val));
  }
}

function store160(guest: CallingGuest, value: any, pointer: number): void {
  storeOctets(guest.context, value.data, pointer);
  store138(guest, value.remoteAddress, pointer + 8);
}

function store161(guest: CallingGuest, values: any, pointer: number): void {
  const at = allocateList(guest.context, values.length, elements161);
  for (let index = 0; index < values.length; index++) {
    store160(guest, values[index], at + index * 40);
  }
  storeListAt(guest.context, pointer, at, values.length);
}

const elements161 = { size: 40, alignment: 4, heldBytes: 64 };

function store162(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store161(guest, value.val, pointer + 4);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases123.index(value.val));
  }
}

function list165(guest: CallingGuest, pointer: number, count: number): any {
  checkList(guest.context, pointer, count, elements165);
  const values: any[] = [];
  for (let at = pointer; at < pointer + count * 44; at += 44) values.push({ data: readOctets(guest.context, guest.context.view.getUint32(at, true), guest.context.view.getUint32(at + 4, true)), remoteAddress: load154(guest, at + 8) });
  return values;
}

const elements165 = { size: 44, alignment: 4, heldBytes: 64 };

function store167(guest: CallingGuest, value: any, pointer: number, udpSocketType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, udpSocketType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases123.index(value.val));
  }
}

export const socketsFunctions: LoweredInterfaces = {
  "wasi:sockets/network": {
    "network-error-code": (guest, index, [errorType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.borrow<any>(p0, errorType)) as any;
        guest.leave();
        store124(guest, result, guest.at(p1, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:sockets/instance-network": {
    "instance-network": (guest, index, [networkType]) => () => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        return guest.handle(result, networkType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:sockets/ip-name-lookup": {
    "[method]resolve-address-stream.resolve-next-address": (guest, index, [resolveAddressStreamType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<ResolveAddressStream>(p0, resolveAddressStreamType).resolveNextAddress();
        guest.leave();
        store131(guest, result, guest.at(p1, 22, 2));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]resolve-address-stream.subscribe": (guest, index, [resolveAddressStreamType, pollableType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<ResolveAddressStream>(p0, resolveAddressStreamType).subscribe();
        guest.leave();
        return guest.handle(result, pollableType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "resolve-addresses": (guest, index, [networkType, resolveAddressStreamType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.borrow<any>(p0, networkType), readString(guest.context, p1 >>> 0, p2 >>> 0)) as any;
        guest.leave();
        store134(guest, result, guest.at(p3, 8, 4), resolveAddressStreamType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:sockets/tcp": {
    "[method]tcp-socket.start-bind": (guest, index, [tcpSocketType, networkType]) => (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number, p8: number, p9: number, p10: number, p11: number, p12: number, p13: number, p14: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).startBind(guest.borrow<any>(p1, networkType), lift138(guest, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13));
        guest.leave();
        store139(guest, result, guest.at(p14, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.finish-bind": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).finishBind();
        guest.leave();
        store139(guest, result, guest.at(p1, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.start-connect": (guest, index, [tcpSocketType, networkType]) => (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number, p8: number, p9: number, p10: number, p11: number, p12: number, p13: number, p14: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).startConnect(guest.borrow<any>(p1, networkType), lift138(guest, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13));
        guest.leave();
        store139(guest, result, guest.at(p14, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.finish-connect": (guest, index, [tcpSocketType, inputStreamType, outputStreamType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).finishConnect();
        guest.leave();
        store141(guest, result, guest.at(p1, 12, 4), inputStreamType, outputStreamType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.start-listen": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).startListen();
        guest.leave();
        store139(guest, result, guest.at(p1, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.finish-listen": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).finishListen();
        guest.leave();
        store139(guest, result, guest.at(p1, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.accept": (guest, index, [tcpSocketType, inputStreamType, outputStreamType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).accept();
        guest.leave();
        store144(guest, result, guest.at(p1, 16, 4), tcpSocketType, inputStreamType, outputStreamType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.local-address": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).localAddress();
        guest.leave();
        store145(guest, result, guest.at(p1, 36, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.remote-address": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).remoteAddress();
        guest.leave();
        store145(guest, result, guest.at(p1, 36, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.is-listening": (guest, index, [tcpSocketType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).isListening();
        guest.leave();
        return result ? 1 : 0;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.address-family": (guest, index, [tcpSocketType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).addressFamily();
        guest.leave();
        return cases146.index(result);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-listen-backlog-size": (guest, index, [tcpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setListenBacklogSize(BigInt.asUintN(64, p1));
        guest.leave();
        store139(guest, result, guest.at(p2, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.keep-alive-enabled": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).keepAliveEnabled();
        guest.leave();
        store147(guest, result, guest.at(p1, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-keep-alive-enabled": (guest, index, [tcpSocketType]) => (p0: number, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setKeepAliveEnabled(p1 !== 0);
        guest.leave();
        store139(guest, result, guest.at(p2, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.keep-alive-idle-time": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).keepAliveIdleTime();
        guest.leave();
        store148(guest, result, guest.at(p1, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-keep-alive-idle-time": (guest, index, [tcpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setKeepAliveIdleTime(BigInt.asUintN(64, p1));
        guest.leave();
        store139(guest, result, guest.at(p2, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.keep-alive-interval": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).keepAliveInterval();
        guest.leave();
        store148(guest, result, guest.at(p1, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-keep-alive-interval": (guest, index, [tcpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setKeepAliveInterval(BigInt.asUintN(64, p1));
        guest.leave();
        store139(guest, result, guest.at(p2, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.keep-alive-count": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).keepAliveCount();
        guest.leave();
        store149(guest, result, guest.at(p1, 8, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-keep-alive-count": (guest, index, [tcpSocketType]) => (p0: number, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setKeepAliveCount(p1 >>> 0);
        guest.leave();
        store139(guest, result, guest.at(p2, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.hop-limit": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).hopLimit();
        guest.leave();
        store150(guest, result, guest.at(p1, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-hop-limit": (guest, index, [tcpSocketType]) => (p0: number, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setHopLimit(p1 & 0xff);
        guest.leave();
        store139(guest, result, guest.at(p2, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.receive-buffer-size": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).receiveBufferSize();
        guest.leave();
        store148(guest, result, guest.at(p1, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-receive-buffer-size": (guest, index, [tcpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setReceiveBufferSize(BigInt.asUintN(64, p1));
        guest.leave();
        store139(guest, result, guest.at(p2, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.send-buffer-size": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).sendBufferSize();
        guest.leave();
        store148(guest, result, guest.at(p1, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.set-send-buffer-size": (guest, index, [tcpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).setSendBufferSize(BigInt.asUintN(64, p1));
        guest.leave();
        store139(guest, result, guest.at(p2, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.subscribe": (guest, index, [tcpSocketType, pollableType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).subscribe();
        guest.leave();
        return guest.handle(result, pollableType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]tcp-socket.shutdown": (guest, index, [tcpSocketType]) => (p0: number, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<TcpSocket>(p0, tcpSocketType).shutdown((cases151.name(guest.context, p1 >>> 0) as any));
        guest.leave();
        store139(guest, result, guest.at(p2, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:sockets/tcp-create-socket": {
    "create-tcp-socket": (guest, index, [tcpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)((cases146.name(guest.context, p0 >>> 0) as any)) as any;
        guest.leave();
        store152(guest, result, guest.at(p1, 8, 4), tcpSocketType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:sockets/udp": {
    "[method]udp-socket.start-bind": (guest, index, [udpSocketType, networkType]) => (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number, p8: number, p9: number, p10: number, p11: number, p12: number, p13: number, p14: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).startBind(guest.borrow<any>(p1, networkType), lift138(guest, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13));
        guest.leave();
        store139(guest, result, guest.at(p14, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.finish-bind": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).finishBind();
        guest.leave();
        store139(guest, result, guest.at(p1, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.stream": (guest, index, [udpSocketType, incomingDatagramStreamType, outgoingDatagramStreamType]) => (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number, p8: number, p9: number, p10: number, p11: number, p12: number, p13: number, p14: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).stream(lift154(guest, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13));
        guest.leave();
        store158(guest, result, guest.at(p14, 12, 4), incomingDatagramStreamType, outgoingDatagramStreamType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.local-address": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).localAddress();
        guest.leave();
        store145(guest, result, guest.at(p1, 36, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.remote-address": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).remoteAddress();
        guest.leave();
        store145(guest, result, guest.at(p1, 36, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.address-family": (guest, index, [udpSocketType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).addressFamily();
        guest.leave();
        return cases146.index(result);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.unicast-hop-limit": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).unicastHopLimit();
        guest.leave();
        store150(guest, result, guest.at(p1, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.set-unicast-hop-limit": (guest, index, [udpSocketType]) => (p0: number, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).setUnicastHopLimit(p1 & 0xff);
        guest.leave();
        store139(guest, result, guest.at(p2, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.receive-buffer-size": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).receiveBufferSize();
        guest.leave();
        store148(guest, result, guest.at(p1, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.set-receive-buffer-size": (guest, index, [udpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).setReceiveBufferSize(BigInt.asUintN(64, p1));
        guest.leave();
        store139(guest, result, guest.at(p2, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.send-buffer-size": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).sendBufferSize();
        guest.leave();
        store148(guest, result, guest.at(p1, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.set-send-buffer-size": (guest, index, [udpSocketType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).setSendBufferSize(BigInt.asUintN(64, p1));
        guest.leave();
        store139(guest, result, guest.at(p2, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]udp-socket.subscribe": (guest, index, [udpSocketType, pollableType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<UdpSocket>(p0, udpSocketType).subscribe();
        guest.leave();
        return guest.handle(result, pollableType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]incoming-datagram-stream.receive": (guest, index, [incomingDatagramStreamType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<IncomingDatagramStream>(p0, incomingDatagramStreamType).receive(BigInt.asUintN(64, p1));
        guest.leave();
        store162(guest, result, guest.at(p2, 12, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]incoming-datagram-stream.subscribe": (guest, index, [incomingDatagramStreamType, pollableType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<IncomingDatagramStream>(p0, incomingDatagramStreamType).subscribe();
        guest.leave();
        return guest.handle(result, pollableType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-datagram-stream.check-send": (guest, index, [outgoingDatagramStreamType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingDatagramStream>(p0, outgoingDatagramStreamType).checkSend();
        guest.leave();
        store148(guest, result, guest.at(p1, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-datagram-stream.send": (guest, index, [outgoingDatagramStreamType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingDatagramStream>(p0, outgoingDatagramStreamType).send(list165(guest, p1 >>> 0, p2 >>> 0));
        guest.leave();
        store148(guest, result, guest.at(p3, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-datagram-stream.subscribe": (guest, index, [outgoingDatagramStreamType, pollableType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingDatagramStream>(p0, outgoingDatagramStreamType).subscribe();
        guest.leave();
        return guest.handle(result, pollableType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:sockets/udp-create-socket": {
    "create-udp-socket": (guest, index, [udpSocketType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)((cases146.name(guest.context, p0 >>> 0) as any)) as any;
        guest.leave();
        store167(guest, result, guest.at(p1, 8, 4), udpSocketType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
};
