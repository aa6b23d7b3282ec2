// Made by lowered.test.ts from WASI's WIT: `npx vitest run --project unit runtime/component/wasi/lowered -u` writes it anew.
import type { AsyncLoweredInterfaces, CallingGuest, LoweredInterfaces } from "../../instance/calling-guest.ts";
import type { TransferredType } from "../../abi/async-codecs.ts";
import { CaseNames, noCase } from "../../abi/variant-codecs.ts";
import { allocateList, storeListAt } from "../../abi/list-codec.ts";
import { readString, storeString } from "../../abi/string-codec.ts";
import type { Descriptor } from "../p3/descriptor.ts";

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

function store22(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases22.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 36) {
    store4(guest, value.val, pointer + 4);
  }
}

const cases22 = new CaseNames([
  "access",
  "already",
  "bad-descriptor",
  "busy",
  "deadlock",
  "quota",
  "exist",
  "file-too-large",
  "illegal-byte-sequence",
  "in-progress",
  "interrupted",
  "invalid",
  "io",
  "is-directory",
  "loop",
  "too-many-links",
  "message-size",
  "name-too-long",
  "no-device",
  "no-entry",
  "no-lock",
  "insufficient-memory",
  "insufficient-space",
  "not-directory",
  "not-empty",
  "not-recoverable",
  "unsupported",
  "no-tty",
  "no-such-device",
  "overflow",
  "not-permitted",
  "pipe",
  "read-only",
  "invalid-seek",
  "text-file-busy",
  "cross-device",
  "other",
]);

function store23(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store22(guest, value.val, pointer + 4);
  }
}

function store25(guest: CallingGuest, value: any, pointer: number, stream7Type: TransferredType | undefined, future24Type: TransferredType | undefined): void {
  guest.context.view.setUint32(pointer, guest.streamHandle(value[0], stream7Type), true);
  guest.context.view.setUint32(pointer + 4, guest.futureHandle(value[1], future24Type), true);
}

const cases26 = new CaseNames([
  "normal",
  "sequential",
  "random",
  "will-need",
  "dont-need",
  "no-reuse",
]);

const bits27 = (value: any): number => (value.read === true ? 1 : 0) | (value.write === true ? 2 : 0) | (value.fileIntegritySync === true ? 4 : 0) | (value.dataIntegritySync === true ? 8 : 0) | (value.requestedWriteSync === true ? 16 : 0) | (value.mutateDirectory === true ? 32 : 0);

const flags27 = (bits: number): any => ({ read: (bits & 1) !== 0, write: (bits & 2) !== 0, fileIntegritySync: (bits & 4) !== 0, dataIntegritySync: (bits & 8) !== 0, requestedWriteSync: (bits & 16) !== 0, mutateDirectory: (bits & 32) !== 0 });

function store28(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint8(pointer + 4, bits27(value.val));
  } else {
    guest.context.view.setUint8(pointer, 1);
    store22(guest, value.val, pointer + 4);
  }
}

function store29(guest: CallingGuest, value: any, pointer: number): void {
  const index = cases29.index(value.tag);
  guest.context.view.setUint8(pointer, index);
  if (index === 7) {
    store4(guest, value.val, pointer + 4);
  }
}

const cases29 = new CaseNames([
  "block-device",
  "character-device",
  "directory",
  "fifo",
  "symbolic-link",
  "regular-file",
  "socket",
  "other",
]);

function store30(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store29(guest, value.val, pointer + 4);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store22(guest, value.val, pointer + 4);
  }
}

function lift31(guest: CallingGuest, tag: number, p1: bigint, p2: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return { tag: "no-change" };
    case 1:
      return { tag: "now" };
    case 2:
      return { tag: "timestamp", val: { seconds: BigInt.asIntN(64, p1), nanoseconds: p2 >>> 0 } };
    default:
      return noCase(guest.context, index, 3);
  }
}

function load31(guest: CallingGuest, pointer: number): any {
  const index = guest.context.view.getUint8(pointer);
  switch (index) {
    case 0:
      return { tag: "no-change" };
    case 1:
      return { tag: "now" };
    case 2:
      return { tag: "timestamp", val: { seconds: guest.context.view.getBigInt64(pointer + 8, true), nanoseconds: guest.context.view.getUint32(pointer + 16, true) } };
    default:
      return noCase(guest.context, index, 3);
  }
}

