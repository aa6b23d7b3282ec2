// Made by lowered.test.ts from WASI's WIT: `npx vitest run --project unit runtime/component/wasi/lowered -u` writes it anew.
import type { CallingGuest, LoweredInterfaces } from "../../instance/calling-guest.ts";
import { CaseNames, noCase } from "../../abi/variant-codecs.ts";
import { allocateList, checkList, readOctets, storeListAt, storeOctets } from "../../abi/list-codec.ts";
import { readString, storeString } from "../../abi/string-codec.ts";
import type { Fields } from "../http-fields.ts";
import type { FutureIncomingResponse } from "../http-future-response.ts";
import type { FutureTrailers, IncomingBody, IncomingRequest, IncomingResponse } from "../http-incoming.ts";
import type { OutgoingBody, OutgoingResponse, ResponseOutparam } from "../http-outgoing.ts";
import type { OutgoingRequest, RequestOptions } from "../http-outgoing-request.ts";

function store4(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    storeString(guest.context, value, pointer + 4);
  }
}

function lift4(guest: CallingGuest, tag: number, p1: number, p2: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return readString(guest.context, p1 >>> 0, p2 >>> 0);
    default:
      return noCase(guest.context, index, 2);
  }
}

function store66(guest: CallingGuest, value: any, pointer: number): void {
  storeString(guest.context, value[0], pointer);
  storeOctets(guest.context, value[1], pointer + 8);
}

function list67(guest: CallingGuest, pointer: number, count: number): any {
  checkList(guest.context, pointer, count, elements67);
  const values: any[] = [];
  for (let at = pointer; at < pointer + count * 16; at += 16) values.push([readString(guest.context, guest.context.view.getUint32(at, true), guest.context.view.getUint32(at + 4, true)), readOctets(guest.context, guest.context.view.getUint32(at + 8, true), guest.context.view.getUint32(at + 12, true))]);
  return values;
}

const elements67 = { size: 16, alignment: 4, heldBytes: 64 };

function store67(guest: CallingGuest, values: any, pointer: number): void {
  const at = allocateList(guest.context, values.length, elements67);
  for (let index = 0; index < values.length; index++) {
    store66(guest, values[index], at + index * 16);
  }
  storeListAt(guest.context, pointer, at, values.length);
}

function store68(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases68.index(value.tag);
  guest.context.view.setUint8(pointer, index);
}

const cases68 = new CaseNames([
  "invalid-syntax",
  "forbidden",
  "immutable",
]);

function store69(guest: CallingGuest, value: any, pointer: number, fieldsType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, fieldsType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store68(guest, value.val, pointer + 4);
  }
}

function store71(guest: CallingGuest, values: any, pointer: number): void {
  const at = allocateList(guest.context, values.length, elements71);
  for (let index = 0; index < values.length; index++) {
    storeOctets(guest.context, values[index], at + index * 8);
  }
  storeListAt(guest.context, pointer, at, values.length);
}

const elements71 = { size: 8, alignment: 4, heldBytes: 64 };

function list71(guest: CallingGuest, pointer: number, count: number): any {
  checkList(guest.context, pointer, count, elements71);
  const values: any[] = [];
  for (let at = pointer; at < pointer + count * 8; at += 8) values.push(readOctets(guest.context, guest.context.view.getUint32(at, true), guest.context.view.getUint32(at + 4, true)));
  return values;
}

function store72(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store68(guest, value.val, pointer + 1);
  }
}

function store74(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases74.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 9) {
    storeString(guest.context, value.val, pointer + 4);
  }
}

const cases74 = new CaseNames([
  "get",
  "head",
  "post",
  "put",
  "delete",
  "connect",
  "options",
  "trace",
  "patch",
  "other",
]);

function lift74(guest: CallingGuest, tag: number, p1: number, p2: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return { tag: "get" };
    case 1:
      return { tag: "head" };
    case 2:
      return { tag: "post" };
    case 3:
      return { tag: "put" };
    case 4:
      return { tag: "delete" };
    case 5:
      return { tag: "connect" };
    case 6:
      return { tag: "options" };
    case 7:
      return { tag: "trace" };
    case 8:
      return { tag: "patch" };
    case 9:
      return { tag: "other", val: readString(guest.context, p1 >>> 0, p2 >>> 0) };
    default:
      return noCase(guest.context, index, 10);
  }
}

