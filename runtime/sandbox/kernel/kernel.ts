import type { CgroupTree } from "./cgroup.ts";
import type { CommandResult } from "./command.ts";

/**
 * Each privileged act of native pods. Nothing else in the sandbox starts a program, touches a cgroup or a namespace, or
 * signals a process.
 */
export interface Kernel {
  readonly cgroups: CgroupTree;

  /**
   * Commands of ip(8) in one process, in order; the first that fails ends it. With `netns`, inside that namespace.
   * @throws KernelFault COMMAND_FAILED
   */
  network(commands: readonly string[], netns?: string): Promise<void>;
  /** Commands of tc(8), likewise. @throws KernelFault COMMAND_FAILED */
  filter(commands: readonly string[]): Promise<void>;
  links(): Promise<readonly Link[]>;
  /** Every IPv4 destination that this machine has a route to, as `address/length`, all tables. */
  routedSubnets(): Promise<readonly string[]>;
  /** Names of the network namespaces that ip(8) knows. */
  networkNamespaces(): Promise<readonly string[]>;

  /** Makes FIFOs that only root may open. One that exists is left as it is. */
  makeFifos(paths: readonly string[]): Promise<void>;
  /** Opens a FIFO for a child to write: read-write, so that neither opening nor writing depends on a reader. */
  openFifoForWriting(path: string): Promise<OpenFile>;

  /** Starts the shim that mounts a pod's root and runs the OCI runtime in the foreground. It outlives this process. */
  startShim(shim: Shim): ShimProcess;
  /** Runs the OCI runtime to its end: `state`, `kill`, `delete`, `list`. @throws KernelFault COMMAND_MISSING, COMMAND_TIMEOUT */
  runtime(file: string, args: readonly string[]): Promise<CommandResult>;

  /** False when there is no such process. */
  signal(pid: number, signal: "SIGTERM" | "SIGKILL"): boolean;
  /** Ids of processes whose command line holds `text`. */
  processesNaming(text: string): Promise<readonly number[]>;
  /** When the process began, in ticks since boot; tells it from a later one of the same id. Undefined: it is gone. */
  processStart(pid: number): Promise<string | undefined>;
}

export interface Link {
  readonly name: string;
  /** What the one who made it wrote on it; empty when nothing. */
  readonly alias: string;
}

export interface OpenFile extends AsyncDisposable {
  readonly fd: number;
}

export interface Shim {
  /** Short names of the layers, the topmost first, relative to `lowerDirectory`: the kernel takes one page of options. */
  readonly lowerNames: readonly string[];
  readonly lowerDirectory: string;
  /** Where the root is mounted, in the shim's own mount namespace: the machine's never shows it. */
  readonly rootfs: string;
  /** Written at the end: the runtime's exit code in decimal. */
  readonly exitFile: string;
  readonly runtime: string;
  readonly runtimeArgs: readonly string[];
  /** A v2 cgroup tree to be hidden from the runtime: crun refuses machines that have both. */
  readonly hiddenCgroup?: string;
  readonly stdoutFd: number;
  readonly stderrFd: number;
}

export interface ShimProcess {
  readonly pid: number;
  /** Resolves when the shim has ended, however it did. */
  readonly ended: Promise<void>;
}
