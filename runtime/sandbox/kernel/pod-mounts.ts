import { dirname } from "node:path";
import type { Libc } from "./libc.ts";

/** What a pod's own mount namespace holds beside the machine's files, for its OCI runtime to start from. */
export interface PodMounts {
  /** Directories of the image's layers, the topmost first; relative names of one to three characters stand for them. */
  readonly layers: readonly string[];
  /** User namespace by whose map owners of files are shifted; undefined: they stay what they are. */
  readonly usersFd?: number;
  /** Has `upper`, where what the container writes to its root goes, and `work`; undefined: the root is read-only. */
  readonly writableDirectory?: string;
  /** Programs of the image that change the user are followed. */
  readonly allowsSetuid: boolean;
  /** Its devices are what the pod's /sys shows; undefined: the machine's, over whose network who makes this has no right. */
  readonly networkNamespace: string | undefined;
  /** Settings of that network namespace, `net.…`, by name. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** Directories and files of this machine that the container's own mounts begin with; see podVolumePath. */
  readonly volumes?: readonly PodVolume[];
  /** A v2 cgroup tree to be hidden: crun refuses machines that have both. */
  readonly hiddenCgroup?: string;
  /** Made by root of a user namespace: marks in layers are such as a user may write, and no mount of the machine's can be taken away. */
  readonly isRootless?: boolean;
  /** By a thread that comes to nothing else: into the machine's network, which is not this user's, it finds no way back. */
  readonly isOnce?: boolean;
}

/**
 * Where a pod's mount namespace has its mounts. Every user may pass through the directories above, as root of a user
 * namespace has to; the node's own data is closed to him. The machine sees an empty directory here.
 */
export interface PodVolume {
  readonly root: string;
  /** Below the root, without links: who writes into the volume must not lead out of it. */
  readonly subPath?: string;
  readonly isFile: boolean;
  /** It is of this machine: root of the pod is root there, as layers are its own. Where the file system can. */
  readonly shiftsOwners?: boolean;
}

export const podMountPoint = "/run/shallop/pod";
export const podRootPath = `${podMountPoint}/root`;
export const podSysPath = `${podMountPoint}/sys`;
const layersPath = `${podMountPoint}/layers`;
const volumesPath = `${podMountPoint}/volumes`;
/** Where the volume of this number is. */
export const podVolumePath = (index: number): string => `${volumesPath}/${String(index)}`;

// <fcntl.h>, <sched.h>, <linux/mount.h>: the same on x86-64 and arm64.
const closeOnExec = 0o2000000;
const writeOnly = 1;
const newMounts = 0x2_0000;
const newNetwork = 0x4000_0000;
const mountFlags = { readOnly: 1n, noSuid: 2n, noDevices: 4n, noExec: 8n } as const;
const slaveRecursive = BigInt(0x8_0000 | 0x4000);
const bindRecursive = BigInt(0x1000 | 0x4000);
const attributes = { readOnly: 1, noDevices: 4, idMapped: 0x10_0000 } as const;
const detach = 2;
const calls = { openat2: 437, openTree: 428, moveMount: 429, mountSetattr: 442 } as const;
const currentDirectory = -100;
const emptyPath = 0x1000;
const cloneTree = 1;
const recursive = 0x8000;
const pathOnly = 0o10000000;
const createFile = 0o100;
// RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS of openat2(2).
const beneathWithoutLinks = 0x08n | 0x04n;
const fromEmptyPath = 4;

// redirect_dir, metacopy: layers are untrusted, and these make overlayfs follow paths that a layer names.
const overlayOptions = "redirect_dir=nofollow,metacopy=off,index=off";
// The data of mount(2) is one page; the last byte ends the string.
const overlayOptionBytesMax = 4095;
// OVL_MAX_STACK of the kernel's overlayfs, its bound on lower layers.
const overlayLayersMax = 500;

// No layer has this name: it would be the 1,106th.
const writableName = "up";
const layerName = (index: number): string => index.toString(36);

const writableOptions = `,upperdir=${writableName}/upper,workdir=${writableName}/work`;
// Longer than what the machine's root needs.
const rootlessOptions = ",userxattr";
const overlayData = (layerCount: number, isWritable: boolean, isRootless = true): string =>
  `${overlayOptions}${isRootless ? rootlessOptions : ""}${isWritable ? writableOptions : ""},lowerdir=${Array.from({ length: layerCount }, (_, index) => layerName(index)).join(":")}`;

/** How many layers one overlay takes, the pod's own among them: 500, or what fits into a page of options. */
export const layersMax: number = (() => {
  let count = overlayLayersMax;
  while (overlayData(count, true).length > overlayOptionBytesMax) count--;
  return count;
})();

