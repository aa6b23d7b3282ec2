// Made by lowered.test.ts from WASI's WIT: `npx vitest run --project unit runtime/component/wasi/lowered -u` writes it anew.
import type { CallingGuest, LoweredInterfaces } from "../../instance/calling-guest.ts";
import { storeString } from "../../abi/string-codec.ts";

function store29(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setBigUint64(pointer, value.seconds, true);
  guest.context.view.setUint32(pointer + 8, value.nanoseconds, true);
}

function store31(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setInt32(pointer, value.utcOffset, true);
  storeString(guest.context, value.name, pointer + 4);
  guest.context.view.setUint8(pointer + 12, value.inDaylightSavingTime ? 1 : 0);
}

export const clocksFunctions: LoweredInterfaces = {
  "wasi:clocks/monotonic-clock": {
    "now": (guest, index) => () => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        return BigInt.asIntN(64, result);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "resolution": (guest, index) => () => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        return BigInt.asIntN(64, result);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "subscribe-instant": (guest, index, [pollableType]) => (p0: bigint) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(BigInt.asUintN(64, p0)) as any;
        guest.leave();
        return guest.handle(result, pollableType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "subscribe-duration": (guest, index, [pollableType]) => (p0: bigint) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(BigInt.asUintN(64, p0)) as any;
        guest.leave();
        return guest.handle(result, pollableType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:clocks/wall-clock": {
    "now": (guest, index) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store29(guest, result, guest.at(p0, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "resolution": (guest, index) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store29(guest, result, guest.at(p0, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:clocks/timezone": {
    "display": (guest, index) => (p0: bigint, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)({ seconds: BigInt.asUintN(64, p0), nanoseconds: p1 >>> 0 }) as any;
        guest.leave();
        store31(guest, result, guest.at(p2, 16, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "utc-offset": (guest, index) => (p0: bigint, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)({ seconds: BigInt.asUintN(64, p0), nanoseconds: p1 >>> 0 }) as any;
        guest.leave();
        return result | 0;
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
};
