// Made by lowered.test.ts from WASI's WIT: `npx vitest run --project unit runtime/component/wasi/lowered -u` writes it anew.
import type { AsyncLoweredInterfaces, CallingGuest, LoweredInterfaces } from "../../instance/calling-guest.ts";
import type { TransferredType } from "../../abi/async-codecs.ts";
import { CaseNames, noCase } from "../../abi/variant-codecs.ts";
import { allocateList, checkList, readOctets, storeListAt, storeOctets } from "../../abi/list-codec.ts";
import { readString, storeString } from "../../abi/string-codec.ts";
import type { Fields } from "../p3/http-fields.ts";
import type { HttpRequest } from "../p3/http-request.ts";
import type { HttpResponse } from "../p3/http-response.ts";
import type { RequestOptions } from "../p3/http-request-options.ts";

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

function store50(guest: CallingGuest, value: any, pointer: number): void {
  storeString(guest.context, value[0], pointer);
  storeOctets(guest.context, value[1], pointer + 8);
}

function list51(guest: CallingGuest, pointer: number, count: number): any {
  checkList(guest.context, pointer, count, elements51);
  const values: any[] = [];
  for (let at = pointer; at < pointer + count * 16; at += 16) values.push([readString(guest.context, guest.context.view.getUint32(at, true), guest.context.view.getUint32(at + 4, true)), readOctets(guest.context, guest.context.view.getUint32(at + 8, true), guest.context.view.getUint32(at + 12, true))]);
  return values;
}

const elements51 = { size: 16, alignment: 4, heldBytes: 64 };

function store51(guest: CallingGuest, values: any, pointer: number): void {
  const at = allocateList(guest.context, values.length, elements51);
  for (let index = 0; index < values.length; index++) {
    store50(guest, values[index], at + index * 16);
  }
  storeListAt(guest.context, pointer, at, values.length);
}

function store52(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases52.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 4) {
    store4(guest, value.val, pointer + 4);
  }
}

const cases52 = new CaseNames([
  "invalid-syntax",
  "forbidden",
  "immutable",
  "size-exceeded",
  "other",
]);

function store53(guest: CallingGuest, value: any, pointer: number, fieldsType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, fieldsType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store52(guest, value.val, pointer + 4);
  }
}

function store55(guest: CallingGuest, values: any, pointer: number): void {
  const at = allocateList(guest.context, values.length, elements55);
  for (let index = 0; index < values.length; index++) {
    storeOctets(guest.context, values[index], at + index * 8);
  }
  storeListAt(guest.context, pointer, at, values.length);
}

const elements55 = { size: 8, alignment: 4, heldBytes: 64 };

function list55(guest: CallingGuest, pointer: number, count: number): any {
  checkList(guest.context, pointer, count, elements55);
  const values: any[] = [];
  for (let at = pointer; at < pointer + count * 8; at += 8) values.push(readOctets(guest.context, guest.context.view.getUint32(at, true), guest.context.view.getUint32(at + 4, true)));
  return values;
}

function store56(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store52(guest, value.val, pointer + 4);
  }
}

function store57(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store55(guest, value.val, pointer + 4);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store52(guest, value.val, pointer + 4);
  }
}

function lift58(guest: CallingGuest, tag: number, p1: number, stream7Type: TransferredType | undefined): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return guest.stream(p1, stream7Type);
    default:
      return noCase(guest.context, index, 2);
  }
}

function store61(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint16(pointer + 2, value, true);
  }
}

function store62(guest: CallingGuest, value: any, pointer: number): void {
  store4(guest, value.rcode, pointer);
  store61(guest, value.infoCode, pointer + 12);
}

function store63(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 1, value);
  }
}

function store64(guest: CallingGuest, value: any, pointer: number): void {
  store63(guest, value.alertId, pointer);
  store4(guest, value.alertMessage, pointer + 4);
}

function store65(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setBigUint64(pointer + 8, value, true);
  }
}

