// Made by lowered.test.ts from WASI's WIT: `npx vitest run --project unit runtime/component/wasi/lowered -u` writes it anew.
import type { CallingGuest, LoweredInterfaces } from "../../instance/calling-guest.ts";
import { CaseNames } from "../../abi/variant-codecs.ts";
import { allocateList, checkList, readOctets, storeListAt, storeOctets } from "../../abi/list-codec.ts";
import { storeString } from "../../abi/string-codec.ts";
import type { InputStream } from "../input-stream.ts";
import type { IoError } from "../io-error.ts";
import type { OutputStream } from "../output-stream.ts";
import type { Pollable } from "../io-poll.ts";

function list10(guest: CallingGuest, pointer: number, count: number, pollableType: number): any {
  checkList(guest.context, pointer, count, elements10);
  const values: any[] = [];
  for (let at = pointer; at < pointer + count * 4; at += 4) values.push(guest.borrow<any>(guest.context.view.getUint32(at, true), pollableType));
  return values;
}

const elements10 = { size: 4, alignment: 4, heldBytes: 64 };

function store12(guest: CallingGuest, values: any, pointer: number): void {
  const at = allocateList(guest.context, values.length, elements12);
  for (let index = 0; index < values.length; index++) {
    guest.context.view.setUint32(at + index * 4, values[index], true);
  }
  storeListAt(guest.context, pointer, at, values.length);
}

const elements12 = { size: 4, alignment: 4, heldBytes: 4 };

function store17(guest: CallingGuest, value: any, pointer: number, errorType: number): void {
  const index = cases17.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 0) {
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, errorType), true);
  }
}

const cases17 = new CaseNames([
  "last-operation-failed",
  "closed",
]);

function store18(guest: CallingGuest, value: any, pointer: number, errorType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    storeOctets(guest.context, value.val, pointer + 4);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store17(guest, value.val, pointer + 4, errorType);
  }
}

function store19(guest: CallingGuest, value: any, pointer: number, errorType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setBigUint64(pointer + 8, value.val, true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store17(guest, value.val, pointer + 8, errorType);
  }
}

function store22(guest: CallingGuest, value: any, pointer: number, errorType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store17(guest, value.val, pointer + 4, errorType);
  }
}

