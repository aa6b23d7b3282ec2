// Made by lowered.test.ts from WASI's WIT: `npx vitest run --project unit runtime/component/wasi/lowered -u` writes it anew.
import type { CallingGuest, LoweredInterfaces } from "../../instance/calling-guest.ts";
import { CaseNames, noCase } from "../../abi/variant-codecs.ts";
import { allocateList, readOctets, storeListAt, storeOctets } from "../../abi/list-codec.ts";
import { readString, storeString } from "../../abi/string-codec.ts";
import type { Descriptor } from "../filesystem/descriptor.ts";
import type { DirectoryEntryStream } from "../filesystem/directory-entry-stream.ts";

function store29(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setBigUint64(pointer, value.seconds, true);
  guest.context.view.setUint32(pointer + 8, value.nanoseconds, true);
}

const cases33 = new CaseNames([
  "access",
  "would-block",
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
]);

function store34(guest: CallingGuest, value: any, pointer: number, inputStreamType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, inputStreamType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases33.index(value.val));
  }
}

function store35(guest: CallingGuest, value: any, pointer: number, outputStreamType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, outputStreamType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases33.index(value.val));
  }
}

const cases36 = new CaseNames([
  "normal",
  "sequential",
  "random",
  "will-need",
  "dont-need",
  "no-reuse",
]);

function store37(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 1, cases33.index(value.val));
  }
}

const bits38 = (value: any): number => (value.read === true ? 1 : 0) | (value.write === true ? 2 : 0) | (value.fileIntegritySync === true ? 4 : 0) | (value.dataIntegritySync === true ? 8 : 0) | (value.requestedWriteSync === true ? 16 : 0) | (value.mutateDirectory === true ? 32 : 0);

const flags38 = (bits: number): any => ({ read: (bits & 1) !== 0, write: (bits & 2) !== 0, fileIntegritySync: (bits & 4) !== 0, dataIntegritySync: (bits & 8) !== 0, requestedWriteSync: (bits & 16) !== 0, mutateDirectory: (bits & 32) !== 0 });

function store39(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint8(pointer + 1, bits38(value.val));
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 1, cases33.index(value.val));
  }
}

const cases40 = new CaseNames([
  "unknown",
  "block-device",
  "character-device",
  "directory",
  "fifo",
  "symbolic-link",
  "regular-file",
  "socket",
]);

function store41(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint8(pointer + 1, cases40.index(value.val));
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 1, cases33.index(value.val));
  }
}

function lift42(guest: CallingGuest, tag: number, p1: bigint, p2: number): any {
  const index = tag >>> 0;
  switch (index) {
    case 0:
      return { tag: "no-change" };
    case 1:
      return { tag: "now" };
    case 2:
      return { tag: "timestamp", val: { seconds: BigInt.asUintN(64, p1), nanoseconds: p2 >>> 0 } };
    default:
      return noCase(guest.context, index, 3);
  }
}

function store43(guest: CallingGuest, value: any, pointer: number): void {
  storeOctets(guest.context, value[0], pointer);
  guest.context.view.setUint8(pointer + 8, value[1] ? 1 : 0);
}

function store44(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store43(guest, value.val, pointer + 4);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases33.index(value.val));
  }
}

function store45(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setBigUint64(pointer + 8, value.val, true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 8, cases33.index(value.val));
  }
}

function store47(guest: CallingGuest, value: any, pointer: number, directoryEntryStreamType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, directoryEntryStreamType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases33.index(value.val));
  }
}

function store48(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store29(guest, value, pointer + 8);
  }
}

function store49(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setUint8(pointer, cases40.index(value.type));
  guest.context.view.setBigUint64(pointer + 8, value.linkCount, true);
  guest.context.view.setBigUint64(pointer + 16, value.size, true);
  store48(guest, value.dataAccessTimestamp, pointer + 24);
  store48(guest, value.dataModificationTimestamp, pointer + 48);
  store48(guest, value.statusChangeTimestamp, pointer + 72);
}

function store50(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store49(guest, value.val, pointer + 8);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 8, cases33.index(value.val));
  }
}

const flags51 = (bits: number): any => ({ symlinkFollow: (bits & 1) !== 0 });

const flags52 = (bits: number): any => ({ create: (bits & 1) !== 0, directory: (bits & 2) !== 0, exclusive: (bits & 4) !== 0, truncate: (bits & 8) !== 0 });

function store54(guest: CallingGuest, value: any, pointer: number, descriptorType: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    guest.context.view.setUint32(pointer + 4, guest.handle(value.val, descriptorType), true);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases33.index(value.val));
  }
}

function store55(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    storeString(guest.context, value.val, pointer + 4);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases33.index(value.val));
  }
}

function store56(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setBigUint64(pointer, value.lower, true);
  guest.context.view.setBigUint64(pointer + 8, value.upper, true);
}

function store57(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store56(guest, value.val, pointer + 8);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 8, cases33.index(value.val));
  }
}

function store59(guest: CallingGuest, value: any, pointer: number): void {
  guest.context.view.setUint8(pointer, cases40.index(value.type));
  storeString(guest.context, value.name, pointer + 4);
}

