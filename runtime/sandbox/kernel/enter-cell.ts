import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { CellMount, CellRoot, CellSpec } from "./cell-spec.ts";
import type { Libc } from "./libc.ts";

// <linux/mount.h>, <sys/prctl.h>, <sys/resource.h>: the same on x86-64 and arm64, but for the one number.
const bindRecursive = 0x1000n | 0x4000n;
const safe = 0x2n | 0x4n | 0x8n; // MS_NOSUID, MS_NODEV, MS_NOEXEC
const detach = 2;
const mountSetattr = 442;
const pivotRoot = process.arch === "x64" ? 155 : 41;
const currentDirectory = -100;
const attribute = { readOnly: 0x1, noSuid: 0x2, noDevices: 0x4, noExec: 0x8 } as const;
const wholeTree = 0x8000;
const setSecureBits = 28;
const noRoot = 0x1n | 0x2n; // SECBIT_NOROOT and its lock
const dropFromBounding = 24;
const setNoNewPrivileges = 38;
const clearAmbient = [47, 4n] as const;
const setParentDeathSignal = 1;
const coreLimit = 4;
const setDescriptorFlags = 2;
// Beyond the newest capability the kernel says no, which ends the list.
const capabilitiesMax = 64;

/** What programs need that is no file of theirs. */
const devices = ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"];

/**
 * Puts this process, which is alone in its namespaces, into the cell: a file tree with what the spec names and no way
 * back to the old one; no capability, now or later; a user of its own. @throws SystemCallFault CALL_FAILED
 */
export function enterCell(libc: Libc, spec: CellSpec): void {
  if (spec.root !== undefined) {
    buildRoot(libc, spec.root);
    enterRoot(libc, spec.root);
  }
  giveUpRights(libc, spec.uid);
}

function buildRoot(libc: Libc, root: CellRoot): void {
  const { functions } = libc;
  const target = root.mountPoint;
  libc.check(
    "mounting the cell's root",
    functions.mount("shallop", target, cString(libc, "tmpfs"), safe, "mode=0755,size=256k,nr_inodes=4096"),
  );
  const { readOnly, noSuid, noDevices, noExec } = attribute;
  for (const { from, to, writable } of outermost(root.mounts)) {
    bind(libc, from, join(target, to), noSuid | noDevices | (writable ? noExec : readOnly));
  }
  for (const path of devices) bind(libc, path, join(target, path), noSuid | noExec);
  mountProc(libc, join(target, "proc"));
}

/** Its own processes only, and nothing of the machine: Linux 5.8. */
function mountProc(libc: Libc, target: string): void {
  mkdirSync(target);
  const type = cString(libc, "proc");
  libc.check("mounting /proc", libc.functions.mount("proc", target, type, safe, "subset=pid,hidepid=invisible"));
}

function enterRoot(libc: Libc, root: CellRoot): void {
  const { functions } = libc;
  setAttributes(libc, root.mountPoint, attribute.readOnly, false);
  process.chdir(root.mountPoint);
  const here = cString(libc, ".");
  // The old root is then on top of the new one, and goes (pivot_root(2), "pivot_root(".", ".")").
  libc.check("pivot_root", libc.call(pivotRoot, here, here));
  libc.check("leaving the old root", functions.umount2(".", detach));
  process.chdir("/");
  libc.check("sethostname", functions.sethostname("cell", 4n));
}

function bind(libc: Libc, from: string, to: string, attributes: number): void {
  mountPointFor(from, to);
  libc.check(`showing ${from}`, libc.functions.mount(from, to, 0n, bindRecursive, ""));
  setAttributes(libc, to, attributes, true);
}

function mountPointFor(from: string, to: string): void {
  if (statSync(from).isDirectory()) {
    mkdirSync(to, { recursive: true });
    return;
  }
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, "", { flag: "a" });
}

/** struct mount_attr: set, clear, propagation, user namespace. Unlike a remount it leaves what is locked as it is. */
function setAttributes(libc: Libc, path: string, attributes: number, recursively: boolean): void {
  const attr = new BigUint64Array([BigInt(attributes), 0n, 0n, 0n]);
  const bytes = new Uint8Array(attr.buffer);
  const flags = recursively ? wholeTree : 0;
  const result = libc.call(
    mountSetattr,
    currentDirectory,
    cString(libc, path),
    flags,
    libc.addressOf(bytes),
    bytes.length,
  );
  libc.check(`protecting ${path}`, result);
}

function giveUpRights(libc: Libc, uid: number | undefined): void {
  const { functions } = libc;
  const none = new Uint8Array(16);
  libc.check("setrlimit", functions.setrlimit(coreLimit, libc.addressOf(none)));
  // Both fail for whoever has no right to give up.
  functions.prctl(setSecureBits, noRoot, 0n, 0n, 0n);
  for (let one = 0; one < capabilitiesMax; one++) {
    if (functions.prctl(dropFromBounding, BigInt(one), 0n, 0n, 0n) !== 0) break;
  }
  functions.prctl(...clearAmbient, 0n, 0n, 0n);
  if (uid !== undefined) {
    libc.check("setgroups", functions.setgroups(0n, 0n));
    libc.check("setresgid", functions.setresgid(uid, uid, uid));
    libc.check("setresuid", functions.setresuid(uid, uid, uid));
    // Another user's wish to die with unshare is forgotten.
    functions.prctl(setParentDeathSignal, 9n, 0n, 0n, 0n);
  }
  libc.check("no_new_privs", functions.prctl(setNoNewPrivileges, 1n, 0n, 0n, 0n));
}

/** Becomes the command; returns only by throwing. @throws SystemCallFault CALL_FAILED */
export function execute(libc: Libc, spec: CellSpec): void {
  const [program = ""] = spec.command;
  // Node marks them to be closed.
  for (let fd = 0; fd < 3 + spec.descriptors; fd++) libc.functions.fcntl(fd, setDescriptorFlags, 0);
  const variables = Object.entries(spec.environment).map(([name, value]) => `${name}=${value}`);
  const result = libc.functions.execve(program, cStrings(libc, spec.command), cStrings(libc, variables));
  libc.check(`starting ${program}`, result);
}

// Nothing of this is freed: the process becomes another program a moment later.
const kept: Uint8Array[] = [];

function cString(libc: Libc, text: string): bigint {
  const bytes = Buffer.from(`${text}\0`);
  kept.push(bytes);
  return libc.addressOf(bytes);
}

function cStrings(libc: Libc, texts: readonly string[]): bigint {
  const pointers = new BigUint64Array([...texts.map((text) => cString(libc, text)), 0n]);
  const bytes = new Uint8Array(pointers.buffer);
  kept.push(bytes);
  return libc.addressOf(bytes);
}

/** Without those that are seen already because a directory above them is, and a directory before what is in it. */
function outermost(mounts: readonly CellMount[]): readonly CellMount[] {
  const byTarget = new Map(mounts.map((mount) => [mount.to, mount]));
  const isSeen = (mount: CellMount): boolean =>
    mount.from === mount.to && mounts.some(({ from, to }) => from === to && mount.to.startsWith(`${to}/`));
  return [...byTarget.values()].filter((mount) => !isSeen(mount)).sort((a, b) => a.to.length - b.to.length);
}