function store34(guest: CallingGuest, value: any, pointer: number, stream33Type: TransferredType | undefined, future24Type: TransferredType | undefined): void {
  guest.context.view.setUint32(pointer, guest.streamHandle(value[0], stream33Type), true);
  guest.context.view.setUint32(pointer + 4, guest.futureHandle(value[1], future24Type), true);
}

function store35(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store19(guest, value, pointer + 8);
  }
}

function store36(guest: CallingGuest, value: any, pointer: number): void {
  store29(guest, value.type, pointer);
  guest.context.view.setBigUint64(pointer + 16, value.linkCount, true);
  guest.context.view.setBigUint64(pointer + 24, value.size, true);
  store35(guest, value.dataAccessTimestamp, pointer + 32);
  store35(guest, value.dataModificationTimestamp, pointer + 56);
  store35(guest, value.statusChangeTimestamp, pointer + 80);
}

function store37(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store36(guest, value.val, pointer + 8);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store22(guest, value.val, pointer + 8);
  }
}

const flags38 = (bits: number): any => ({ symlinkFollow: (bits & 1) !== 0 });

const flags39 = (bits: number): any => ({ create: (bits & 1) !== 0, directory: (bits & 2) !== 0, exclusive: (bits & 4) !== 0, truncate: (bits & 8) !== 0 });

function store41(guest: CallingGuest, value: any, pointer: number, descriptorType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, descriptorType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store22(guest, value.val, pointer + 4);
  }
}

function store42(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    storeString(guest.context, value.val, pointer + 4);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store22(guest, value.val, pointer + 4);
  }
}

function store44(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setBigUint64(pointer, value.lower, true);
  guest.context.view.setBigUint64(pointer + 8, value.upper, true);
}

function store45(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store44(guest, value.val, pointer + 8);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store22(guest, value.val, pointer + 8);
  }
}

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
  "wasi:filesystem/types@0.3": {
    "[method]descriptor.read-via-stream": (guest, index, [descriptorType], [stream7Type, future24Type]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Descriptor>(p0, descriptorType).readViaStream(BigInt.asUintN(64, p1));
        guest.leave();
        store25(guest, result, guest.at(p2, 8, 4), stream7Type, future24Type);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]descriptor.write-via-stream": (guest, index, [descriptorType], [stream7Type, future24Type]) => (p0: number, p1: number, p2: bigint) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Descriptor>(p0, descriptorType).writeViaStream(guest.stream(p1, stream7Type), BigInt.asUintN(64, p2));
        guest.leave();
        return guest.futureHandle(result, future24Type);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]descriptor.append-via-stream": (guest, index, [descriptorType], [stream7Type, future24Type]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Descriptor>(p0, descriptorType).appendViaStream(guest.stream(p1, stream7Type));
        guest.leave();
        return guest.futureHandle(result, future24Type);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]descriptor.read-directory": (guest, index, [descriptorType], [stream33Type, future24Type]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Descriptor>(p0, descriptorType).readDirectory();
        guest.leave();
        store34(guest, result, guest.at(p1, 8, 4), stream33Type, future24Type);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
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