/**
 * Makes the mount namespace of a pod and returns its descriptor; the namespace lives as long as the descriptor or a
 * process in it. The calling thread must share its file system's state with no other (see mount-thread-main.ts), and
 * is back in the machine's namespaces afterwards. @throws SystemCallFault CALL_FAILED
 */
export function makePodMounts(libc: Libc, mounts: PodMounts): number {
  const { functions } = libc;
  using home = openNamespace(libc, "mnt");
  libc.check("unshare", functions.unshare(newMounts));
  try {
    // What the machine unmounts is to go here too, and nothing of what is mounted here is to be seen there.
    mount(libc, { source: "none", target: "/", type: "none", flags: slaveRecursive });
    if (mounts.hiddenCgroup !== undefined) hideCgroup(libc, mounts.hiddenCgroup, mounts.isRootless === true);
    mountRoot(libc, mounts);
    mountSys(libc, mounts);
    for (const [index, volume] of (mounts.volumes ?? []).entries())
      attachVolume(libc, volume, { target: podVolumePath(index), usersFd: mounts.usersFd });
    return functions.open("/proc/thread-self/ns/mnt", closeOnExec);
  } finally {
    libc.check("going back", functions.setns(home.fd, newMounts));
  }
}

function hideCgroup(libc: Libc, path: string, isRootless: boolean): void {
  if (!isRootless) return void libc.check(`hiding ${path}`, libc.functions.umount2(path, detach));
  const { readOnly } = mountFlags;
  mount(libc, { source: "shallop", target: dirname(path), type: "tmpfs", flags: readOnly });
}

function mountRoot(libc: Libc, { layers, usersFd, writableDirectory, allowsSetuid, isRootless }: PodMounts): void {
  const { functions } = libc;
  const { readOnly, noSuid, noDevices, noExec } = mountFlags;
  const isWritable = writableDirectory !== undefined;
  // Directories only.
  const staging = { source: "shallop", target: podMountPoint, type: "tmpfs", flags: noSuid | noDevices | noExec };
  mount(libc, { ...staging, data: "mode=0755,size=64k" });
  for (const path of [podRootPath, podSysPath, layersPath, volumesPath]) makeDirectory(libc, path);
  libc.check(`chdir ${layersPath}`, functions.chdir(layersPath));
  for (const [index, layer] of layers.entries()) {
    attachLayer(libc, { layer, name: layerName(index), usersFd, isWritable: false });
  }
  // Not shifted: overlayfs makes files there as this thread's user, whom the pod's ids do not hold.
  if (isWritable) attachLayer(libc, { layer: writableDirectory, name: writableName, usersFd: undefined, isWritable });
  const flags = noDevices | (isWritable ? 0n : readOnly) | (allowsSetuid ? 0n : noSuid);
  const data = overlayData(layers.length, isWritable, isRootless === true);
  mount(libc, { source: "shallop", target: podRootPath, type: "overlay", flags, data });
}

interface Layer {
  readonly layer: string;
  readonly name: string;
  readonly usersFd: number | undefined;
  readonly isWritable: boolean;
}

/** Shows a layer's directory under its short name, with shifted owners (mount_setattr(2), "ID-mapped mounts"). */
function attachLayer(libc: Libc, { layer, name, usersFd, isWritable }: Layer): void {
  const [source, target, nothing] = [layer, name, ""].map((text) => Buffer.from(`${text}\0`));
  if (source === undefined || target === undefined || nothing === undefined) return;
  const address = (bytes: Uint8Array): bigint => libc.addressOf(bytes);
  const tree = libc.check(
    `opening the layer ${layer}`,
    libc.call(calls.openTree, currentDirectory, address(source), cloneTree | closeOnExec),
  );
  using _ = closing(libc, tree);
  // Whether setuid counts is a matter of the overlay, which alone the container sees.
  const { readOnly, noDevices, idMapped } = attributes;
  const set = noDevices | (isWritable ? 0 : readOnly) | (usersFd === undefined ? 0 : idMapped);
  // struct mount_attr: set, clear, propagation, user namespace.
  const attr = new Uint8Array(new BigUint64Array([BigInt(set), 0n, 0n, BigInt(usersFd ?? 0)]).buffer);
  libc.check(
    `shifting owners of the layer ${layer}`,
    libc.call(calls.mountSetattr, tree, address(nothing), emptyPath, address(attr), attr.length),
  );
  makeDirectory(libc, name);
  libc.check(
    `showing the layer ${layer}`,
    libc.call(calls.moveMount, tree, address(nothing), currentDirectory, address(target), fromEmptyPath),
  );
}

