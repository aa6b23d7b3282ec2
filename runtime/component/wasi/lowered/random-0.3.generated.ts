// Made by lowered.test.ts from WASI's WIT: `npx vitest run --project unit runtime/component/wasi/lowered -u` writes it anew.
import type { CallingGuest, LoweredInterfaces } from "../../instance/calling-guest.ts";
import { storeOctets } from "../../abi/list-codec.ts";

function store90(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setBigUint64(pointer, value[0], true);
  guest.context.view.setBigUint64(pointer + 8, value[1], true);
}

export const randomFunctions03: LoweredInterfaces = {
  "wasi:random/insecure-seed@0.3": {
    "get-insecure-seed": (guest, index) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store90(guest, result, guest.at(p0, 16, 8));
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:random/insecure@0.3": {
    "get-insecure-random-bytes": (guest, index) => (p0: bigint, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(BigInt.asUintN(64, p0)) as any;
        guest.leave();
        storeOctets(guest.context, result, guest.at(p1, 8, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "get-insecure-random-u64": (guest, index) => () => {
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
  "wasi:random/random@0.3": {
    "get-random-bytes": (guest, index) => (p0: bigint, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(BigInt.asUintN(64, p0)) as any;
        guest.leave();
        storeOctets(guest.context, result, guest.at(p1, 8, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "get-random-u64": (guest, index) => () => {
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
};