function store75(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases75.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 2) {
    storeString(guest.context, value.val, pointer + 4);
  }
}

const cases75 = new CaseNames([
  "HTTP",
  "HTTPS",
  "other",
]);

function lift75(guest: CallingGuest, tag: number, p1: number, p2: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return { tag: "HTTP" };
    case 1:
      return { tag: "HTTPS" };
    case 2:
      return { tag: "other", val: readString(guest.context, p1 >>> 0, p2 >>> 0) };
    default:
      return noCase(guest.context, index, 3);
  }
}

function store76(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store75(guest, value, pointer + 4);
  }
}

function lift76(guest: CallingGuest, tag: number, p1: number, p2: number, p3: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return lift75(guest, p1, p2, p3);
    default:
      return noCase(guest.context, index, 2);
  }
}

function store78(guest: CallingGuest, value: any, pointer: number, incomingBodyType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, incomingBodyType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
  }
}

function store82(guest: CallingGuest, value: any, pointer: number, outgoingBodyType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, outgoingBodyType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
  }
}

function store85(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setBigUint64(pointer + 8, value, true);
  }
}

function lift85(guest: CallingGuest, tag: number, p1: bigint): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return BigInt.asUintN(64, p1);
    default:
      return noCase(guest.context, index, 2);
  }
}

function store88(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint16(pointer + 2, value, true);
  }
}

function lift88(guest: CallingGuest, tag: number, p1: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return p1 & 0xffff;
    default:
      return noCase(guest.context, index, 2);
  }
}

function store89(guest: CallingGuest, value: any, pointer: number): void {
  store4(guest, value.rcode, pointer);
  store88(guest, value.infoCode, pointer + 12);
}

function store90(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 1, value);
  }
}

function lift90(guest: CallingGuest, tag: number, p1: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return p1 & 0xff;
    default:
      return noCase(guest.context, index, 2);
  }
}

function store91(guest: CallingGuest, value: any, pointer: number): void {
  store90(guest, value.alertId, pointer);
  store4(guest, value.alertMessage, pointer + 4);
}

function store92(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint32(pointer + 4, value, true);
  }
}

function lift92(guest: CallingGuest, tag: number, p1: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return p1 >>> 0;
    default:
      return noCase(guest.context, index, 2);
  }
}

function store93(guest: CallingGuest, value: any, pointer: number): void {
  store4(guest, value.fieldName, pointer);
  store92(guest, value.fieldSize, pointer + 12);
}

function store94(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store93(guest, value, pointer + 4);
  }
}

function lift94(guest: CallingGuest, tag: number, p1: number, p2: number, p3: number, p4: number, p5: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return { fieldName: lift4(guest, p1, p2, p3), fieldSize: lift92(guest, p4, p5) };
    default:
      return noCase(guest.context, index, 2);
  }
}

function store95(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases95.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 1) {
    store89(guest, value.val, pointer + 8);
  }
  if (index === 14) {
    store91(guest, value.val, pointer + 8);
  }
  if (index === 17) {
    store85(guest, value.val, pointer + 8);
  }
  if (index === 21) {
    store92(guest, value.val, pointer + 8);
  }
  if (index === 22) {
    store94(guest, value.val, pointer + 8);
  }
  if (index === 23) {
    store92(guest, value.val, pointer + 8);
  }
  if (index === 24) {
    store93(guest, value.val, pointer + 8);
  }
  if (index === 26) {
    store92(guest, value.val, pointer + 8);
  }
  if (index === 27) {
    store93(guest, value.val, pointer + 8);
  }
  if (index === 28) {
    store85(guest, value.val, pointer + 8);
  }
  if (index === 29) {
    store92(guest, value.val, pointer + 8);
  }
  if (index === 30) {
    store93(guest, value.val, pointer + 8);
  }
  if (index === 31) {
    store4(guest, value.val, pointer + 8);
  }
  if (index === 32) {
    store4(guest, value.val, pointer + 8);
  }
  if (index === 38) {
    store4(guest, value.val, pointer + 8);
  }
}