/** Shows a volume, or what is below it, where the container's mount of it begins. */
function attachVolume(
  libc: Libc,
  { root, subPath, isFile, shiftsOwners = false }: PodVolume,
  { target, usersFd }: { readonly target: string; readonly usersFd: number | undefined },
): void {
  const { functions } = libc;
  const [nothing, to] = [Buffer.from("\0"), Buffer.from(`${target}\0`)];
  using base = opened(libc, root, pathOnly | closeOnExec);
  using source = subPath === undefined ? base : openedBeneath(libc, base.fd, subPath);
  const tree = libc.check(
    `opening the volume ${root}`,
    libc.call(calls.openTree, source.fd, libc.addressOf(nothing), cloneTree | closeOnExec | emptyPath | recursive),
  );
  using _ = closing(libc, tree);
  if (shiftsOwners && usersFd !== undefined) {
    const attr = new Uint8Array(new BigUint64Array([BigInt(attributes.idMapped), 0n, 0n, BigInt(usersFd)]).buffer);
    // Not every file system can; then files have the owners that they have on this machine.
    libc.call(calls.mountSetattr, tree, libc.addressOf(nothing), emptyPath, libc.addressOf(attr), attr.length);
  }
  if (isFile)
    functions.close(libc.check(`making ${target}`, functions.open(target, createFile | writeOnly | closeOnExec)));
  else makeDirectory(libc, target);
  libc.check(
    `showing the volume ${root}`,
    libc.call(calls.moveMount, tree, libc.addressOf(nothing), currentDirectory, libc.addressOf(to), fromEmptyPath),
  );
}

function openedBeneath(libc: Libc, base: number, path: string): Descriptor {
  const bytes = Buffer.from(`${path}\0`);
  // struct open_how: flags, mode, resolve.
  const how = new Uint8Array(new BigUint64Array([BigInt(pathOnly | closeOnExec), 0n, beneathWithoutLinks]).buffer);
  const fd = libc.call(calls.openat2, base, libc.addressOf(bytes), libc.addressOf(how), how.length);
  return closing(libc, libc.check(`opening ${path} in a volume`, fd));
}

/**
 * The pod's /sys, and the settings of its network: a user namespace of the pod's has no rights over a network
 * namespace that the node has made, and is to have none.
 */
function mountSys(libc: Libc, { networkNamespace, sysctls, isOnce = false }: PodMounts): void {
  const { functions } = libc;
  if (networkNamespace === undefined) {
    return mount(libc, { source: "/sys", target: podSysPath, type: "none", flags: bindRecursive });
  }
  const { readOnly, noSuid, noDevices, noExec } = mountFlags;
  using home = openNamespace(libc, "net");
  using pod = opened(libc, networkNamespace, closeOnExec);
  libc.check("entering the pod's network", functions.setns(pod.fd, newNetwork));
  try {
    mount(libc, {
      source: "sysfs",
      target: podSysPath,
      type: "sysfs",
      flags: readOnly | noSuid | noDevices | noExec,
    });
    for (const [name, value] of Object.entries(sysctls)) writeSysctl(libc, name, value);
  } finally {
    if (!isOnce) libc.check("leaving the pod's network", functions.setns(home.fd, newNetwork));
  }
}

/** This thread alone is in another network from now on. @throws SystemCallFault CALL_FAILED */
export function enterNetwork(libc: Libc, path: string): void {
  using network = opened(libc, path, closeOnExec);
  libc.check(`entering the network ${path}`, libc.functions.setns(network.fd, newNetwork));
}

/** By this thread, for /proc/sys/net is that of whoever opens it: Node would open it in another thread. */
function writeSysctl(libc: Libc, name: string, value: string): void {
  using file = opened(libc, `/proc/sys/${name.replaceAll(".", "/")}`, writeOnly | closeOnExec);
  const bytes = Buffer.from(value);
  libc.check(`setting ${name}`, libc.functions.write(file.fd, libc.addressOf(bytes), BigInt(bytes.length)));
}

interface Mount {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly flags: bigint;
  readonly data?: string;
}

/** As mount(2). @throws SystemCallFault CALL_FAILED */
export function mount(libc: Libc, { source, target, type, flags, data = "" }: Mount): void {
  const typeBytes = Buffer.from(`${type}\0`);
  const result = libc.functions.mount(source, target, libc.addressOf(typeBytes), flags, data);
  libc.check(`mounting ${type} at ${target}`, result);
}

function makeDirectory(libc: Libc, path: string): void {
  libc.check(`making ${path}`, libc.functions.mkdir(path, 0o755));
}

interface Descriptor extends Disposable {
  readonly fd: number;
}

const closing = (libc: Libc, fd: number): Descriptor => ({
  fd,
  [Symbol.dispose]: () => void libc.functions.close(fd),
});

const opened = (libc: Libc, path: string, flags: number): Descriptor =>
  closing(libc, libc.check(`opening ${path}`, libc.functions.open(path, flags)));

const openNamespace = (libc: Libc, kind: "mnt" | "net"): Descriptor =>
  opened(libc, `/proc/thread-self/ns/${kind}`, closeOnExec);
