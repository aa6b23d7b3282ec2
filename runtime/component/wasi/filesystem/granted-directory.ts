import { errorCode } from "@shallop/sdk/internal";
import { GuestFault } from "../../guest-fault.ts";
import type { GrantedDirectory, GuestContext } from "../guest-context.ts";
import { OpenDescriptor } from "./open-descriptor.ts";
import { type OpenNode, openRoot, platformReach } from "./open-node.ts";

/** @throws GuestFault when the directory is not there, or too many files are open */
export function openGranted(context: GuestContext, granted: GrantedDirectory, reach = platformReach): OpenDescriptor {
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
    return new OpenDescriptor(context, node, { flags, writable: granted.writable });
  } finally {
    node.release();
  }
}
