import type * as ffiModule from "node:ffi";
import { openSync, writeSync } from "node:fs";

/** The system calls that map, drop and look at pages of this process. Linux only. */
export interface PageCalls {
  /** Whether `changedRuns` works: Linux 6.7, and /proc where it is looked for. */
  readonly canScan: boolean;
  /**
   * A file in memory with these bytes, which nobody can change or shorten; undefined when the kernel refuses. It is
   * closed with the thread, at the latest, however that ends.
   */
  createFile(bytes: Uint8Array): number | undefined;
  addressOf(buffer: ArrayBuffer): bigint;
  /** Puts the file's bytes in place of the pages there: private, so writes stay here. */
  map(address: bigint, byteLength: number, fd: number): boolean;
  /** Drops private pages: what is under them (a file's page, or zeros) comes back. */
  discard(address: bigint, byteLength: number): boolean;
  /** Keeps the kernel from joining pages into huge ones, of which one changed byte is 2 MiB. */
  avoidHugePages(address: bigint, byteLength: number): void;
  /** `into`: what it has found last is at its beginning, three words of 64 bits for each run, and that there is room for. */
  scanner(address: bigint, byteLength: number, into?: ArrayBuffer): PageScanner;
}

/** Finds the pages of one range that are private to it: those written since they were mapped or last dropped. */
export interface PageScanner {
  /** So many runs are found at once, at most. */
  readonly runsMax: number;
  /** How many runs of such pages there are from this byte on; undefined when the kernel does not answer. */
  scan(from?: number): number | undefined;
  /** Where a run begins and ends, in bytes from the range's beginning. */
  start(run: number): number;
  end(run: number): number;
}

const runsMax = 512;

type Ffi = typeof ffiModule;

const signatures = {
  memfd_create: { arguments: ["string", "uint32"], return: "int32" },
  fcntl: { arguments: ["int32", "int32", "int32"], return: "int32" },
  close: { arguments: ["int32"], return: "int32" },
  mmap: { arguments: ["pointer", "uint64", "int32", "int32", "int32", "int64"], return: "pointer" },
  madvise: { arguments: ["pointer", "uint64", "int32"], return: "int32" },
  ioctl: { arguments: ["int32", "uint64", "pointer"], return: "int32" },
} as const;

function load(ffi: Ffi) {
  // Of the running program, so that it is the same library whatever its name is.
  return ffi.dlopen(null, signatures).functions;
}

type Libc = ReturnType<typeof load>;

// Values of <sys/mman.h> and <linux/fcntl.h>, the same on x86-64 and arm64.
const memfdFlags = 0x1 | 0x2; // MFD_CLOEXEC, MFD_ALLOW_SEALING
const addSeals = 1033;
const allSeals = 0x1 | 0x2 | 0x4 | 0x8; // no more seals, no shrinking, no growing, no writing
const readWrite = 0x3;
const privateFixed = 0x12;
const dontNeed = 4;
const noHugePage = 15;

let calls: PageCalls | undefined;
let isLoaded = false;

/**
 * Undefined where this cannot work: another system, or Node without node:ffi (absent, `--no-experimental-ffi`, or
 * `--permission` without `--allow-ffi`). Made once a thread.
 */
export function pageCalls(): PageCalls | undefined {
  if (!isLoaded) {
    isLoaded = true;
    try {
      if (process.platform === "linux") calls = createCalls();
    } catch {
      calls = undefined;
    }
  }
  return calls;
}

function createCalls(): PageCalls | undefined {
  const ffi = process.getBuiltinModule("node:ffi") as Ffi | undefined;
  if (ffi === undefined) return undefined;
  const libc = load(ffi);
  const pagemap = openPagemap();
  const scanner: PageCalls["scanner"] = (address, byteLength, into = new ArrayBuffer(runsBytes)) =>
    new PagemapScanner({ ffi, libc, pagemap: pagemap ?? -1, into }, address, byteLength);
  return {
    canScan: pagemap !== undefined && scannerWorks(ffi, scanner),
    createFile: (bytes) => createFile(libc, bytes),
    addressOf: (buffer) => ffi.getRawPointer(buffer),
    map: (address, byteLength, fd) =>
      libc.mmap(address, BigInt(byteLength), readWrite, privateFixed, fd, 0n) === address,
    discard: (address, byteLength) => libc.madvise(address, BigInt(byteLength), dontNeed) === 0,
    avoidHugePages: (address, byteLength) => void libc.madvise(address, BigInt(byteLength), noHugePage),
    scanner,
  };
}

