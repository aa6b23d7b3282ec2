// Made by lowered.test.ts from WASI's WIT: `npx vitest run --project unit runtime/component/wasi/lowered -u` writes it anew.
import type { CallingGuest, LoweredInterfaces } from "../../instance/calling-guest.ts";
import { allocateList, storeListAt } from "../../abi/list-codec.ts";
import { storeString } from "../../abi/string-codec.ts";

function store46(guest: CallingGuest, value: any, pointer: number, descriptorType: number): void {
  guest.context.view.setUint32(pointer, guest.handle(value[0], descriptorType), true);
  storeString(guest.context, value[1], pointer + 4);
}

function store47(guest: CallingGuest, values: any, pointer: number, descriptorType: number): void {
  const at = allocateList(guest.context, values.length, elements47);
  for (let index = 0; index < values.length; index++) {
    store46(guest, values[index], at + index * 12, descriptorType);
  }
  storeListAt(guest.context, pointer, at, values.length);
}

const elements47 = { size: 12, alignment: 4, heldBytes: 64 };

export const filesystemFunctions03: LoweredInterfaces = {
  "wasi:filesystem/preopens@0.3": {
    "get-directories": (guest, index, [descriptorType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store47(guest, result, guest.at(p0, 8, 4), descriptorType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
};
