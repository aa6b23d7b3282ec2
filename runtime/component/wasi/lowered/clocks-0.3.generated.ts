// Made by lowered.test.ts from WASI's WIT: `npx vitest run --project unit runtime/component/wasi/lowered -u` writes it anew.
import type { AsyncLoweredInterfaces, CallingGuest, LoweredInterfaces } from "../../instance/calling-guest.ts";
import { storeString } from "../../abi/string-codec.ts";

function store4(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    storeString(guest.context, value, pointer + 4);
  }
}

function store19(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setBigInt64(pointer, value.seconds, true);
  guest.context.view.setUint32(pointer + 8, value.nanoseconds, true);
}

function store20(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setBigInt64(pointer + 8, value, true);
  }
}

export const clocksFunctions03: LoweredInterfaces = {
  "wasi:clocks/monotonic-clock@0.3": {
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
    "get-resolution": (guest, index) => () => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        return BigInt.asIntN(64, result);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:clocks/system-clock@0.3": {
    "now": (guest, index) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store19(guest, result, guest.at(p0, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "get-resolution": (guest, index) => () => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        return BigInt.asIntN(64, result);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:clocks/timezone@0.3": {
    "iana-id": (guest, index) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store4(guest, result, guest.at(p0, 12, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "utc-offset": (guest, index) => (p0: bigint, p1: number, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)({ seconds: BigInt.asIntN(64, p0), nanoseconds: p1 >>> 0 }) as any;
        guest.leave();
        store20(guest, result, guest.at(p2, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "to-debug-string": (guest, index) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        storeString(guest.context, result, guest.at(p0, 8, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
};

export const clocksAsyncFunctions03: AsyncLoweredInterfaces = {
  "wasi:clocks/monotonic-clock@0.3": {
    "wait-until": (guest, index) => ({
      call: (p0: bigint) => guest.callable(index)(BigInt.asUintN(64, p0)),
    }),
    "wait-for": (guest, index) => ({
      call: (p0: bigint) => guest.callable(index)(BigInt.asUintN(64, p0)),
    }),
  },
};
