import { describeError } from "@shallop/sdk/internal";
import { findProgram } from "../features.ts";
import { Libc } from "../kernel/libc.ts";
import { coverRun } from "../kernel/own-namespaces.ts";
import { becomeOwnRoot, type OwnProgram } from "../kernel/own-process.ts";
import { userMap } from "../kernel/user-map.ts";
import type { IdRange } from "../kernel/kernel.ts";

/** What an ordinary user has who is root of namespaces of his own. */
export interface OwnUsers {
  /** Path of a network namespace of his own; undefined: the machine's, over which he has no right. */
  readonly network?: string;
  /** Users and groups that there are, from root on. */
  readonly idCount: number;
  /** The same, in the ranges that a user namespace of a pod's can have. */
  readonly users: readonly IdRange[];
  readonly groups: readonly IdRange[];
  /** A tree of cgroups is its own, so that limits hold. */
  readonly hasCgroups: boolean;
  /** They go with the user's last session, and all that runs in them. */
  readonly endsWithSession: boolean;
}

/** The users and groups of the namespace in which this process is. */
export function ownIds(): Pick<OwnUsers, "idCount" | "users" | "groups"> {
  const [users, groups] = [userMap("uid"), userMap("gid")];
  return { idCount: Math.min(users.idCount, groups.idCount), users: users.ranges, groups: groups.ranges };
}

/**
 * Makes this process, of an ordinary user, root of namespaces of its own that end with it; it begins anew there. Returns the reason,
 * in half a sentence, where that cannot be.
 */
export async function becomeOwnUsers(program: OwnProgram): Promise<string> {
  const unshare = await findProgram("unshare");
  if (unshare === undefined) return "the program unshare is not installed";
  try {
    return await becomeOwnRoot(program, unshare);
  } catch (error) {
    return describeError(error);
  }
}

/** What this process is root of, after `becomeOwnUsers`. Its /run can be written, and is its own. @throws SystemCallFault */
export function ownUsersInside(): OwnUsers {
  coverRun(Libc.load());
  return { ...ownIds(), hasCgroups: false, endsWithSession: false };
}