const cases95 = new CaseNames([
  "DNS-timeout",
  "DNS-error",
  "destination-not-found",
  "destination-unavailable",
  "destination-IP-prohibited",
  "destination-IP-unroutable",
  "connection-refused",
  "connection-terminated",
  "connection-timeout",
  "connection-read-timeout",
  "connection-write-timeout",
  "connection-limit-reached",
  "TLS-protocol-error",
  "TLS-certificate-error",
  "TLS-alert-received",
  "HTTP-request-denied",
  "HTTP-request-length-required",
  "HTTP-request-body-size",
  "HTTP-request-method-invalid",
  "HTTP-request-URI-invalid",
  "HTTP-request-URI-too-long",
  "HTTP-request-header-section-size",
  "HTTP-request-header-size",
  "HTTP-request-trailer-section-size",
  "HTTP-request-trailer-size",
  "HTTP-response-incomplete",
  "HTTP-response-header-section-size",
  "HTTP-response-header-size",
  "HTTP-response-body-size",
  "HTTP-response-trailer-section-size",
  "HTTP-response-trailer-size",
  "HTTP-response-transfer-coding",
  "HTTP-response-content-coding",
  "HTTP-response-timeout",
  "HTTP-upgrade-failed",
  "HTTP-protocol-error",
  "loop-detected",
  "configuration-error",
  "internal-error",
]);

function lift95(guest: CallingGuest, tag: number, p1: number, p2: bigint, p3: number, p4: number, p5: number, p6: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return { tag: "DNS-timeout" };
    case 1:
      return { tag: "DNS-error", val: { rcode: lift4(guest, p1, Number(BigInt.asIntN(32, p2)), p3), infoCode: lift88(guest, p4, p5) } };
    case 2:
      return { tag: "destination-not-found" };
    case 3:
      return { tag: "destination-unavailable" };
    case 4:
      return { tag: "destination-IP-prohibited" };
    case 5:
      return { tag: "destination-IP-unroutable" };
    case 6:
      return { tag: "connection-refused" };
    case 7:
      return { tag: "connection-terminated" };
    case 8:
      return { tag: "connection-timeout" };
    case 9:
      return { tag: "connection-read-timeout" };
    case 10:
      return { tag: "connection-write-timeout" };
    case 11:
      return { tag: "connection-limit-reached" };
    case 12:
      return { tag: "TLS-protocol-error" };
    case 13:
      return { tag: "TLS-certificate-error" };
    case 14:
      return { tag: "TLS-alert-received", val: { alertId: lift90(guest, p1, Number(BigInt.asIntN(32, p2))), alertMessage: lift4(guest, p3, p4, p5) } };
    case 15:
      return { tag: "HTTP-request-denied" };
    case 16:
      return { tag: "HTTP-request-length-required" };
    case 17:
      return { tag: "HTTP-request-body-size", val: lift85(guest, p1, p2) };
    case 18:
      return { tag: "HTTP-request-method-invalid" };
    case 19:
      return { tag: "HTTP-request-URI-invalid" };
    case 20:
      return { tag: "HTTP-request-URI-too-long" };
    case 21:
      return { tag: "HTTP-request-header-section-size", val: lift92(guest, p1, Number(BigInt.asIntN(32, p2))) };
    case 22:
      return { tag: "HTTP-request-header-size", val: lift94(guest, p1, Number(BigInt.asIntN(32, p2)), p3, p4, p5, p6) };
    case 23:
      return { tag: "HTTP-request-trailer-section-size", val: lift92(guest, p1, Number(BigInt.asIntN(32, p2))) };
    case 24:
      return { tag: "HTTP-request-trailer-size", val: { fieldName: lift4(guest, p1, Number(BigInt.asIntN(32, p2)), p3), fieldSize: lift92(guest, p4, p5) } };
    case 25:
      return { tag: "HTTP-response-incomplete" };
    case 26:
      return { tag: "HTTP-response-header-section-size", val: lift92(guest, p1, Number(BigInt.asIntN(32, p2))) };
    case 27:
      return { tag: "HTTP-response-header-size", val: { fieldName: lift4(guest, p1, Number(BigInt.asIntN(32, p2)), p3), fieldSize: lift92(guest, p4, p5) } };
    case 28:
      return { tag: "HTTP-response-body-size", val: lift85(guest, p1, p2) };
    case 29:
      return { tag: "HTTP-response-trailer-section-size", val: lift92(guest, p1, Number(BigInt.asIntN(32, p2))) };
    case 30:
      return { tag: "HTTP-response-trailer-size", val: { fieldName: lift4(guest, p1, Number(BigInt.asIntN(32, p2)), p3), fieldSize: lift92(guest, p4, p5) } };
    case 31:
      return { tag: "HTTP-response-transfer-coding", val: lift4(guest, p1, Number(BigInt.asIntN(32, p2)), p3) };
    case 32:
      return { tag: "HTTP-response-content-coding", val: lift4(guest, p1, Number(BigInt.asIntN(32, p2)), p3) };
    case 33:
      return { tag: "HTTP-response-timeout" };
    case 34:
      return { tag: "HTTP-upgrade-failed" };
    case 35:
      return { tag: "HTTP-protocol-error" };
    case 36:
      return { tag: "loop-detected" };
    case 37:
      return { tag: "configuration-error" };
    case 38:
      return { tag: "internal-error", val: lift4(guest, p1, Number(BigInt.asIntN(32, p2)), p3) };
    default:
      return noCase(guest.context, index, 39);
  }
}

