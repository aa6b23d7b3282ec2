/**
 * The functions of WASI 0.2 that may have to wait: these return a promise if they do, and suspend the guest; all others
 * return at once.
 */
export const waitingImports: readonly string[] = [
  ...[
    "create-directory-at",
    "link-at",
    "metadata-hash",
    "metadata-hash-at",
    "open-at",
    "read",
    "read-directory",
    "readlink-at",
    "remove-directory-at",
    "rename-at",
    "set-size",
    "set-times",
    "set-times-at",
    "stat",
    "stat-at",
    "symlink-at",
    "sync",
    "sync-data",
    "unlink-file-at",
    "write",
  ].map((name) => `wasi:filesystem/types#[method]descriptor.${name}`),
  "wasi:filesystem/types#[method]directory-entry-stream.read-directory-entry",
  "wasi:io/poll#poll",
  "wasi:io/poll#[method]pollable.block",
  "wasi:io/streams#[method]input-stream.blocking-read",
  "wasi:io/streams#[method]input-stream.blocking-skip",
  "wasi:io/streams#[method]output-stream.blocking-flush",
  "wasi:io/streams#[method]output-stream.blocking-write-and-flush",
  "wasi:io/streams#[method]output-stream.blocking-write-zeroes-and-flush",
  "wasi:io/streams#[method]output-stream.blocking-splice",
];

const waiting: ReadonlySet<string> = new Set(waitingImports);

/** `interfaceFamily`: without version. */
export const mayWait = (interfaceFamily: string, name: string): boolean => waiting.has(`${interfaceFamily}#${name}`);
