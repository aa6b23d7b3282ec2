import { createHash, randomBytes } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { FileFault } from "./file-error.ts";

/** `wasi:filesystem/types.descriptor-type`. */
export type FileType =
  | "unknown"
  | "block-device"
  | "character-device"
  | "directory"
  | "fifo"
  | "symbolic-link"
  | "regular-file"
  | "socket";

/** What `Stats` and `Dirent` have in common. */
interface Typed {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isBlockDevice(): boolean;
  isCharacterDevice(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
}

export function fileTypeOf(entry: Typed): FileType {
  if (entry.isFile()) return "regular-file";
  if (entry.isDirectory()) return "directory";
  if (entry.isSymbolicLink()) return "symbolic-link";
  if (entry.isBlockDevice()) return "block-device";
  if (entry.isCharacterDevice()) return "character-device";
  if (entry.isFIFO()) return "fifo";
  return entry.isSocket() ? "socket" : "unknown";
}

/** `wasi:clocks/wall-clock.datetime`. */
interface Datetime {
  readonly seconds: bigint;
  readonly nanoseconds: number;
}

/** `wasi:filesystem/types.new-timestamp`. */
export type NewTimestamp =
  | { readonly tag: "no-change" }
  | { readonly tag: "now" }
  | { readonly tag: "timestamp"; readonly val: Datetime };

/** `wasi:filesystem/types.descriptor-stat`. */
export interface DescriptorStat {
  readonly type: FileType;
  readonly linkCount: bigint;
  readonly size: bigint;
  readonly dataAccessTimestamp: Datetime | undefined;
  readonly dataModificationTimestamp: Datetime | undefined;
  readonly statusChangeTimestamp: Datetime | undefined;
}

export function descriptorStat(stats: BigIntStats): DescriptorStat {
  return {
    type: fileTypeOf(stats),
    linkCount: stats.nlink,
    size: stats.size,
    dataAccessTimestamp: datetimeOf(stats.atimeNs),
    dataModificationTimestamp: datetimeOf(stats.mtimeNs),
    statusChangeTimestamp: datetimeOf(stats.ctimeNs),
  };
}

/** A `datetime` knows no time before 1970. */
function datetimeOf(ns: bigint): Datetime | undefined {
  if (ns < 0n) return undefined;
  return { seconds: ns / 1_000_000_000n, nanoseconds: Number(ns % 1_000_000_000n) };
}

// Beyond the year 9999 file systems disagree about what a time is.
const secondsMax = 253_402_300_799n;

/**
 * The two times as `utimes` takes them: seconds, as a number. A number holds the microsecond of today's times and not
 * their nanosecond, so half of one is added: what the kernel cuts off leaves the right microsecond.
 */
export function timesToSet(
  access: NewTimestamp,
  modification: NewTimestamp,
  now: { readonly wallMs: number; readonly stats: BigIntStats },
): { readonly accessSeconds: SetTime; readonly modificationSeconds: SetTime } {
  return {
    accessSeconds: settable(secondsOf(access, now.stats.atimeNs, now.wallMs)),
    modificationSeconds: settable(secondsOf(modification, now.stats.mtimeNs, now.wallMs)),
  };
}

type SetTime = number | string;

/** A number below zero means the present to Node; as text it is what it says. */
const settable = (seconds: number): SetTime => (seconds < 0 ? String(seconds) : seconds);

function secondsOf(time: NewTimestamp, currentNs: bigint, wallMs: number): number {
  if (time.tag === "now") return wallMs / 1000;
  if (time.tag === "no-change") return numberOf(currentNs);
  if (time.val.seconds > secondsMax || time.val.seconds < -secondsMax) {
    throw new FileFault("overflow", "no file can be that young or old");
  }
  return numberOf(time.val.seconds * 1_000_000_000n + BigInt(time.val.nanoseconds));
}

const numberOf = (ns: bigint): number => Number(ns / 1000n) / 1e6 + 0.5e-6;

/** `wasi:filesystem/types.metadata-hash-value`. */
export interface MetadataHash {
  readonly lower: bigint;
  readonly upper: bigint;
}

// A guest learns whether two things are one, never which inode of which device it is.
const salt = randomBytes(16);

/**
 * `lower` names the thing and stays when it changes, because C libraries make it the inode number; `upper` changes with
 * its contents.
 */
export function metadataHash(stats: BigIntStats): MetadataHash {
  return {
    lower: hash64(`${stats.dev} ${stats.ino}`),
    upper: hash64(`${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`),
  };
}

const hash64 = (text: string): bigint => createHash("sha256").update(salt).update(text).digest().readBigUInt64LE(0);