function store96(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store95(guest, value.val, pointer + 8);
  }
}

function lift99(guest: CallingGuest, tag: number, p1: number, p2: number, p3: bigint, p4: number, p5: number, p6: number, p7: number, outgoingResponseType: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return { tag: "ok", val: guest.own<any>(p1, outgoingResponseType) };
    case 1:
      return { tag: "err", val: lift95(guest, p1, p2, p3, p4, p5, p6, p7) };
    default:
      return noCase(guest.context, index, 2);
  }
}

function store102(guest: CallingGuest, value: any, pointer: number, inputStreamType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, inputStreamType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
  }
}

function store105(guest: CallingGuest, value: any, pointer: number, fieldsType: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint32(pointer + 4, guest.handle(value, fieldsType), true);
  }
}

function lift105(guest: CallingGuest, tag: number, p1: number, fieldsType: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return guest.own<any>(p1, fieldsType);
    default:
      return noCase(guest.context, index, 2);
  }
}

function store106(guest: CallingGuest, value: any, pointer: number, fieldsType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store105(guest, value.val, pointer + 8, fieldsType);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store95(guest, value.val, pointer + 8);
  }
}

function store107(guest: CallingGuest, value: any, pointer: number, fieldsType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store106(guest, value.val, pointer + 8, fieldsType);
  } else {
    guest.context.view.setUint8(pointer, 1);
  }
}

function store108(guest: CallingGuest, value: any, pointer: number, fieldsType: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store107(guest, value, pointer + 8, fieldsType);
  }
}

function store111(guest: CallingGuest, value: any, pointer: number, outputStreamType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, outputStreamType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
  }
}

function store114(guest: CallingGuest, value: any, pointer: number, incomingResponseType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 8, guest.handle(value.val, incomingResponseType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store95(guest, value.val, pointer + 8);
  }
}

function store115(guest: CallingGuest, value: any, pointer: number, incomingResponseType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store114(guest, value.val, pointer + 8, incomingResponseType);
  } else {
    guest.context.view.setUint8(pointer, 1);
  }
}

function store116(guest: CallingGuest, value: any, pointer: number, incomingResponseType: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store115(guest, value, pointer + 8, incomingResponseType);
  }
}

function store117(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store95(guest, value, pointer + 8);
  }
}

function lift119(guest: CallingGuest, tag: number, p1: number, requestOptionsType: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return guest.own<any>(p1, requestOptionsType);
    default:
      return noCase(guest.context, index, 2);
  }
}

function store121(guest: CallingGuest, value: any, pointer: number, futureIncomingResponseType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 8, guest.handle(value.val, futureIncomingResponseType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store95(guest, value.val, pointer + 8);
  }
}

