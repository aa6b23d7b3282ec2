import {
  closeSync,
  type Dirent,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { checkCommand } from "./command.ts";
import { Libc } from "./libc.ts";
import { mount } from "./pod-mounts.ts";
import { claimCgroup } from "./user-scope.ts";

/** Where the namespaces of an ordinary user's node are found, by those who are in its mount namespace. */
const ownDirectory = "/run/shallop";
/** The network in which the node's bridge is. */
export const ownNetwork = `${ownDirectory}/net`;
/** The devices of that network, as files. */
export const ownSys = `${ownDirectory}/sys`;

const bind = 0x1000n;
const recursive = 0x4000n;
/** Names in /run of what is made anew here. */
const ownNames = new Set(["netns", "shallop"]);

/**
 * Makes namespaces, in which this process is alone and root, such as native pods need: a /run that can be written, with all that is
 * in the machine's; a network that passes packets on; and, of one that owns its cgroup, that as the tree of cgroups.
 * @throws SystemCallFault, KernelFault
 */
export async function furnishNamespaces(isCgroupOwn: boolean): Promise<void> {
  const libc = Libc.load();
  coverRun(libc);
  mkdirSync(ownSys, { recursive: true });
  writeFileSync(ownNetwork, "");
  mount(libc, { source: "/proc/self/ns/net", target: ownNetwork, type: "none", flags: bind });
  mount(libc, { source: "sysfs", target: ownSys, type: "sysfs", flags: 0n });
  if (isCgroupOwn) claimCgroup(libc, `${ownDirectory}/cgroup`);
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  await checkCommand("ip", ["link", "set", "lo", "up"]);
}

/** Puts one that can be written over the machine's, which keeps its name for whoever has it open. @throws SystemCallFault */
export function coverRun(libc: Libc): void {
  const old = openSync("/run", "r");
  const entries = readdirSync("/run", { withFileTypes: true });
  mount(libc, { source: "shallop", target: "/run", type: "tmpfs", flags: 0n, data: "mode=0755,size=16m" });
  for (const entry of entries) if (!ownNames.has(entry.name)) showAgain(libc, old, entry);
  closeSync(old);
}

function showAgain(libc: Libc, directory: number, entry: Dirent): void {
  const [source, target] = [`/proc/self/fd/${directory}/${entry.name}`, `/run/${entry.name}`];
  try {
    if (entry.isSymbolicLink()) return symlinkSync(readlinkSync(source), target);
    if (entry.isDirectory()) mkdirSync(target);
    else writeFileSync(target, "");
    mount(libc, { source, target, type: "none", flags: bind | recursive });
  } catch {
    // What this user may not see, nobody here does.
  }
}