function store60(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    store59(guest, value, pointer + 4);
  }
}

function store61(guest: CallingGuest, value: any, pointer: number): void {
  if (value.tag === "ok") {
    guest.context.view.setUint8(pointer, 0);
    store60(guest, value.val, pointer + 4);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 4, cases33.index(value.val));
  }
}

function store62(guest: CallingGuest, value: any, pointer: number): void {
  if (value === undefined || value === null) {
    guest.context.view.setUint8(pointer, 0);
  } else {
    guest.context.view.setUint8(pointer, 1);
    guest.context.view.setUint8(pointer + 1, cases33.index(value));
  }
}

function store63(guest: CallingGuest, value: any, pointer: number, descriptorType: number): void {
  guest.context.view.setUint32(pointer, guest.handle(value[0], descriptorType), true);
  storeString(guest.context, value[1], pointer + 4);
}

function store64(guest: CallingGuest, values: any, pointer: number, descriptorType: number): void {
  const at = allocateList(guest.context, values.length, elements64);
  for (let index = 0; index < values.length; index++) {
    store63(guest, values[index], at + index * 12, descriptorType);
  }
  storeListAt(guest.context, pointer, at, values.length);
}

const elements64 = { size: 12, alignment: 4, heldBytes: 64 };

export const filesystemFunctions: LoweredInterfaces = {
  "wasi:filesystem/types": {
    "[method]descriptor.read-via-stream": (guest, index, [descriptorType, inputStreamType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Descriptor>(p0, descriptorType).readViaStream(BigInt.asUintN(64, p1));
        guest.leave();
        store34(guest, result, guest.at(p2, 8, 4), inputStreamType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]descriptor.write-via-stream": (guest, index, [descriptorType, outputStreamType]) => (p0: number, p1: bigint, p2: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Descriptor>(p0, descriptorType).writeViaStream(BigInt.asUintN(64, p1));
        guest.leave();
        store35(guest, result, guest.at(p2, 8, 4), outputStreamType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]descriptor.append-via-stream": (guest, index, [descriptorType, outputStreamType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Descriptor>(p0, descriptorType).appendViaStream();
        guest.leave();
        store35(guest, result, guest.at(p1, 8, 4), outputStreamType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]descriptor.advise": (guest, index, [descriptorType]) => (p0: number, p1: bigint, p2: bigint, p3: number, p4: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Descriptor>(p0, descriptorType).advise(BigInt.asUintN(64, p1), BigInt.asUintN(64, p2), (cases36.name(guest.context, p3 >>> 0) as any));
        guest.leave();
        store37(guest, result, guest.at(p4, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]descriptor.sync-data": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store37(guest, result, guest.at(pointer, 2, 1));
      };
      return (p0: number, p1: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).syncData();
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p1);
          finish(result, p1);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.get-flags": (guest, index, [descriptorType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Descriptor>(p0, descriptorType).getFlags();
        guest.leave();
        store39(guest, result, guest.at(p1, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]descriptor.get-type": (guest, index, [descriptorType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Descriptor>(p0, descriptorType).getType();
        guest.leave();
        store41(guest, result, guest.at(p1, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]descriptor.set-size": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store37(guest, result, guest.at(pointer, 2, 1));
      };
      return (p0: number, p1: bigint, p2: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).setSize(BigInt.asUintN(64, p1));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p2);
          finish(result, p2);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.set-times": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store37(guest, result, guest.at(pointer, 2, 1));
      };
      return (p0: number, p1: number, p2: bigint, p3: number, p4: number, p5: bigint, p6: number, p7: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).setTimes(lift42(guest, p1, p2, p3), lift42(guest, p4, p5, p6));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p7);
          finish(result, p7);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.read": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store44(guest, result, guest.at(pointer, 16, 4));
      };
      return (p0: number, p1: bigint, p2: bigint, p3: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).read(BigInt.asUintN(64, p1), BigInt.asUintN(64, p2));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p3);
          finish(result, p3);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.write": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store45(guest, result, guest.at(pointer, 16, 8));
      };
      return (p0: number, p1: number, p2: number, p3: bigint, p4: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).write(readOctets(guest.context, p1 >>> 0, p2 >>> 0), BigInt.asUintN(64, p3));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p4);
          finish(result, p4);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.read-directory": (guest, index, [descriptorType, directoryEntryStreamType]) => {
      const finish = (result: any, pointer: number): void => {
        store47(guest, result, guest.at(pointer, 8, 4), directoryEntryStreamType);
      };
      return (p0: number, p1: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).readDirectory();
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p1);
          finish(result, p1);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.sync": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store37(guest, result, guest.at(pointer, 2, 1));
      };
      return (p0: number, p1: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).sync();
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p1);
          finish(result, p1);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.create-directory-at": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store37(guest, result, guest.at(pointer, 2, 1));
      };
      return (p0: number, p1: number, p2: number, p3: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).createDirectoryAt(readString(guest.context, p1 >>> 0, p2 >>> 0));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p3);
          finish(result, p3);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.stat": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store50(guest, result, guest.at(pointer, 104, 8));
      };
      return (p0: number, p1: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).stat();
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p1);
          finish(result, p1);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.stat-at": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store50(guest, result, guest.at(pointer, 104, 8));
      };
      return (p0: number, p1: number, p2: number, p3: number, p4: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).statAt(flags51(p1), readString(guest.context, p2 >>> 0, p3 >>> 0));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p4);
          finish(result, p4);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.set-times-at": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store37(guest, result, guest.at(pointer, 2, 1));
      };
      return (p0: number, p1: number, p2: number, p3: number, p4: number, p5: bigint, p6: number, p7: number, p8: bigint, p9: number, p10: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).setTimesAt(flags51(p1), readString(guest.context, p2 >>> 0, p3 >>> 0), lift42(guest, p4, p5, p6), lift42(guest, p7, p8, p9));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p10);
          finish(result, p10);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.link-at": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store37(guest, result, guest.at(pointer, 2, 1));
      };
      return (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number, p7: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).linkAt(flags51(p1), readString(guest.context, p2 >>> 0, p3 >>> 0), guest.borrow<any>(p4, descriptorType), readString(guest.context, p5 >>> 0, p6 >>> 0));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p7);
          finish(result, p7);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.open-at": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store54(guest, result, guest.at(pointer, 8, 4), descriptorType);
      };
      return (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).openAt(flags51(p1), readString(guest.context, p2 >>> 0, p3 >>> 0), flags52(p4), flags38(p5));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p6);
          finish(result, p6);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.readlink-at": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store55(guest, result, guest.at(pointer, 12, 4));
      };
      return (p0: number, p1: number, p2: number, p3: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).readlinkAt(readString(guest.context, p1 >>> 0, p2 >>> 0));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p3);
          finish(result, p3);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.remove-directory-at": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store37(guest, result, guest.at(pointer, 2, 1));
      };
      return (p0: number, p1: number, p2: number, p3: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).removeDirectoryAt(readString(guest.context, p1 >>> 0, p2 >>> 0));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p3);
          finish(result, p3);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.rename-at": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store37(guest, result, guest.at(pointer, 2, 1));
      };
      return (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number, p6: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).renameAt(readString(guest.context, p1 >>> 0, p2 >>> 0), guest.borrow<any>(p3, descriptorType), readString(guest.context, p4 >>> 0, p5 >>> 0));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p6);
          finish(result, p6);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.symlink-at": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store37(guest, result, guest.at(pointer, 2, 1));
      };
      return (p0: number, p1: number, p2: number, p3: number, p4: number, p5: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).symlinkAt(readString(guest.context, p1 >>> 0, p2 >>> 0), readString(guest.context, p3 >>> 0, p4 >>> 0));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p5);
          finish(result, p5);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.unlink-file-at": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store37(guest, result, guest.at(pointer, 2, 1));
      };
      return (p0: number, p1: number, p2: number, p3: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).unlinkFileAt(readString(guest.context, p1 >>> 0, p2 >>> 0));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p3);
          finish(result, p3);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.is-same-object": (guest, index, [descriptorType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.borrow<Descriptor>(p0, descriptorType).isSameObject(guest.borrow<any>(p1, descriptorType));
        guest.leave();
        return result ? 1 : 0;
      } catch (error) {
        throw guest.failed(error);
      }
    },
    "[method]descriptor.metadata-hash": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store57(guest, result, guest.at(pointer, 24, 8));
      };
      return (p0: number, p1: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).metadataHash();
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p1);
          finish(result, p1);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]descriptor.metadata-hash-at": (guest, index, [descriptorType]) => {
      const finish = (result: any, pointer: number): void => {
        store57(guest, result, guest.at(pointer, 24, 8));
      };
      return (p0: number, p1: number, p2: number, p3: number, p4: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<Descriptor>(p0, descriptorType).metadataHashAt(flags51(p1), readString(guest.context, p2 >>> 0, p3 >>> 0));
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p4);
          finish(result, p4);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "[method]directory-entry-stream.read-directory-entry": (guest, index, [directoryEntryStreamType]) => {
      const finish = (result: any, pointer: number): void => {
        store61(guest, result, guest.at(pointer, 20, 4));
      };
      return (p0: number, p1: number) => {
        try {
          guest.enter(index);
          const result = guest.borrow<DirectoryEntryStream>(p0, directoryEntryStreamType).readDirectoryEntry();
          guest.leave();
          if (result instanceof Promise) return guest.wait<any>(result, finish, p1);
          finish(result, p1);
        } catch (error) {
          throw guest.failed(error);
        }
      };
    },
    "filesystem-error-code": (guest, index, [errorType]) => (p0: number, p1: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)(guest.borrow<any>(p0, errorType)) as any;
        guest.leave();
        store62(guest, result, guest.at(p1, 2, 1));
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
  "wasi:filesystem/preopens": {
    "get-directories": (guest, index, [descriptorType]) => (p0: number) => {
      try {
        guest.enter(index);
        const result = guest.callable(index)() as any;
        guest.leave();
        store64(guest, result, guest.at(p0, 8, 4), descriptorType);
      } catch (error) {
        throw guest.failed(error);
      }
    },
  },
};