function lift65(guest: CallingGuest, tag: number, p1: bigint): any {
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

function store66(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint32(pointer + 4, value, true);
  }
}

function store67(guest: CallingGuest, value: any, pointer: number): void {
  store4(guest, value.fieldName, pointer);
  store66(guest, value.fieldSize, pointer + 12);
}

function store68(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store67(guest, value, pointer + 4);
  }
}

function store69(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases69.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 1) {
    store62(guest, value.val, pointer + 8);
  }
  if (index === 14) {
    store64(guest, value.val, pointer + 8);
  }
  if (index === 17) {
    store65(guest, value.val, pointer + 8);
  }
  if (index === 21) {
    store66(guest, value.val, pointer + 8);
  }
  if (index === 22) {
    store68(guest, value.val, pointer + 8);
  }
  if (index === 23) {
    store66(guest, value.val, pointer + 8);
  }
  if (index === 24) {
    store67(guest, value.val, pointer + 8);
  }
  if (index === 26) {
    store66(guest, value.val, pointer + 8);
  }
  if (index === 27) {
    store67(guest, value.val, pointer + 8);
  }
  if (index === 28) {
    store65(guest, value.val, pointer + 8);
  }
  if (index === 29) {
    store66(guest, value.val, pointer + 8);
  }
  if (index === 30) {
    store67(guest, value.val, pointer + 8);
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

const cases69 = new CaseNames([
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

function lift73(guest: CallingGuest, tag: number, p1: number, requestOptionsType: number): any {
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

function store73(guest: CallingGuest, value: any, pointer: number, requestOptionsType: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint32(pointer + 4, guest.handle(value, requestOptionsType), true);
  }
}

function store77(guest: CallingGuest, value: any, pointer: number, requestType: number, future76Type: TransferredType | undefined): void {
  guest.context.view.setUint32(pointer, guest.handle(value[0], requestType), true);
  guest.context.view.setUint32(pointer + 4, guest.futureHandle(value[1], future76Type), true);
}

function store79(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases79.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 9) {
    storeString(guest.context, value.val, pointer + 4);
  }
}

const cases79 = new CaseNames([
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

function lift79(guest: CallingGuest, tag: number, p1: number, p2: number): any {
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

function store80(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases80.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 2) {
    storeString(guest.context, value.val, pointer + 4);
  }
}

const cases80 = new CaseNames([
  "HTTP",
  "HTTPS",
  "other",
]);

function lift80(guest: CallingGuest, tag: number, p1: number, p2: number): any {
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

function store81(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store80(guest, value, pointer + 4);
  }
}

function lift81(guest: CallingGuest, tag: number, p1: number, p2: number, p3: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return undefined;
    case 1:
      return lift80(guest, p1, p2, p3);
    default:
      return noCase(guest.context, index, 2);
  }
}

function store82(guest: CallingGuest, value: any, pointer: number, fieldsType: number, stream7Type: TransferredType | undefined, future71Type: TransferredType | undefined): void {
  guest.context.view.setUint32(pointer, guest.streamHandle(value[0], stream7Type), true);
  guest.context.view.setUint32(pointer + 4, guest.futureHandle(value[1], future71Type), true);
}

function store84(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases84.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 2) {
    store4(guest, value.val, pointer + 4);
  }
}

const cases84 = new CaseNames([
  "not-supported",
  "immutable",
  "other",
]);

function store85(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store84(guest, value.val, pointer + 4);
  }
}

function store87(guest: CallingGuest, value: any, pointer: number, responseType: number, future76Type: TransferredType | undefined): void {
  guest.context.view.setUint32(pointer, guest.handle(value[0], responseType), true);
  guest.context.view.setUint32(pointer + 4, guest.futureHandle(value[1], future76Type), true);
}

function store89(guest: CallingGuest, value: any, pointer: number, responseType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 8, guest.handle(value.val, responseType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store69(guest, value.val, pointer + 8);
  }
}

export const httpFunctions03: LoweredInterfaces = {
  "wasi:http/types@0.3": {
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
        const result = guest.callable(index)(list51(guest, p0 >>> 0, p1 >>> 0)) as any;
        guest.leave();
        store53(guest, result, guest.at(p2, 20, 4), fieldsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]fields.get": (guest, index, [fieldsType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Fields>(p0, fieldsType).get(readString(guest.context, p1 >>> 0, p2 >>> 0));
        guest.leave();
        store55(guest, result, guest.at(p3, 8, 4));
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
        const result = guest.borrow<Fields>(p0, fieldsType).set(readString(guest.context, p1 >>> 0, p2 >>> 0), list55(guest, p3 >>> 0, p4 >>> 0));
        guest.leave();
        store56(guest, result, guest.at(p5, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]fields.delete": (guest, index, [fieldsType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Fields>(p0, fieldsType).delete(readString(guest.context, p1 >>> 0, p2 >>> 0));
        guest.leave();
        store56(guest, result, guest.at(p3, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]fields.get-and-delete": (guest, index, [fieldsType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Fields>(p0, fieldsType).getAndDelete(readString(guest.context, p1 >>> 0, p2 >>> 0));
        guest.leave();
        store57(guest, result, guest.at(p3, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]fields.append": (guest, index, [fieldsType]) => (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Fields>(p0, fieldsType).append(readString(guest.context, p1 >>> 0, p2 >>> 0), readOctets(guest.context, p3 >>> 0, p4 >>> 0));
        guest.leave();
        store56(guest, result, guest.at(p5, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]fields.copy-all": (guest, index, [fieldsType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Fields>(p0, fieldsType).copyAll();
        guest.leave();
        store51(guest, result, guest.at(p1, 8, 4));
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
    "[static]request.new": (guest, index, [fieldsType, requestOptionsType, requestType], [stream7Type, future71Type, future76Type]) => (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.own<any>(p0, fieldsType), lift58(guest, p1, p2, stream7Type), guest.future(p3, future71Type), lift73(guest, p4, p5, requestOptionsType)) as any;
        guest.leave();
        store77(guest, result, guest.at(p6, 8, 4), requestType, future76Type);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request.get-method": (guest, index, [requestType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<HttpRequest>(p0, requestType).getMethod();
        guest.leave();
        store79(guest, result, guest.at(p1, 12, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request.set-method": (guest, index, [requestType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<HttpRequest>(p0, requestType).setMethod(lift79(guest, p1, p2, p3));
        guest.leave();
        return result.tag === "ok" ? 0 : 1;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request.get-path-with-query": (guest, index, [requestType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<HttpRequest>(p0, requestType).getPathWithQuery();
        guest.leave();
        store4(guest, result, guest.at(p1, 12, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request.set-path-with-query": (guest, index, [requestType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<HttpRequest>(p0, requestType).setPathWithQuery(lift4(guest, p1, p2, p3));
        guest.leave();
        return result.tag === "ok" ? 0 : 1;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request.get-scheme": (guest, index, [requestType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<HttpRequest>(p0, requestType).getScheme();
        guest.leave();
        store81(guest, result, guest.at(p1, 16, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request.set-scheme": (guest, index, [requestType]) => (p0: number, p1: number, p2: number, p3: number, p4: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<HttpRequest>(p0, requestType).setScheme(lift81(guest, p1, p2, p3, p4));
        guest.leave();
        return result.tag === "ok" ? 0 : 1;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request.get-authority": (guest, index, [requestType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<HttpRequest>(p0, requestType).getAuthority();
        guest.leave();
        store4(guest, result, guest.at(p1, 12, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request.set-authority": (guest, index, [requestType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<HttpRequest>(p0, requestType).setAuthority(lift4(guest, p1, p2, p3));
        guest.leave();
        return result.tag === "ok" ? 0 : 1;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request.get-options": (guest, index, [requestType, requestOptionsType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<HttpRequest>(p0, requestType).getOptions();
        guest.leave();
        store73(guest, result, guest.at(p1, 8, 4), requestOptionsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request.get-headers": (guest, index, [requestType, fieldsType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<HttpRequest>(p0, requestType).getHeaders();
        guest.leave();
        return guest.handle(result, fieldsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[static]request.consume-body": (guest, index, [requestType, fieldsType], [future76Type, stream7Type, future71Type]) => (p0: number, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.own<any>(p0, requestType), guest.future(p1, future76Type)) as any;
        guest.leave();
        store82(guest, result, guest.at(p2, 8, 4), fieldsType, stream7Type, future71Type);
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
    "[method]request-options.get-connect-timeout": (guest, index, [requestOptionsType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<RequestOptions>(p0, requestOptionsType).getConnectTimeout();
        guest.leave();
        store65(guest, result, guest.at(p1, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request-options.set-connect-timeout": (guest, index, [requestOptionsType]) => (p0: number, p1: number, p2: bigint, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<RequestOptions>(p0, requestOptionsType).setConnectTimeout(lift65(guest, p1, p2));
        guest.leave();
        store85(guest, result, guest.at(p3, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request-options.get-first-byte-timeout": (guest, index, [requestOptionsType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<RequestOptions>(p0, requestOptionsType).getFirstByteTimeout();
        guest.leave();
        store65(guest, result, guest.at(p1, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request-options.set-first-byte-timeout": (guest, index, [requestOptionsType]) => (p0: number, p1: number, p2: bigint, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<RequestOptions>(p0, requestOptionsType).setFirstByteTimeout(lift65(guest, p1, p2));
        guest.leave();
        store85(guest, result, guest.at(p3, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request-options.get-between-bytes-timeout": (guest, index, [requestOptionsType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<RequestOptions>(p0, requestOptionsType).getBetweenBytesTimeout();
        guest.leave();
        store65(guest, result, guest.at(p1, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request-options.set-between-bytes-timeout": (guest, index, [requestOptionsType]) => (p0: number, p1: number, p2: bigint, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<RequestOptions>(p0, requestOptionsType).setBetweenBytesTimeout(lift65(guest, p1, p2));
        guest.leave();
        store85(guest, result, guest.at(p3, 20, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]request-options.clone": (guest, index, [requestOptionsType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<RequestOptions>(p0, requestOptionsType).clone();
        guest.leave();
        return guest.handle(result, requestOptionsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[static]response.new": (guest, index, [fieldsType, responseType], [stream7Type, future71Type, future76Type]) => (p0: number, p1: number, p2: number, p3: number, p4: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.own<any>(p0, fieldsType), lift58(guest, p1, p2, stream7Type), guest.future(p3, future71Type)) as any;
        guest.leave();
        store87(guest, result, guest.at(p4, 8, 4), responseType, future76Type);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]response.get-status-code": (guest, index, [responseType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<HttpResponse>(p0, responseType).getStatusCode();
        guest.leave();
        return result & 0xffff;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]response.set-status-code": (guest, index, [responseType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<HttpResponse>(p0, responseType).setStatusCode(p1 & 0xffff);
        guest.leave();
        return result.tag === "ok" ? 0 : 1;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]response.get-headers": (guest, index, [responseType, fieldsType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<HttpResponse>(p0, responseType).getHeaders();
        guest.leave();
        return guest.handle(result, fieldsType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[static]response.consume-body": (guest, index, [responseType, fieldsType], [future76Type, stream7Type, future71Type]) => (p0: number, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.own<any>(p0, responseType), guest.future(p1, future76Type)) as any;
        guest.leave();
        store82(guest, result, guest.at(p2, 8, 4), fieldsType, stream7Type, future71Type);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
};

export const httpAsyncFunctions03: AsyncLoweredInterfaces = {
  "wasi:http/client@0.3": {
    "send": (guest, index, [requestType, responseType]) => ({
      call: (p0: number) => guest.callable(index)(guest.own<any>(p0, requestType)),
      finish: (result: any, pointer) => {
        store89(guest, result, guest.at(pointer, 40, 8), responseType);
      },
    }),
  },
};
