import type { PodEndpoint } from "@shallop/sdk/api";
import { Fault, type GuestLimits, type InstanceReuse } from "@shallop/sdk/internal";
import type { LocalImage } from "../image/local-image.ts";
import type { AttachRequest, ContainerProcess, ExecRequest } from "./container-process.ts";
import type { PodSecurity } from "./pod-security.ts";
import type { WantedPurpose } from "../component/requirements.ts";
import type { ContainerStreams, PodPlan, Volume, VolumeMount } from "./containers/container-launch.ts";
import type { ContainerView } from "./containers/container-view.ts";

/**
 * What runs pods of one variant: `host/` for wasm, `sandbox/` for native. The agent knows only this. Every method is
 * safe to repeat.
 */
export interface PodRuntime {
  readonly variant: LocalImage["variant"];
  /** Does what a start would otherwise have to wait for: links the component for its purpose, mounts nothing yet. */
  prepare(image: LocalImage, signal: AbortSignal, purpose?: WantedPurpose): Promise<void>;
  /** What the component of an image that was prepared here imports and the image does not list. For Wasm. */
  unlistedImports?(image: LocalImage): readonly string[];
  /** Resolves when the pod can answer a request. @throws PodFault */
  start(launch: PodLaunch, signal: AbortSignal): Promise<RunningPod>;
  /** Whether a pod of this namespace could come up by itself at this moment. For runtimes where some do, with the next two. */
  canStandBy?(namespace: string): boolean;
  /**
   * Has the pod come up by itself when somebody connects to its endpoint, of which `PodObserver.woken` tells; it takes no room
   * until then. Undefined: not here, not now. @throws PodFault
   */
  standBy?(launch: PodLaunch, signal: AbortSignal): Promise<RunningPod | undefined>;
  /** Resolves when it does not come up any more, unless `PodObserver.woken` has been told. */
  withdraw?(uid: string): Promise<void>;
  /**
   * Asks the pod to finish what it has, and ends it at the latest after `graceMs`. Leaves nothing behind but, where it
   * will be started again, its volumes.
   */
  stop(uid: string, graceMs: number, next?: "starts again"): Promise<void>;
  /** Clients of these requests have gone, and the pod may be too busy with one to notice. For runtimes that can tell. */
  abandoned?(uid: string, requestIds: readonly string[]): Promise<void>;
  /** Runs a command beside the pod's program. For runtimes that can. @throws PodFault NOT_RUNNING, EXEC_FAILED */
  exec?(uid: string, container: string, request: ExecRequest): Promise<ContainerProcess>;
  /**
   * Joins the pod's own program: its output from now on, and its input. The first who joins one that has an input hears
   * what it said before, if that was little. For runtimes that can. @throws PodFault NOT_RUNNING
   */
  attach?(uid: string, container: string, request: AttachRequest): Promise<ContainerProcess>;
  /** Makes a running pod so; what is not named stays. For runtimes that can. @throws PodFault NOT_RUNNING, NO_CAPACITY */
  adjust?(uid: string, adjustment: PodAdjustment): Promise<void>;
  /** Volumes of files are to hold these from now on. For runtimes that have volumes. */
  refresh?(uid: string, volumes: readonly Volume[]): Promise<void>;
  /** What its pods have used so far. For runtimes that can tell. */
  counters?(): Promise<readonly PodCounters[]>;
  /** The processes that its pods share, by tenant. For runtimes that have such. */
  processes?(): Promise<readonly HostCounters[]>;
  /** After a restart of the agent: the pods that still run, taken over. What cannot be taken over is removed first. */
  adopt(): Promise<readonly RunningPod[]>;
}

/** What of a pod can be other while it runs. */
export interface PodAdjustment {
  /** Nothing in it gets the processor. */
  readonly paused: boolean;
  readonly limits: readonly ContainerLimits[];
  /** That it shares with others of its node. */
  readonly networks: readonly PodMembership[];
  readonly shares: PodShares;
}

/** A network that native pods of a node share, and a pod's names there. */
export interface PodMembership {
  readonly network: string;
  readonly names: readonly string[];
}

/** A native pod's part of what all pods of its node use. What is not said is as any other's. */
export interface PodShares {
  /** Of disks' time beside others, as Docker counts it: 10 to 1000. */
  readonly ioWeight?: number;
  /** Of processors' time beside others: 2 to 262,144. */
  readonly cpuShares?: number;
  /** The processors that it may run on, as cpuset(7) lists them: `0-2,5`. */
  readonly cpus?: string;
}

export interface ContainerLimits {
  readonly container: string;
  /** Cores. */
  readonly cpu: number;
  readonly memoryBytes: number;
  /** Processes and threads at once; absent: as many as before. */
  readonly pidsMax?: number;
}

export interface PodCounters {
  readonly uid: string;
  readonly network: { readonly receivedBytes: number; readonly sentBytes: number };
  readonly containers: readonly ContainerCounters[];
}

/** What a process that serves the pods of one tenant holds, and what has happened in it since its start. */
export interface HostCounters {
  /** Empty: nobody's yet. */
  readonly namespace: string;
  /** Of pods, and those that wait for one. */
  readonly threads: number;
  /** Linear memories of instances, those that wait for a request included. */
  readonly instances: number;
  /** Requests that are under way. */
  readonly requests: number;
  readonly cpuMs: number;
  readonly memoryBytes: number;
  /** How often guests have met a limit, by its code. */
  readonly breaches: Readonly<Record<string, number>>;
}

