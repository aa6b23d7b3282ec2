import { mkdirSync, writeFileSync } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CgroupLayout } from "./cgroup.ts";
import { neededControllers } from "./cgroup.ts";
import { checkCommand } from "./command.ts";
import type { Libc } from "./libc.ts";
import { mount } from "./pod-mounts.ts";

// A cgroup that systemd hands to an ordinary user: a scope of the user's own service manager, with all below it. What has no
// place in a pod is in a cgroup of its own, for the kernel lets no process be beside cgroups that have limits.
const machineTree = "/sys/fs/cgroup";
const keeperCgroup = "keeper";
const agentCgroup = "agent";

/** Runs a program in a new scope: what stands before the program. */
export const inScope: readonly string[] = [
  ...["systemd-run", "--user", "--scope", "--quiet", "--collect", "--property=Delegate=yes"],
  ...["--description=A node of Shallop", "--"],
];

/** Programs by which a user's service manager is asked. */
export const scopePrograms = ["systemd-run", "busctl"] as const;

/** How this user's service manager is reached; undefined: the user has none. */
export async function userManager(
  sessionDirectory: string | undefined,
  uid: number,
): Promise<Readonly<Record<string, string>> | undefined> {
  // Without a login, as after su(1), nobody has said it.
  const directory = sessionDirectory ?? `/run/user/${String(uid)}`;
  return (await isThere(join(directory, "bus"))) ? { XDG_RUNTIME_DIR: directory } : undefined;
}

/** Whether a user's service manager stays when the last session ends (loginctl(1), enable-linger). */
export async function lingers(uid: number, users: string): Promise<boolean> {
  const name = new RegExp(`^([^:\n]+):[^:\n]*:${String(uid)}:`, "m").exec(users)?.[1];
  return name !== undefined && (await isThere(join("/var/lib/systemd/linger", name)));
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * Makes the cgroup of this process, who is alone in it, the root of the tree that all see in its mount namespace. For root of a
 * user namespace, who has a mount and a cgroup namespace. @throws SystemCallFault, Error where it is somebody else's
 */
export function claimCgroup(libc: Libc, scratch: string): void {
  const flags = 0x2n | 0x4n | 0x8n; // MS_NOSUID, MS_NODEV, MS_NOEXEC
  const move = 0x2000n;
  mkdirSync(scratch);
  // The kernel mounts no file system over itself, and moves it there.
  mount(libc, { source: "cgroup", target: scratch, type: "cgroup2", flags });
  mount(libc, { source: scratch, target: machineTree, type: "none", flags: move });
  for (const name of [keeperCgroup, agentCgroup]) mkdirSync(join(machineTree, name), { recursive: true });
  writeFileSync(join(machineTree, keeperCgroup, "cgroup.procs"), String(process.pid));
  const controllers = neededControllers.map((controller) => `+${controller}`).join(" ");
  writeFileSync(join(machineTree, "cgroup.subtree_control"), controllers);
}

/** What `/proc/PID/cgroup` of a process that has claimed its cgroup says of it: its path, and the scope that it is. */
export function parseClaimed(text: string): { readonly path: string; readonly scope: string } | undefined {
  const [, path, scope] = /^0::(\/(?:.*\/)?([^/\n]+\.scope))\/keeper$/m.exec(text) ?? [];
  return path === undefined || scope === undefined ? undefined : { path, scope };
}

const cgroupOf = (pid: number | "self"): Promise<string> =>
  readFile(`/proc/${String(pid)}/cgroup`, "utf8").catch(() => "");

/** Moves this process into the tree of the keeper, where it may then move others. False: the keeper has none. */
export async function joinScope(keeper: number, manager: Readonly<Record<string, string>> = {}): Promise<boolean> {
  const claimed = parseClaimed(await cgroupOf(keeper));
  if (claimed === undefined) return false;
  const systemd = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"];
  const move = ["AttachProcessesToUnit", "ssau", claimed.scope, `/${agentCgroup}`, "1", String(process.pid)];
  await checkCommand("busctl", ["--user", "call", ...systemd, ...move], { env: manager });
  return true;
}

/** Whether `joinScope` has brought this process where it is, seen from inside the keeper's cgroup namespace. */
export const isInScope = async (): Promise<boolean> =>
  (await cgroupOf("self")).split("\n").includes(`0::/${agentCgroup}`);

/** The keeper's tree, as who is outside of its namespaces finds it in the machine's. */
export async function claimedLayout(keeper: number): Promise<CgroupLayout | undefined> {
  const claimed = parseClaimed(await cgroupOf(keeper));
  if (claimed === undefined) return undefined;
  const unified = join(machineTree, claimed.path);
  const controllers = (await readFile(join(unified, "cgroup.controllers"), "utf8").catch(() => "")).trim().split(" ");
  return {
    ...{ mode: "v2", unified, roots: [unified] },
    rootByController: new Map(controllers.map((controller) => [controller, unified])),
  };
}
