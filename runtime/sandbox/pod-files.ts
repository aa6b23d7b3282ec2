import { createHash } from "node:crypto";
import { join } from "node:path";

/** Names that stand for a pod on this machine. None of them holds a word that a user chose. */
export interface PodNames {
  /** Of its directory, its cgroup, its IP claim: 16 hex digits of the uid's hash. */
  readonly key: string;
  /** Of its container, for runc and crun. */
  readonly containerId: string;
  /** Of its network namespace. */
  readonly netns: string;
  /** Of its link's end on the machine; names of links have at most 15 characters. */
  readonly link: string;
  /** Below the root of each cgroup hierarchy, of a pod or of one container. `runtime` is the one that the OCI runtime makes and removes. */
  readonly cgroup: string;
  readonly runtimeCgroup: string;
}

/** Where a pod's files are. */
export interface PodFiles {
  readonly directory: string;
  readonly record: string;
  readonly bundle: string;
  readonly config: string;
  readonly top: string;
  /** What a root that may be written holds: `upper`, `work`. */
  readonly writable: string;
  readonly stdout: string;
  readonly stderr: string;
  /** The runtime's exit code, once it has ended. */
  readonly exit: string;
  /** What the runtime says, one JSON object a line. */
  readonly runtimeLog: string;
  /** Id of the container's first process on this machine, once it runs. */
  readonly pidFile: string;
  /** What is written into the container's standard input, when it has one. */
  readonly stdin: string;
  /** Opened and closed again, it lets the standard input end. */
  readonly stdinGate: string;
  /** Of a pod of several containers: what was asked for, its containers' own files, its volumes. */
  readonly launch: string;
  readonly containers: string;
  readonly volumes: string;
}

const hexHash = (text: string, digits: number): string =>
  createHash("sha256").update(text).digest("hex").slice(0, digits);

/** Tells the nodes of one machine apart: from the directory of a node's state. */
export const nodeKey = (directory: string): string => hexHash(directory, 6);

export const podKey = (uid: string): string => hexHash(uid, 16);

export const isPodKey = (text: string): boolean => /^[0-9a-f]{16}$/.test(text);

/** Begins the holder of what is made ahead, and no pod has: no pod's key begins so. */
export const spareHolder = "spare-";

/** All that nodes of this machine have, below which each has its own. */
export const machineCgroup = "shallop";

export const nodeCgroup = (node: string): string => `${machineCgroup}/${node}`;

/** What begins the name of each network namespace and each link of a node's pods. */
export const netnsPrefix = (node: string): string => `shallop-${node}-`;
export const linkPrefix = (node: string): string => `s${node}`;

/** IFNAMSIZ without its end: what the kernel takes at most, and what each pod's link has. */
export const linkNameLength = 15;

export function podNames(node: string, key: string): PodNames {
  const cgroup = `${nodeCgroup(node)}/${key}`;
  return {
    key,
    containerId: `shallop-${node}-${key}`,
    netns: `${netnsPrefix(node)}${key}`,
    // 8 digits of 16: two pods of one node with the same would have to be among its thousand at once.
    link: `${linkPrefix(node)}${key.slice(0, 8)}`,
    cgroup,
    runtimeCgroup: `${cgroup}/run`,
  };
}

export const podFiles = (podsDirectory: string, key: string): PodFiles => filesIn(join(podsDirectory, key));

/** Of one container among several: 8 hex digits of its name's hash. */
export const containerKey = (name: string): string => hexHash(name, 8);

/** Names of one container of a pod: the pod's, but for what is its own. */
export function containerNames(pod: PodNames, key: string): PodNames {
  const cgroup = `${pod.cgroup}/${key}`;
  return { ...pod, containerId: `${pod.containerId}-${key}`, cgroup, runtimeCgroup: `${cgroup}/run` };
}

export const containerFiles = (pod: PodFiles, key: string): PodFiles => filesIn(join(pod.containers, key));

/** Where the node keeps what a container writes to its root, for the next one that names it so. */
export const keptRootDirectory = (nativeDirectory: string, name: string): string =>
  join(nativeDirectory, "roots", hexHash(name, 32));

function filesIn(directory: string): PodFiles {
  const bundle = join(directory, "bundle");
  return {
    directory,
    record: join(directory, "pod.json"),
    bundle,
    config: join(bundle, "config.json"),
    top: join(directory, "top"),
    writable: join(directory, "writable"),
    stdout: join(directory, "stdout"),
    stderr: join(directory, "stderr"),
    exit: join(directory, "exit"),
    runtimeLog: join(directory, "runtime.log"),
    pidFile: join(directory, "pid"),
    stdin: join(directory, "stdin"),
    stdinGate: join(directory, "stdin-gate"),
    launch: join(directory, "launch.json"),
    containers: join(directory, "containers"),
    volumes: join(directory, "volumes"),
  };
}
