import type { TerminalSize } from "../../pod/container-process.ts";
import type { SocketAddress } from "./bound-socket.ts";
import type { CgroupTree } from "./cgroup.ts";
import type { CommandResult } from "./command.ts";
import type { PodMounts } from "./pod-mounts.ts";
import type { InteractiveProcess, InteractiveProgram } from "./interactive.ts";

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
  /**
   * Makes a network namespace with loopback alone, where this process has no right over its own, and so ip(8) could not go back.
   * @throws KernelFault COMMAND_FAILED
   */
  makeNetwork(netns: string): Promise<void>;
  /** Commands of tc(8), likewise. @throws KernelFault COMMAND_FAILED */
  filter(commands: readonly string[]): Promise<void>;
  /** A script of nft(8), carried out as a whole or not at all. @throws KernelFault COMMAND_MISSING, COMMAND_FAILED */
  packetRules(script: string): Promise<void>;
  /** Names of the tables of packet rules for IP that begin with `prefix`. */
  packetTables(prefix: string): Promise<readonly string[]>;
  /** Whether the machine passes packets on between its links; the second form says so. */
  forwards(): Promise<boolean>;
  setForwards(value: boolean): Promise<void>;
  links(): Promise<readonly Link[]>;
  /** Bytes that went through a link of this machine, as its other end sees them. */
  traffic(link: string): Promise<{ readonly receivedBytes: number; readonly sentBytes: number }>;
  /** Every IPv4 destination that this machine has a route to, as `address/length`, all tables. */
  routedSubnets(): Promise<readonly string[]>;
  /**
   * A socket of the network in which the bridge is, for somebody who listens on it and closes it. Undefined: this process is in
   * that network, and can make its own. @throws KernelFault COMMAND_FAILED
   */
  boundSocket(address: SocketAddress): Promise<number | undefined>;
  /** Names of the network namespaces that ip(8) knows. */
  networkNamespaces(): Promise<readonly string[]>;

  /** Makes FIFOs that only root may open. One that exists is left as it is. */
  makeFifos(paths: readonly string[]): void;
  /** Opens a FIFO for a child to write: read-write, so that neither opening nor writing depends on a reader. */
  openFifoForWriting(path: string): Promise<OpenFile>;
  /** Opens a FIFO that has a writer, for a child to read until there is none. */
  openFifoForReading(path: string): Promise<OpenFile>;

  /** Begins to make a user namespace, for the next `userNamespace` of this range. */
  prepareUserNamespace(range: IdRange): void;
  /** What was prepared and not asked for goes. */
  forgetUserNamespace(range: IdRange): Promise<void>;
  /** A user namespace whose 0 is the first id of `range`. @throws KernelFault COMMAND_MISSING, COMMAND_FAILED */
  userNamespace(range: IdRange): Promise<OpenDescriptor>;
  /** A mount namespace with a pod's file tree, which nobody is in yet. @throws KernelFault COMMAND_FAILED */
  podMounts(mounts: PodMounts): Promise<OpenDescriptor>;
  /** Mounts an empty file system in memory, which everybody may write to; `owner` is its root's. */
  mountMemory(path: string, options: { readonly bytesMax: number; readonly owner: number }): Promise<void>;
  /** Unmounts all that is mounted below a directory. */
  unmountBelow(directory: string): Promise<void>;
  /** Bytes that the files below a directory take on disk. */
  diskUsage(directory: string): Promise<number>;
  /** Makes a directory and all below it `owner`'s, however deep. Links are not followed. @throws KernelFault COMMAND_FAILED */
  giveTree(directory: string, owner: number): Promise<void>;
  /** Removes a directory and all below it, however deep; what is mounted there stays. @throws KernelFault COMMAND_FAILED */
  removeTree(directory: string): Promise<void>;

  /** Starts the shim that runs the OCI runtime in the foreground. It outlives this process. */
  startShim(shim: Shim): ShimProcess;
  /** Runs the OCI runtime to its end: `state`, `kill`, `delete`, `list`. @throws KernelFault COMMAND_MISSING, COMMAND_TIMEOUT */
  runtime(file: string, args: readonly string[]): Promise<CommandResult>;
  /** Sets the size of the terminal that a shim has given its runtime, and of the one of the container. */
  resizeTerminal(terminal: ShimTerminal, size: TerminalSize): Promise<void>;
  /** Starts a program whose streams somebody holds, on a terminal if wanted. */
  interactive(program: InteractiveProgram): InteractiveProcess;

  /** False when there is no such process. */
  signal(pid: number, signal: "SIGTERM" | "SIGKILL"): boolean;
  /** Ids of processes whose command line holds `text`. */
  processesNaming(text: string): Promise<readonly number[]>;
  /** When the process began, in ticks since boot; tells it from a later one of the same id. Undefined: it is gone. */
  processStart(pid: number): Promise<string | undefined>;
  /** Ends what the kernel's door itself has started. */
  close(): Promise<void>;
}

export interface Link {
  readonly name: string;
  /** What the one who made it wrote on it; empty when nothing. */
  readonly alias: string;
}

export interface OpenFile extends AsyncDisposable {
  readonly fd: number;
}

/** As OpenFile, for what is closed at once. */
export interface OpenDescriptor extends Disposable {
  readonly fd: number;
}

/** User and group ids of this machine: `size` of them from `first` on. */
export interface IdRange {
  readonly first: number;
  readonly size: number;
}

export interface Shim {
  /** Of `podMounts`. */
  readonly mountsFd: number;
  /** Written at the end: the runtime's exit code in decimal. */
  readonly exitFile: string;
  readonly runtime: string;
  readonly runtimeArgs: readonly string[];
  /** Undefined: nothing can be read. */
  readonly input?: ShimInput;
  readonly stdoutFd: number;
  readonly stderrFd: number;
  /** The runtime gets a terminal between these streams and what it runs. */
  readonly terminal: boolean;
}

export interface ShimTerminal {
  readonly shimPid: number;
  /** Where the runtime has written the id of the container's first process. */
  readonly pidFile: string;
}

/** What a container reads. */
export interface ShimInput {
  readonly stdinFd: number;
  /** Held open, so that the input does not end, until somebody has opened and closed `gate`, a FIFO. */
  readonly held?: { readonly fd: number; readonly gate: string };
}

export interface ShimProcess {
  readonly pid: number;
  /** Resolves when the shim has ended, however it did. */
  readonly ended: Promise<void>;
}
