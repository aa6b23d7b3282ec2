import type { BigIntStats } from "node:fs";
import type { GuestContext } from "../guest-context.ts";
import type { IoErrorCause } from "../io-error.ts";
import { err, type Result } from "../result.ts";
import { answer } from "../filesystem/answer.ts";
import type { FileErrorCode } from "../filesystem/file-error.ts";
import { type FileType, fileTypeOf } from "../filesystem/metadata.ts";

/** `wasi:filesystem/types.error-code`. */
export type FileError =
  | { readonly tag: Exclude<FileErrorCode, "would-block"> }
  | { readonly tag: "other"; readonly val: string | undefined };

export const fileError = (code: FileErrorCode): FileError =>
  code === "would-block" ? { tag: "other", val: code } : { tag: code };

/** Of a stream from or to a file. */
export const fileErrorOfCause = (cause: IoErrorCause | undefined): FileError =>
  fileError(cause?.kind === "file" ? cause.code : "io");

export type FileOutcome<Value> = Result<Value, FileError>;

/** What `run` gives, as the guest gets it. */
export async function fileAnswer<Value>(context: GuestContext, run: () => Promise<Value>): Promise<FileOutcome<Value>> {
  const result = await answer(context, run);
  return result.tag === "ok" ? result : err(fileError(result.val));
}

/** `wasi:filesystem/types.descriptor-type`. */
export type DescriptorType =
  | { readonly tag: Exclude<FileType, "unknown"> }
  | { readonly tag: "other"; readonly val: string | undefined };

export const descriptorType = (type: FileType): DescriptorType =>
  type === "unknown" ? { tag: "other", val: undefined } : { tag: type };

/** `wasi:clocks/system-clock.instant`; seconds before 1970 are negative. */
interface Instant {
  readonly seconds: bigint;
  readonly nanoseconds: number;
}

const secondNs = 1_000_000_000n;

function instantOf(ns: bigint): Instant {
  const nanoseconds = ((ns % secondNs) + secondNs) % secondNs;
  return { seconds: (ns - nanoseconds) / secondNs, nanoseconds: Number(nanoseconds) };
}

/** `wasi:filesystem/types.descriptor-stat`. */
export interface DescriptorStat {
  readonly type: DescriptorType;
  readonly linkCount: bigint;
  readonly size: bigint;
  readonly dataAccessTimestamp: Instant;
  readonly dataModificationTimestamp: Instant;
  readonly statusChangeTimestamp: Instant;
}

export const descriptorStat = (stats: BigIntStats): DescriptorStat => ({
  type: descriptorType(fileTypeOf(stats)),
  linkCount: stats.nlink,
  size: stats.size,
  dataAccessTimestamp: instantOf(stats.atimeNs),
  dataModificationTimestamp: instantOf(stats.mtimeNs),
  statusChangeTimestamp: instantOf(stats.ctimeNs),
});
