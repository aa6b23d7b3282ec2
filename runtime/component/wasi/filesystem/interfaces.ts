import type { Caller, GrantedDirectory, GuestContext } from "../guest-context.ts";
import type { IoError } from "../io-error.ts";
import { guestClass, notConstructible } from "../resource.ts";
import { Descriptor } from "./descriptor.ts";
import { DirectoryEntryStream } from "./directory-entry-stream.ts";
import { openGranted } from "./granted-directory.ts";
import { closeOnThrow } from "./open-descriptor.ts";
import { platformReach } from "./open-node.ts";

/** wasi:filesystem/types@0.2 */
export const filesystemTypes = (_caller: Caller): object => ({
  Descriptor: guestClass(Descriptor, notConstructible, {}),
  DirectoryEntryStream: guestClass(DirectoryEntryStream, notConstructible, {}),
  filesystemErrorCode: (error: IoError) => (error.cause?.kind === "file" ? error.cause.code : undefined),
});

/** wasi:filesystem/preopens@0.2: what the launch grants. */
export const filesystemPreopens = (caller: Caller): object => ({
  getDirectories: () => {
    const { context } = caller;
    return context.settings.directories.map((granted) => [grantedDescriptor(context, granted), granted.guest]);
  },
});

/** @throws GuestFault when the directory is not there, or too many files are open */
export function grantedDescriptor(context: GuestContext, granted: GrantedDirectory, reach = platformReach): Descriptor {
  const opened = openGranted(context, granted, reach);
  return closeOnThrow(opened, () => new Descriptor(context, opened));
}
