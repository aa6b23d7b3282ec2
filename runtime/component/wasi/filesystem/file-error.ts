import { constants } from "node:os";
import { errorCode, Fault } from "@shallop/sdk/internal";

/** `wasi:filesystem/types.error-code`. */
export type FileErrorCode =
  | "access"
  | "would-block"
  | "already"
  | "bad-descriptor"
  | "busy"
  | "deadlock"
  | "quota"
  | "exist"
  | "file-too-large"
  | "illegal-byte-sequence"
  | "in-progress"
  | "interrupted"
  | "invalid"
  | "io"
  | "is-directory"
  | "loop"
  | "too-many-links"
  | "message-size"
  | "name-too-long"
  | "no-device"
  | "no-entry"
  | "no-lock"
  | "insufficient-memory"
  | "insufficient-space"
  | "not-directory"
  | "not-empty"
  | "not-recoverable"
  | "unsupported"
  | "no-tty"
  | "no-such-device"
  | "overflow"
  | "not-permitted"
  | "pipe"
  | "read-only"
  | "invalid-seek"
  | "text-file-busy"
  | "cross-device";

/** A refusal of ours, in the words of the interface. */
export class FileFault extends Fault<FileErrorCode> {}

/** errno(3) → `error-code`, whole. What has no code of its own gets the nearest. */
const codeByErrno: Readonly<Record<string, FileErrorCode>> = {
  EACCES: "access",
  EAGAIN: "would-block",
  EWOULDBLOCK: "would-block",
  EALREADY: "already",
  EBADF: "bad-descriptor",
  EBUSY: "busy",
  EDEADLK: "deadlock",
  EDQUOT: "quota",
  EEXIST: "exist",
  EFBIG: "file-too-large",
  EILSEQ: "illegal-byte-sequence",
  EINPROGRESS: "in-progress",
  EINTR: "interrupted",
  EINVAL: "invalid",
  EIO: "io",
  EISDIR: "is-directory",
  ELOOP: "loop",
  EMLINK: "too-many-links",
  EMSGSIZE: "message-size",
  ENAMETOOLONG: "name-too-long",
  ENODEV: "no-device",
  ENOENT: "no-entry",
  ENOLCK: "no-lock",
  ENOMEM: "insufficient-memory",
  ENOSPC: "insufficient-space",
  ENOTDIR: "not-directory",
  ENOTEMPTY: "not-empty",
  ENOTRECOVERABLE: "not-recoverable",
  ENOTSUP: "unsupported",
  EOPNOTSUPP: "unsupported",
  ENOSYS: "unsupported",
  ENOTTY: "no-tty",
  ENXIO: "no-such-device",
  EOVERFLOW: "overflow",
  EPERM: "not-permitted",
  EPIPE: "pipe",
  EROFS: "read-only",
  ESPIPE: "invalid-seek",
  ETXTBSY: "text-file-busy",
  EXDEV: "cross-device",
  // The node's descriptors are used up; nothing that the guest could say to its user fits better.
  EMFILE: "insufficient-memory",
  ENFILE: "insufficient-memory",
  // A file of a network file system that is gone.
  ESTALE: "no-entry",
};

// libuv gives no name to some of them, and Node no number to one: errno(3) of Linux.
const unnamed: Readonly<Record<string, number>> = { ENOTRECOVERABLE: 131 };

const codeByNumber: ReadonlyMap<number, FileErrorCode> = new Map(
  Object.entries<number>({ ...unnamed, ...constants.errno }).flatMap(([name, number]) => {
    const code = codeByErrno[name];
    return code === undefined ? [] : [[number, code] as const];
  }),
);

/** What a guest is told about an error of the file system. */
export function fileErrorOf(error: unknown): FileErrorCode {
  if (error instanceof FileFault) return error.code;
  const known = codeByErrno[errorCode(error) ?? ""];
  if (known !== undefined) return known;
  const number = error instanceof Error && "errno" in error ? Number(error.errno) : 0;
  return codeByNumber.get(-number) ?? "io";
}