export const ioFunctions: LoweredInterfaces = {
  "wasi:io/error": {
    "[method]error.to-debug-string": (guest, index, [errorType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<IoError>(p0, errorType).toDebugString();
        guest.leave();
        storeString(guest.context, result, guest.at(p1, 8, 4));
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:io/poll": {
    "[method]pollable.ready": (guest, index, [pollableType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Pollable>(p0, pollableType).ready();
        guest.leave();
        return result ? 1 : 0;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]pollable.block": (guest, index, [pollableType]) => {
      const finish = (_result: any, _pointer: number): void => undefined;
      return (p0: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Pollable>(p0, pollableType).block();
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, 0);
          finish(result, 0);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "poll": (guest, index, [pollableType]) => {
      const finish = (result: any, pointer: number): void => {
        store12(guest, result, guest.at(pointer, 8, 4));
      };
      return (p0: number, p1: number, p2: number) => {
        try {
          guest.enter(index);
          const result = guest.callable(index)(list10(guest, p0 >>> 0, p1 >>> 0, pollableType)) as any;
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p2);
          finish(result, p2);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
  },
  "wasi:io/streams": {
    "[method]input-stream.read": (guest, index, [inputStreamType, errorType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<InputStream>(p0, inputStreamType).read(BigInt.asUintN(64, p1));
        guest.leave();
        store18(guest, result, guest.at(p2, 12, 4), errorType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]input-stream.blocking-read": (guest, index, [inputStreamType, errorType]) => {
      const finish = (result: any, pointer: number): void => {
        store18(guest, result, guest.at(pointer, 12, 4), errorType);
      };
      return (p0: number, p1: bigint, p2: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<InputStream>(p0, inputStreamType).blockingRead(BigInt.asUintN(64, p1));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p2);
          finish(result, p2);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]input-stream.skip": (guest, index, [inputStreamType, errorType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<InputStream>(p0, inputStreamType).skip(BigInt.asUintN(64, p1));
        guest.leave();
        store19(guest, result, guest.at(p2, 16, 8), errorType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]input-stream.blocking-skip": (guest, index, [inputStreamType, errorType]) => {
      const finish = (result: any, pointer: number): void => {
        store19(guest, result, guest.at(pointer, 16, 8), errorType);
      };
      return (p0: number, p1: bigint, p2: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<InputStream>(p0, inputStreamType).blockingSkip(BigInt.asUintN(64, p1));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p2);
          finish(result, p2);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]input-stream.subscribe": (guest, index, [inputStreamType, pollableType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<InputStream>(p0, inputStreamType).subscribe();
        guest.leave();
        return guest.handle(result, pollableType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]output-stream.check-write": (guest, index, [outputStreamType, errorType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutputStream>(p0, outputStreamType).checkWrite();
        guest.leave();
        store19(guest, result, guest.at(p1, 16, 8), errorType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]output-stream.write": (guest, index, [outputStreamType, errorType]) => (p0: number, p1: number, p2: number, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutputStream>(p0, outputStreamType).write(readOctets(guest.context, p1 >>> 0, p2 >>> 0));
        guest.leave();
        store22(guest, result, guest.at(p3, 12, 4), errorType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]output-stream.blocking-write-and-flush": (guest, index, [outputStreamType, errorType]) => {
      const finish = (result: any, pointer: number): void => {
        store22(guest, result, guest.at(pointer, 12, 4), errorType);
      };
      return (p0: number, p1: number, p2: number, p3: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<OutputStream>(p0, outputStreamType).blockingWriteAndFlush(readOctets(guest.context, p1 >>> 0, p2 >>> 0));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p3);
          finish(result, p3);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]output-stream.flush": (guest, index, [outputStreamType, errorType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutputStream>(p0, outputStreamType).flush();
        guest.leave();
        store22(guest, result, guest.at(p1, 12, 4), errorType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]output-stream.blocking-flush": (guest, index, [outputStreamType, errorType]) => {
      const finish = (result: any, pointer: number): void => {
        store22(guest, result, guest.at(pointer, 12, 4), errorType);
      };
      return (p0: number, p1: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<OutputStream>(p0, outputStreamType).blockingFlush();
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p1);
          finish(result, p1);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]output-stream.subscribe": (guest, index, [outputStreamType, pollableType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutputStream>(p0, outputStreamType).subscribe();
        guest.leave();
        return guest.handle(result, pollableType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]output-stream.write-zeroes": (guest, index, [outputStreamType, errorType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutputStream>(p0, outputStreamType).writeZeroes(BigInt.asUintN(64, p1));
        guest.leave();
        store22(guest, result, guest.at(p2, 12, 4), errorType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]output-stream.blocking-write-zeroes-and-flush": (guest, index, [outputStreamType, errorType]) => {
      const finish = (result: any, pointer: number): void => {
        store22(guest, result, guest.at(pointer, 12, 4), errorType);
      };
      return (p0: number, p1: bigint, p2: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<OutputStream>(p0, outputStreamType).blockingWriteZeroesAndFlush(BigInt.asUintN(64, p1));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p2);
          finish(result, p2);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]output-stream.splice": (guest, index, [outputStreamType, inputStreamType, errorType]) => (p0: number, p1: number, p2: bigint, p3: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<OutputStream>(p0, outputStreamType).splice(guest.borrow<any>(p1, inputStreamType), BigInt.asUintN(64, p2));
        guest.leave();
        store19(guest, result, guest.at(p3, 16, 8), errorType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]output-stream.blocking-splice": (guest, index, [outputStreamType, inputStreamType, errorType]) => {
      const finish = (result: any, pointer: number): void => {
        store19(guest, result, guest.at(pointer, 16, 8), errorType);
      };
      return (p0: number, p1: number, p2: bigint, p3: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<OutputStream>(p0, outputStreamType).blockingSplice(guest.borrow<any>(p1, inputStreamType), BigInt.asUintN(64, p2));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p3);
          finish(result, p3);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
  },
};