function createFile(libc: Libc, bytes: Uint8Array): number | undefined {
  const fd = libc.memfd_create("shallop-image", memfdFlags);
  if (fd < 0) return undefined;
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, at);
    if (libc.fcntl(fd, addSeals, allSeals) !== 0) return undefined;
    // Node closes what a thread has opened through it when the thread ends, and knows nothing of `fd`.
    return openSync(`/proc/self/fd/${fd}`, "r");
  } catch {
    // No space, or no /proc: the caller does without.
    return undefined;
  } finally {
    libc.close(fd);
  }
}

function openPagemap(): number | undefined {
  try {
    return openSync("/proc/self/pagemap", "r");
  } catch {
    return undefined;
  }
}

/** Asks once whether the kernel knows the call, over one byte of memory that is surely there. */
function scannerWorks(ffi: Ffi, scanner: PageCalls["scanner"]): boolean {
  const probe = new WebAssembly.Memory({ initial: 1 });
  new Uint8Array(probe.buffer)[5 * 4096] = 1;
  const scan = scanner(ffi.getRawPointer(probe.buffer), probe.buffer.byteLength);
  const runs = scan.scan();
  return runs === 1 && scan.start(0) <= 5 * 4096 && scan.end(0) > 5 * 4096;
}

// linux/fs.h: ioctl PAGEMAP_SCAN = _IOWR('f', 16, struct pm_scan_arg), twelve 64-bit words.
const pagemapScan = 0xc060_6610n;
const isFile = 1n << 2n;
const isPresent = 1n << 3n;
const isSwapped = 1n << 4n;
const isZeroPage = 1n << 5n;
const argument = {
  size: 0,
  start: 2,
  end: 3,
  runs: 5,
  runsMax: 6,
  inverted: 8,
  all: 9,
  any: 10,
  returned: 11,
  words: 12,
} as const;
// struct page_region: start, end, categories.
const runWords = 3;
const runsBytes = runsMax * runWords * 8;

interface ScanCalls {
  readonly ffi: Ffi;
  readonly libc: Libc;
  readonly pagemap: number;
  readonly into: ArrayBuffer;
}

class PagemapScanner implements PageScanner {
  readonly runsMax = runsMax;
  readonly #calls: ScanCalls;
  readonly #address: number;
  readonly #argument = new BigUint64Array(argument.words);
  readonly #argumentAddress: bigint;
  /** Halves of 64-bit words, the lower one first: a number holds every address of a process, and costs no allocation. */
  readonly #runs: Uint32Array;
  #from = 0;

  constructor(calls: ScanCalls, address: bigint, byteLength: number) {
    this.#calls = calls;
    this.#address = Number(address);
    this.#runs = new Uint32Array(calls.into, 0, runsBytes / 4);
    this.#argumentAddress = calls.ffi.getRawPointer(this.#argument);
    this.#argument[argument.size] = BigInt(argument.words * 8);
    this.#argument[argument.start] = address;
    this.#argument[argument.end] = address + BigInt(byteLength);
    this.#argument[argument.runs] = calls.ffi.getRawPointer(this.#runs);
    this.#argument[argument.runsMax] = BigInt(runsMax);
    // Private pages are those that exist, here or in the swap, and are neither the file's nor the page of zeros.
    this.#argument[argument.inverted] = isFile | isZeroPage;
    this.#argument[argument.all] = isFile | isZeroPage;
    this.#argument[argument.any] = isPresent | isSwapped;
    this.#argument[argument.returned] = isPresent | isSwapped;
  }

  scan(from = 0): number | undefined {
    if (from !== this.#from) this.#argument[argument.start] = BigInt(this.#address + from);
    this.#from = from;
    const runs = this.#calls.libc.ioctl(this.#calls.pagemap, pagemapScan, this.#argumentAddress);
    return runs < 0 ? undefined : runs;
  }

  start(run: number): number {
    return this.#offsetAt(run * runWords);
  }

  end(run: number): number {
    return this.#offsetAt(run * runWords + 1);
  }

  #offsetAt(word: number): number {
    return (this.#runs[word * 2 + 1] ?? 0) * 2 ** 32 + (this.#runs[word * 2] ?? 0) - this.#address;
  }
}
