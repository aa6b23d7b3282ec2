import type { GuestContext } from "./guest-context.ts";
import { guestClass, notConstructible, Resource } from "./resource.ts";
import { err, type Result } from "./result.ts";

type FileError = "bad-descriptor";

// No directory is open, so a guest can hold no descriptor; a toolchain that makes one up gets a proper error.
const refuse = (): Result<never, FileError> => err("bad-descriptor");

/** `wasi:filesystem/types.descriptor`; none ever exists. */
class Descriptor extends Resource {
  isSameObject(other: unknown): boolean {
    return this === other;
  }
}

const refusedMethods = [
  "readViaStream",
  "writeViaStream",
  "appendViaStream",
  "advise",
  "syncData",
  "getFlags",
  "getType",
  "setSize",
  "setTimes",
  "read",
  "write",
  "readDirectory",
  "sync",
  "createDirectoryAt",
  "stat",
  "statAt",
  "setTimesAt",
  "linkAt",
  "openAt",
  "readlinkAt",
  "removeDirectoryAt",
  "renameAt",
  "symlinkAt",
  "unlinkFileAt",
  "metadataHash",
  "metadataHashAt",
] as const;
for (const name of refusedMethods) Object.defineProperty(Descriptor.prototype, name, { value: refuse });

/** `wasi:filesystem/types.directory-entry-stream`; none ever exists. */
class DirectoryEntryStream extends Resource {
  readDirectoryEntry(): Result<never, FileError> {
    return err("bad-descriptor");
  }
}

/** wasi:filesystem/types@0.2 */
export const filesystemTypes = (_context: GuestContext): object => ({
  Descriptor: guestClass(Descriptor, notConstructible, {}),
  DirectoryEntryStream: guestClass(DirectoryEntryStream, notConstructible, {}),
  filesystemErrorCode: () => undefined,
});

/** wasi:filesystem/preopens@0.2: a Wasm pod has no files. */
export const filesystemPreopens = (_context: GuestContext): object => ({ getDirectories: () => [] });
