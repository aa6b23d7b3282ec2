// Made by lowered.test.ts from WASI's WIT: `npx vitest run --project unit runtime/component/wasi/lowered -u` writes it anew.
import type { CallingGuest, LoweredInterfaces } from "../../instance/calling-guest.ts";
import type { TransferredType } from "../../abi/async-codecs.ts";
import { allocateList, storeListAt } from "../../abi/list-codec.ts";
import { noCase } from "../../abi/variant-codecs.ts";
import { storeString } from "../../abi/string-codec.ts";

function store1(guest: CallingGuest, value: any, pointer: number): void {
  storeString(guest.context, value[0], pointer);
  storeString(guest.context, value[1], pointer + 8);
}

function store2(guest: CallingGuest, values: any, pointer: number): void {
  const at = allocateList(guest.context, values.length, elements2);
  for (let index = 0; index < values.length; index++) {
    store1(guest, values[index], at + index * 16);
  }
  storeListAt(guest.context, pointer, at, values.length);
}

const elements2 = { size: 16, alignment: 4, heldBytes: 64 };

function store3(guest: CallingGuest, values: any, pointer: number): void {
  const at = allocateList(guest.context, values.length, elements3);
  for (let index = 0; index < values.length; index++) {
    storeString(guest.context, values[index], at + index * 8);
  }
  storeListAt(guest.context, pointer, at, values.length);
}

const elements3 = { size: 8, alignment: 4, heldBytes: 64 };

function store4(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    storeString(guest.context, value, pointer + 4);
  }
}

function lift5(guest: CallingGuest, tag: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return { tag: "ok", val: undefined };
    case 1:
      return { tag: "err", val: undefined };
    default:
      return noCase(guest.context, index, 2);
  }
}

function store11(guest: CallingGuest, value: any, pointer: number, stream7Type: TransferredType | undefined, future10Type: TransferredType | undefined): void {
  guest.context.view.setUint32(pointer, guest.streamHandle(value[0], stream7Type), true);
  guest.context.view.setUint32(pointer + 4, guest.futureHandle(value[1], future10Type), true);
}

function store13(guest: CallingGuest, value: any, pointer: number, terminalInputType: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint32(pointer + 4, guest.handle(value, terminalInputType), true);
  }
}

function store15(guest: CallingGuest, value: any, pointer: number, terminalOutputType: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint32(pointer + 4, guest.handle(value, terminalOutputType), true);
  }
}

export const cliFunctions03: LoweredInterfaces = {
  "wasi:cli/environment@0.3": {
    "get-environment": (guest, index) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store2(guest, result, guest.at(p0, 8, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "get-arguments": (guest, index) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store3(guest, result, guest.at(p0, 8, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "get-initial-cwd": (guest, index) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store4(guest, result, guest.at(p0, 12, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:cli/exit@0.3": {
    "exit": (guest, index) => (p0: number) => {
      try {
        guest.enter(index);
        guest.callable(index)(lift5(guest, p0));
        guest.leave();
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "exit-with-code": (guest, index) => (p0: number) => {
      try {
        guest.enter(index);
        guest.callable(index)(p0 & 0xff);
        guest.leave();
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:cli/stdin@0.3": {
    "read-via-stream": (guest, index, _2, [stream7Type, future10Type]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store11(guest, result, guest.at(p0, 8, 4), stream7Type, future10Type);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:cli/stdout@0.3": {
    "write-via-stream": (guest, index, _2, [stream7Type, future10Type]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.stream(p0, stream7Type)) as any;
        guest.leave();
        return guest.futureHandle(result, future10Type);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:cli/stderr@0.3": {
    "write-via-stream": (guest, index, _2, [stream7Type, future10Type]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.stream(p0, stream7Type)) as any;
        guest.leave();
        return guest.futureHandle(result, future10Type);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:cli/terminal-stdin@0.3": {
    "get-terminal-stdin": (guest, index, [terminalInputType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store13(guest, result, guest.at(p0, 8, 4), terminalInputType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:cli/terminal-stdout@0.3": {
    "get-terminal-stdout": (guest, index, [terminalOutputType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store15(guest, result, guest.at(p0, 8, 4), terminalOutputType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:cli/terminal-stderr@0.3": {
    "get-terminal-stderr": (guest, index, [terminalOutputType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store15(guest, result, guest.at(p0, 8, 4), terminalOutputType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
};