export interface ContainerCounters {
  /** Absent: the pod's only one. */
  readonly container?: string;
  /** Processor time. */
  readonly cpuNs: number;
  /** Without what the kernel could drop at once. */
  readonly memoryBytes: number;
  readonly processes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** Where a runtime tells what happens to its pods. The agent gives one at construction. */
export interface PodObserver {
  /** The pod ended by itself or was ended by a limit; not called after `stop`. */
  exited(uid: string, exit: PodExit): void;
  /** A pod that stood by has come up: somebody has connected to it. */
  woken?(running: RunningPod): void;
  /** A pod that stood by does not any more: where it could come up is gone. */
  standbyLost?(uid: string): void;
  /** A line of the guest's output, without newline. `partial`: the line was cut at its maximum and goes on. */
  logged(uid: string, line: PodLogLine): void;
  /** A pod of several containers: how they are now. */
  containers?(uid: string, views: readonly ContainerView[]): void;
  /** Something a person asking about this pod should know; becomes an Event. */
  noticed(
    uid: string,
    notice: { readonly type: "Normal" | "Warning"; readonly reason: string; readonly message: string },
  ): void;
}

export interface PodExit {
  readonly exitCode: number;
  /** As Kubernetes writes `terminated.reason`: `Completed`, `Error`, `OOMKilled`, `DeadlineExceeded`. */
  readonly reason: string;
  readonly message: string;
}

export interface PodLogLine {
  readonly wallMs: number;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  readonly partial: boolean;
  /** Which container of the pod; absent: its only one. */
  readonly container?: string;
  /** `traceparent` of the request during which it was written, as whoever sent that wrote it. */
  readonly traceparent?: string;
}

/** All that a runtime needs to start a pod; nothing is left to choose. */
export interface PodLaunch {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly image: LocalImage;
  /** As the pod says, `K_SERVICE` and its peers and `PORT` included; nothing of the node's environment. */
  readonly env: readonly { readonly name: string; readonly value: string }[];
  /** Of a component: what it has to be. To serve, unless something else is said. */
  readonly purpose?: WantedPurpose;
  /** Of a component: its volumes, and where it finds them; undefined: it has none. */
  readonly files?: ComponentFiles;
  /** Of a component that is a command: its input. */
  readonly streams?: ContainerStreams;
  /** Replace the image's entrypoint and command; of a component its name and arguments. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: string;
  /** Undefined: names of the cluster first, then those outside. */
  readonly dns?: PodDns;
  /** What a native pod calls itself; undefined: its name. */
  readonly hostname?: string;
  /** Beside its own line. */
  readonly hosts?: readonly HostLine[];
  /** Native only; undefined: nothing is asked for. */
  readonly security?: PodSecurity;
  /** Where a native pod listens. */
  readonly port: number;
  readonly limits: PodLimits;
  /** Native only. */
  readonly shares?: PodShares;
  /** Of a pod that is more than one program that listens; native only. What is above is that of its first container. */
  readonly plan?: PodPlan;
}

/** Directories of a component, by volumes as containers have them. */
export interface ComponentFiles {
  readonly volumes: readonly Volume[];
  readonly mounts: readonly VolumeMount[];
}

/** A line of hosts(5). */
export interface HostLine {
  readonly ip: string;
  readonly names: readonly string[];
}

/** How a pod finds names: core/v1, `dnsPolicy` and `dnsConfig`. */
export interface PodDns {
  /** `Default`: the machine's names and no other. `None`: what follows and nothing else. */
  readonly policy: "ClusterFirst" | "Default" | "None";
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  /** `ndots:2`. */
  readonly options: readonly string[];
}

/** Of its guests, if they are Wasm, and of the pod itself. */
export interface PodLimits extends GuestLimits {
  /** How its instances are used again, as far as it says: the rest goes by the WASI that the guest is made for. */
  readonly reuse?: Partial<InstanceReuse>;
  readonly memoryBytes: number;
  /** Cores: 0.5 is half of one. */
  readonly cpu: number;
  readonly pidsMax: number;
  /** What it may write to the node's disk beside its volumes; undefined: as much as the node lets everybody. Native only. */
  readonly diskBytes?: number;
  /** A request that has not been answered after this is ended with GUEST_TIMEOUT. */
  readonly requestTimeoutMs: number;
  /** Requests at once; 0 = as many as the pod can. */
  readonly concurrencyMax: number;
  /** Time from start to ready. */
  readonly startTimeoutMs: number;
}

export interface RunningPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly endpoint: PodEndpoint;
  /** Address on the node's bridge; native only. */
  readonly ip?: string;
  /** For `containerStatuses[].containerID`: `wasm://…`, `runc://…`. */
  readonly containerId: string;
  /** Its containers one by one, when it has several: as they are whenever this is read. */
  readonly containers?: readonly ContainerView[];
  /** Found after a restart of the agent, and it had ended meanwhile. */
  readonly ended?: PodExit;
}

export type PodFaultCode =
  /** The image is not what it says: not a component, a broken layer. */
  | "IMAGE_INVALID"
  /** The component imports what this node does not provide. Message names it. */
  | "IMPORTS_UNMET"
  /** This machine cannot run this variant. Message says what is missing and what to do. */
  | "UNSUPPORTED"
  /** The pod ended before it was ready. */
  | "EXITED"
  /** The pod was not ready within `startTimeoutMs`. */
  | "START_TIMEOUT"
  /** The container is not running: it has ended, or not begun. */
  | "NOT_RUNNING"
  /** The command could not be run in the container. Message says why. */
  | "EXEC_FAILED"
  /** The node has no room: a budget for pods, memory or threads is used up. */
  | "NO_CAPACITY";

export class PodFault extends Fault<PodFaultCode> {}

/** IMPORTS_UNMET, with the names for whoever has to say them in a sentence of their own. */
export class ImportsUnmetFault extends PodFault {
  readonly imports: readonly string[];

  constructor(message: string, imports: readonly string[]) {
    super("IMPORTS_UNMET", message);
    this.imports = imports;
  }
}