export const httpFunctions: LoweredInterfaces = {
  "wasi:http/types": {
    "[constructor]fields": (guest, index, [fieldsType]) => () => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        return guest.handle(result, fieldsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[static]fields.from-list": (guest, index, [fieldsType]) => (p0: number, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(list67(guest, p0 >>> 0, p1 >>> 0)) as any;
        guest.leave();
        store69(guest, result, guest.at(p2, 8, 4), fieldsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]fields.get": (guest, index, [fieldsType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Fields>(p0, fieldsType).get(readString(guest.context, p1 >>> 0, p2 >>> 0));
        guest.leave();
        store71(guest, result, guest.at(p3, 8, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]fields.has": (guest, index, [fieldsType]) => (p0: number, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Fields>(p0, fieldsType).has(readString(guest.context, p1 >>> 0, p2 >>> 0));
        guest.leave();
        return result ? 1 : 0;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]fields.set": (guest, index, [fieldsType]) => (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Fields>(p0, fieldsType).set(readString(guest.context, p1 >>> 0, p2 >>> 0), list71(guest, p3 >>> 0, p4 >>> 0));
        guest.leave();
        store72(guest, result, guest.at(p5, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]fields.delete": (guest, index, [fieldsType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Fields>(p0, fieldsType).delete(readString(guest.context, p1 >>> 0, p2 >>> 0));
        guest.leave();
        store72(guest, result, guest.at(p3, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]fields.append": (guest, index, [fieldsType]) => (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Fields>(p0, fieldsType).append(readString(guest.context, p1 >>> 0, p2 >>> 0), readOctets(guest.context, p3 >>> 0, p4 >>> 0));
        guest.leave();
        store72(guest, result, guest.at(p5, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]fields.entries": (guest, index, [fieldsType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Fields>(p0, fieldsType).entries();
        guest.leave();
        store67(guest, result, guest.at(p1, 8, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]fields.clone": (guest, index, [fieldsType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Fields>(p0, fieldsType).clone();
        guest.leave();
        return guest.handle(result, fieldsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]incoming-request.method": (guest, index, [incomingRequestType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<IncomingRequest>(p0, incomingRequestType).method();
        guest.leave();
        store74(guest, result, guest.at(p1, 12, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]incoming-request.path-with-query": (guest, index, [incomingRequestType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<IncomingRequest>(p0, incomingRequestType).pathWithQuery();
        guest.leave();
        store4(guest, result, guest.at(p1, 12, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]incoming-request.scheme": (guest, index, [incomingRequestType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<IncomingRequest>(p0, incomingRequestType).scheme();
        guest.leave();
        store76(guest, result, guest.at(p1, 16, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]incoming-request.authority": (guest, index, [incomingRequestType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<IncomingRequest>(p0, incomingRequestType).authority();
        guest.leave();
        store4(guest, result, guest.at(p1, 12, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]incoming-request.headers": (guest, index, [incomingRequestType, fieldsType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<IncomingRequest>(p0, incomingRequestType).headers();
        guest.leave();
        return guest.handle(result, fieldsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]incoming-request.consume": (guest, index, [incomingRequestType, incomingBodyType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<IncomingRequest>(p0, incomingRequestType).consume();
        guest.leave();
        store78(guest, result, guest.at(p1, 8, 4), incomingBodyType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[constructor]outgoing-request": (guest, index, [fieldsType, outgoingRequestType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.own<any>(p0, fieldsType)) as any;
        guest.leave();
        return guest.handle(result, outgoingRequestType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-request.body": (guest, index, [outgoingRequestType, outgoingBodyType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingRequest>(p0, outgoingRequestType).body();
        guest.leave();
        store82(guest, result, guest.at(p1, 8, 4), outgoingBodyType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-request.method": (guest, index, [outgoingRequestType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingRequest>(p0, outgoingRequestType).method();
        guest.leave();
        store74(guest, result, guest.at(p1, 12, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-request.set-method": (guest, index, [outgoingRequestType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingRequest>(p0, outgoingRequestType).setMethod(lift74(guest, p1, p2, p3));
        guest.leave();
        return result.tag === "ok" ? 0 : 1;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-request.path-with-query": (guest, index, [outgoingRequestType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingRequest>(p0, outgoingRequestType).pathWithQuery();
        guest.leave();
        store4(guest, result, guest.at(p1, 12, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-request.set-path-with-query": (guest, index, [outgoingRequestType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingRequest>(p0, outgoingRequestType).setPathWithQuery(lift4(guest, p1, p2, p3));
        guest.leave();
        return result.tag === "ok" ? 0 : 1;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-request.scheme": (guest, index, [outgoingRequestType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingRequest>(p0, outgoingRequestType).scheme();
        guest.leave();
        store76(guest, result, guest.at(p1, 16, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-request.set-scheme": (guest, index, [outgoingRequestType]) => (p0: number, p1: number, p2: number, p3: number, p4: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingRequest>(p0, outgoingRequestType).setScheme(lift76(guest, p1, p2, p3, p4));
        guest.leave();
        return result.tag === "ok" ? 0 : 1;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-request.authority": (guest, index, [outgoingRequestType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingRequest>(p0, outgoingRequestType).authority();
        guest.leave();
        store4(guest, result, guest.at(p1, 12, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-request.set-authority": (guest, index, [outgoingRequestType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingRequest>(p0, outgoingRequestType).setAuthority(lift4(guest, p1, p2, p3));
        guest.leave();
        return result.tag === "ok" ? 0 : 1;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-request.headers": (guest, index, [outgoingRequestType, fieldsType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingRequest>(p0, outgoingRequestType).headers();
        guest.leave();
        return guest.handle(result, fieldsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[constructor]request-options": (guest, index, [requestOptionsType]) => () => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        return guest.handle(result, requestOptionsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request-options.connect-timeout": (guest, index, [requestOptionsType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<RequestOptions>(p0, requestOptionsType).connectTimeout();
        guest.leave();
        store85(guest, result, guest.at(p1, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request-options.set-connect-timeout": (guest, index, [requestOptionsType]) => (p0: number, p1: number, p2: bigint) => {
      try {
        guest.enter(index);
        const result = guest.borrow<RequestOptions>(p0, requestOptionsType).setConnectTimeout(lift85(guest, p1, p2));
        guest.leave();
        return result.tag === "ok" ? 0 : 1;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request-options.first-byte-timeout": (guest, index, [requestOptionsType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<RequestOptions>(p0, requestOptionsType).firstByteTimeout();
        guest.leave();
        store85(guest, result, guest.at(p1, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request-options.set-first-byte-timeout": (guest, index, [requestOptionsType]) => (p0: number, p1: number, p2: bigint) => {
      try {
        guest.enter(index);
        const result = guest.borrow<RequestOptions>(p0, requestOptionsType).setFirstByteTimeout(lift85(guest, p1, p2));
        guest.leave();
        return result.tag === "ok" ? 0 : 1;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request-options.between-bytes-timeout": (guest, index, [requestOptionsType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<RequestOptions>(p0, requestOptionsType).betweenBytesTimeout();
        guest.leave();
        store85(guest, result, guest.at(p1, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request-options.set-between-bytes-timeout": (guest, index, [requestOptionsType]) => (p0: number, p1: number, p2: bigint) => {
      try {
        guest.enter(index);
        const result = guest.borrow<RequestOptions>(p0, requestOptionsType).setBetweenBytesTimeout(lift85(guest, p1, p2));
        guest.leave();
        return result.tag === "ok" ? 0 : 1;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]response-outparam.send-informational": (guest, index, [responseOutparamType, fieldsType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<ResponseOutparam>(p0, responseOutparamType).sendInformational(p1 & 0xffff, guest.own<any>(p2, fieldsType));
        guest.leave();
        store96(guest, result, guest.at(p3, 40, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[static]response-outparam.set": (guest, index, [responseOutparamType, outgoingResponseType]) => (p0: number, p1: number, p2: number, p3: number, p4: bigint, p5: number, p6: number, p7: number, p8: number) => {
      try {
        guest.enter(index);
        guest.callable(index)(guest.own<any>(p0, responseOutparamType), lift99(guest, p1, p2, p3, p4, p5, p6, p7, p8, outgoingResponseType));
        guest.leave();
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]incoming-response.status": (guest, index, [incomingResponseType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<IncomingResponse>(p0, incomingResponseType).status();
        guest.leave();
        return result & 0xffff;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]incoming-response.headers": (guest, index, [incomingResponseType, fieldsType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<IncomingResponse>(p0, incomingResponseType).headers();
        guest.leave();
        return guest.handle(result, fieldsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]incoming-response.consume": (guest, index, [incomingResponseType, incomingBodyType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<IncomingResponse>(p0, incomingResponseType).consume();
        guest.leave();
        store78(guest, result, guest.at(p1, 8, 4), incomingBodyType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]incoming-body.stream": (guest, index, [incomingBodyType, inputStreamType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<IncomingBody>(p0, incomingBodyType).stream();
        guest.leave();
        store102(guest, result, guest.at(p1, 8, 4), inputStreamType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[static]incoming-body.finish": (guest, index, [incomingBodyType, futureTrailersType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.own<any>(p0, incomingBodyType)) as any;
        guest.leave();
        return guest.handle(result, futureTrailersType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]future-trailers.subscribe": (guest, index, [futureTrailersType, pollableType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<FutureTrailers>(p0, futureTrailersType).subscribe();
        guest.leave();
        return guest.handle(result, pollableType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]future-trailers.get": (guest, index, [futureTrailersType, fieldsType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<FutureTrailers>(p0, futureTrailersType).get();
        guest.leave();
        store108(guest, result, guest.at(p1, 56, 8), fieldsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[constructor]outgoing-response": (guest, index, [fieldsType, outgoingResponseType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.own<any>(p0, fieldsType)) as any;
        guest.leave();
        return guest.handle(result, outgoingResponseType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-response.status-code": (guest, index, [outgoingResponseType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingResponse>(p0, outgoingResponseType).statusCode();
        guest.leave();
        return result & 0xffff;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-response.set-status-code": (guest, index, [outgoingResponseType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingResponse>(p0, outgoingResponseType).setStatusCode(p1 & 0xffff);
        guest.leave();
        return result.tag === "ok" ? 0 : 1;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-response.headers": (guest, index, [outgoingResponseType, fieldsType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingResponse>(p0, outgoingResponseType).headers();
        guest.leave();
        return guest.handle(result, fieldsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-response.body": (guest, index, [outgoingResponseType, outgoingBodyType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingResponse>(p0, outgoingResponseType).body();
        guest.leave();
        store82(guest, result, guest.at(p1, 8, 4), outgoingBodyType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]outgoing-body.write": (guest, index, [outgoingBodyType, outputStreamType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutgoingBody>(p0, outgoingBodyType).write();
        guest.leave();
        store111(guest, result, guest.at(p1, 8, 4), outputStreamType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[static]outgoing-body.finish": (guest, index, [outgoingBodyType, fieldsType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.own<any>(p0, outgoingBodyType), lift105(guest, p1, p2, fieldsType)) as any;
        guest.leave();
        store96(guest, result, guest.at(p3, 40, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]future-incoming-response.subscribe": (guest, index, [futureIncomingResponseType, pollableType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<FutureIncomingResponse>(p0, futureIncomingResponseType).subscribe();
        guest.leave();
        return guest.handle(result, pollableType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]future-incoming-response.get": (guest, index, [futureIncomingResponseType, incomingResponseType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<FutureIncomingResponse>(p0, futureIncomingResponseType).get();
        guest.leave();
        store116(guest, result, guest.at(p1, 56, 8), incomingResponseType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "http-error-code": (guest, index, [errorType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.borrow<any>(p0, errorType)) as any;
        guest.leave();
        store117(guest, result, guest.at(p1, 40, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:http/outgoing-handler": {
    "handle": (guest, index, [outgoingRequestType, requestOptionsType, futureIncomingResponseType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.own<any>(p0, outgoingRequestType), lift119(guest, p1, p2, requestOptionsType)) as any;
        guest.leave();
        store121(guest, result, guest.at(p3, 40, 8), futureIncomingResponseType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
};