export const filesystemAsyncFunctions03: AsyncLoweredInterfaces = {
  "wasi:filesystem/types@0.3": {
    "[method]descriptor.advise": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: bigint, p2: bigint, p3: number) => guest.lend<Descriptor>(p0, descriptorType).advise(BigInt.asUintN(64, p1), BigInt.asUintN(64, p2), (cases26.name(guest.context, p3 >>> 0) as any)),
      finish: (result: any, pointer) => {
        store23(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.sync-data": (guest, _1, [descriptorType]) => ({
      call: (p0: number) => guest.lend<Descriptor>(p0, descriptorType).syncData(),
      finish: (result: any, pointer) => {
        store23(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.get-flags": (guest, _1, [descriptorType]) => ({
      call: (p0: number) => guest.lend<Descriptor>(p0, descriptorType).getFlags(),
      finish: (result: any, pointer) => {
        store28(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.get-type": (guest, _1, [descriptorType]) => ({
      call: (p0: number) => guest.lend<Descriptor>(p0, descriptorType).getType(),
      finish: (result: any, pointer) => {
        store30(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.set-size": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: bigint) => guest.lend<Descriptor>(p0, descriptorType).setSize(BigInt.asUintN(64, p1)),
      finish: (result: any, pointer) => {
        store23(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.set-times": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: number, p2: bigint, p3: number, p4: number, p5: bigint, p6: number) => guest.lend<Descriptor>(p0, descriptorType).setTimes(lift31(guest, p1, p2, p3), lift31(guest, p4, p5, p6)),
      load: (pointer) => {
        const at = guest.at(pointer, 56, 8);
        return guest.lend<Descriptor>(guest.context.view.getUint32(at, true), descriptorType).setTimes(load31(guest, at + 8), load31(guest, at + 32));
      },
      finish: (result: any, pointer) => {
        store23(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.sync": (guest, _1, [descriptorType]) => ({
      call: (p0: number) => guest.lend<Descriptor>(p0, descriptorType).sync(),
      finish: (result: any, pointer) => {
        store23(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.create-directory-at": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: number, p2: number) => guest.lend<Descriptor>(p0, descriptorType).createDirectoryAt(readString(guest.context, p1 >>> 0, p2 >>> 0)),
      finish: (result: any, pointer) => {
        store23(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.stat": (guest, _1, [descriptorType]) => ({
      call: (p0: number) => guest.lend<Descriptor>(p0, descriptorType).stat(),
      finish: (result: any, pointer) => {
        store37(guest, result, guest.at(pointer, 112, 8));
      },
    }),
    "[method]descriptor.stat-at": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: number, p2: number, p3: number) => guest.lend<Descriptor>(p0, descriptorType).statAt(flags38(p1), readString(guest.context, p2 >>> 0, p3 >>> 0)),
      finish: (result: any, pointer) => {
        store37(guest, result, guest.at(pointer, 112, 8));
      },
    }),
    "[method]descriptor.set-times-at": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: number, p2: number, p3: number, p4: number, p5: bigint, p6: number, p7: number, p8: bigint, p9: number) => guest.lend<Descriptor>(p0, descriptorType).setTimesAt(flags38(p1), readString(guest.context, p2 >>> 0, p3 >>> 0), lift31(guest, p4, p5, p6), lift31(guest, p7, p8, p9)),
      load: (pointer) => {
        const at = guest.at(pointer, 64, 8);
        return guest.lend<Descriptor>(guest.context.view.getUint32(at, true), descriptorType).setTimesAt(flags38(guest.context.view.getUint8(at + 4)), readString(guest.context, guest.context.view.getUint32(at + 8, true), guest.context.view.getUint32(at + 12, true)), load31(guest, at + 16), load31(guest, at + 40));
      },
      finish: (result: any, pointer) => {
        store23(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.link-at": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number) => guest.lend<Descriptor>(p0, descriptorType).linkAt(flags38(p1), readString(guest.context, p2 >>> 0, p3 >>> 0), guest.lend<any>(p4, descriptorType), readString(guest.context, p5 >>> 0, p6 >>> 0)),
      load: (pointer) => {
        const at = guest.at(pointer, 28, 4);
        return guest.lend<Descriptor>(guest.context.view.getUint32(at, true), descriptorType).linkAt(flags38(guest.context.view.getUint8(at + 4)), readString(guest.context, guest.context.view.getUint32(at + 8, true), guest.context.view.getUint32(at + 12, true)), guest.lend<any>(guest.context.view.getUint32(at + 16, true), descriptorType), readString(guest.context, guest.context.view.getUint32(at + 20, true), guest.context.view.getUint32(at + 24, true)));
      },
      finish: (result: any, pointer) => {
        store23(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.open-at": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number) => guest.lend<Descriptor>(p0, descriptorType).openAt(flags38(p1), readString(guest.context, p2 >>> 0, p3 >>> 0), flags39(p4), flags27(p5)),
      load: (pointer) => {
        const at = guest.at(pointer, 20, 4);
        return guest.lend<Descriptor>(guest.context.view.getUint32(at, true), descriptorType).openAt(flags38(guest.context.view.getUint8(at + 4)), readString(guest.context, guest.context.view.getUint32(at + 8, true), guest.context.view.getUint32(at + 12, true)), flags39(guest.context.view.getUint8(at + 16)), flags27(guest.context.view.getUint8(at + 17)));
      },
      finish: (result: any, pointer) => {
        store41(guest, result, guest.at(pointer, 20, 4), descriptorType);
      },
    }),
    "[method]descriptor.readlink-at": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: number, p2: number) => guest.lend<Descriptor>(p0, descriptorType).readlinkAt(readString(guest.context, p1 >>> 0, p2 >>> 0)),
      finish: (result: any, pointer) => {
        store42(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.remove-directory-at": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: number, p2: number) => guest.lend<Descriptor>(p0, descriptorType).removeDirectoryAt(readString(guest.context, p1 >>> 0, p2 >>> 0)),
      finish: (result: any, pointer) => {
        store23(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.rename-at": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number) => guest.lend<Descriptor>(p0, descriptorType).renameAt(readString(guest.context, p1 >>> 0, p2 >>> 0), guest.lend<any>(p3, descriptorType), readString(guest.context, p4 >>> 0, p5 >>> 0)),
      load: (pointer) => {
        const at = guest.at(pointer, 24, 4);
        return guest.lend<Descriptor>(guest.context.view.getUint32(at, true), descriptorType).renameAt(readString(guest.context, guest.context.view.getUint32(at + 4, true), guest.context.view.getUint32(at + 8, true)), guest.lend<any>(guest.context.view.getUint32(at + 12, true), descriptorType), readString(guest.context, guest.context.view.getUint32(at + 16, true), guest.context.view.getUint32(at + 20, true)));
      },
      finish: (result: any, pointer) => {
        store23(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.symlink-at": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: number, p2: number, p3: number, p4: number) => guest.lend<Descriptor>(p0, descriptorType).symlinkAt(readString(guest.context, p1 >>> 0, p2 >>> 0), readString(guest.context, p3 >>> 0, p4 >>> 0)),
      load: (pointer) => {
        const at = guest.at(pointer, 20, 4);
        return guest.lend<Descriptor>(guest.context.view.getUint32(at, true), descriptorType).symlinkAt(readString(guest.context, guest.context.view.getUint32(at + 4, true), guest.context.view.getUint32(at + 8, true)), readString(guest.context, guest.context.view.getUint32(at + 12, true), guest.context.view.getUint32(at + 16, true)));
      },
      finish: (result: any, pointer) => {
        store23(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.unlink-file-at": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: number, p2: number) => guest.lend<Descriptor>(p0, descriptorType).unlinkFileAt(readString(guest.context, p1 >>> 0, p2 >>> 0)),
      finish: (result: any, pointer) => {
        store23(guest, result, guest.at(pointer, 20, 4));
      },
    }),
    "[method]descriptor.is-same-object": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: number) => guest.lend<Descriptor>(p0, descriptorType).isSameObject(guest.lend<any>(p1, descriptorType)),
      finish: (result: any, pointer) => {
        guest.context.view.setUint8(guest.at(pointer, 1, 1), result ? 1 : 0);
      },
      lower: (result: any) => result ? 1 : 0,
    }),
    "[method]descriptor.metadata-hash": (guest, _1, [descriptorType]) => ({
      call: (p0: number) => guest.lend<Descriptor>(p0, descriptorType).metadataHash(),
      finish: (result: any, pointer) => {
        store45(guest, result, guest.at(pointer, 24, 8));
      },
    }),
    "[method]descriptor.metadata-hash-at": (guest, _1, [descriptorType]) => ({
      call: (p0: number, p1: number, p2: number, p3: number) => guest.lend<Descriptor>(p0, descriptorType).metadataHashAt(flags38(p1), readString(guest.context, p2 >>> 0, p3 >>> 0)),
      finish: (result: any, pointer) => {
        store45(guest, result, guest.at(pointer, 24, 8));
      },
    }),
  },
};
