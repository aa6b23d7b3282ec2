import { errorCode } from "@shallop/sdk/internal";
import { GuestFault } from "../../guest-fault.ts";
import type { GrantedDirectory, GuestContext } from "../guest-context.ts";
import type { IoError } from "../io-error.ts";
import { guestClass, notConstructible } from "../resource.ts";
import { Descriptor } from "./descriptor.ts";
import { DirectoryEntryStream } from "./directory-entry-stream.ts";
import { type OpenNode, openRoot, platformReach } from "./open-node.ts";

/** wasi:filesystem/types@0.2 */
export const filesystemTypes = (_context: GuestContext): object => ({
  Descriptor: guestClass(Descriptor, notConstructible, {}),
  DirectoryEntryStream: guestClass(DirectoryEntryStream, notConstructible, {}),
  filesystemErrorCode: (error: IoError) => (error.cause?.kind === "file" ? error.cause.code : undefined),
});

/** wasi:filesystem/preopens@0.2: what the launch grants. */
export const filesystemPreopens = (context: GuestContext): object => ({
  getDirectories: () =>
    context.settings.directories.map((granted) => [grantedDescriptor(context, granted), granted.guest]),
});

/** @throws GuestFault when the directory is not there, or too many files are open */
export function grantedDescriptor(context: GuestContext, granted: GrantedDirectory, reach = platformReach): Descriptor {
  if (!context.openFiles.take()) throw new GuestFault("GUEST_LIMIT", "the guest has too many open files");
  let node: OpenNode;
  try {
    node = openRoot(granted.host, reach);
  } catch (error) {
    context.openFiles.give();
    const what = `the directory ${granted.guest} cannot be opened: ${errorCode(error) ?? "unknown error"}`;
    throw new GuestFault("GUEST_FAILED", what, { cause: error });
  }
  node.whenClosed(() => context.openFiles.give());
  try {
    const flags = { read: true, write: false, mutateDirectory: granted.writable };
    return new Descriptor(context, node, { flags, writable: granted.writable });
  } finally {
    node.release();
  }
}
