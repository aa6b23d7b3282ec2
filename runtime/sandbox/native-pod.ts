import { readFile, rm } from "node:fs/promises";
import { type Clock, errorCode, type Timer } from "@shallop/sdk/internal";
import type { ContainerStreams } from "../pod/containers/container-launch.ts";
import type { PodExit, RunningPod } from "../pod/pod-runtime.ts";
import type { CgroupTree } from "./kernel/cgroup.ts";
import type { Kernel } from "./kernel/kernel.ts";
import type { OciRuntime } from "./oci-runtime.ts";
import { runtimeComplaint } from "./oci-runtime.ts";
import type { PodFiles, PodNames } from "./pod-files.ts";
import type { PodOutput } from "./pod-output.ts";
import type { PodRecord } from "./pod-record.ts";

/** A native pod that runs, or has just ended. */
export interface NativePod {
  readonly record: PodRecord;
  readonly names: PodNames;
  readonly files: PodFiles;
  readonly output: PodOutput;
  /** Resolves when its shim has ended. */
  readonly ended: Promise<void>;
  /** How it ended, once that is known. */
  readonly exit: PromiseWithResolvers<PodExit>;
  /** Set once somebody is ending it: its end is then no news. */
  stopping?: Promise<void>;
  /** Of one container among several. */
  readonly streams?: ContainerStreams;
  /** What it may use by now. */
  memoryBytes: number;
  /** It was killed from here: its exit code alone does not tell that from an end by the kernel. */
  killed?: true;
  /** What its limits had refused when last looked at. */
  seen: { readonly oomKills: number; readonly pidsRefused: number };
}

export function runningPod(
  { record, names }: Pick<NativePod, "record" | "names">,
  runtime: OciRuntime,
  gate: string | undefined,
): RunningPod {
  const { uid, namespace, name, address, port } = record;
  return {
    uid,
    namespace,
    name,
    endpoint: { protocol: "http1", host: address, port, ...(gate === undefined ? {} : { gate }) },
    ip: address,
    containerId: runtime.containerId(names),
  };
}

/** The shell's code for a program that SIGKILL ended. */
const killedCode = 128 + 9;
// What the v1 memory controller lets a cgroup reach before it kills is a few pages less than the limit.
const nearLimit = 0.98;

/** How a pod ended whose shim is gone. Only before its cgroup is removed. */
export async function explainExit(
  pod: Pick<NativePod, "names" | "files" | "memoryBytes" | "killed"> & { readonly lastLines: string },
  cgroups: CgroupTree,
): Promise<PodExit> {
  const written = (await readFile(pod.files.exit, "utf8").catch(() => "")).trim();
  const complaint = await runtimeComplaint(pod.files.runtimeLog);
  const said = [complaint, pod.lastLines].filter((text) => text !== undefined && text !== "").join("\n");
  if (!/^\d{1,3}$/.test(written)) {
    return { exitCode: killedCode, reason: "Error", message: `the process that ran the container was killed. ${said}` };
  }
  const exitCode = Number(written);
  if (exitCode === killedCode && (await ranOutOfMemory(pod, cgroups))) {
    const message = `used more than its memory limit of ${pod.memoryBytes} bytes and was killed. ${pod.lastLines}`;
    return { exitCode, reason: "OOMKilled", message: message.trim() };
  }
  return { exitCode, reason: exitCode === 0 ? "Completed" : "Error", message: said };
}

async function ranOutOfMemory(
  { names, memoryBytes, killed }: Pick<NativePod, "names" | "memoryBytes" | "killed">,
  cgroups: CgroupTree,
): Promise<boolean> {
  const below = await cgroups.counters(names.runtimeCgroup);
  const above = await cgroups.counters(names.cgroup);
  if (below.oomKills + above.oomKills > 0) return true;
  if (cgroups.layout.mode === "v2" || killed === true) return false;
  // crun removes the cgroup that counted, and v1 counts in no other. The one above it knows how far memory went: to the
  // limit with files that were read, too, which is why an end that was brought about from here is none of these.
  return Number(await cgroups.read("memory", names.cgroup, "memory.max_usage_in_bytes")) >= memoryBytes * nearLimit;
}

// Often enough that an end is known within the time a person notices; costs a read of one file a pod.
const pollMs = 100;

/** Resolves when a process that is no child of this one has ended. `watching` holds the timer until then. */
export function untilGone(isThere: () => Promise<boolean>, clock: Clock, watching: Set<Timer>): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      void isThere().then((there) => {
        if (!watching.delete(timer)) return;
        if (there) schedule();
        else resolve();
      });
    };
    let timer: Timer;
    const schedule = (): void => {
      timer = clock.after(pollMs, look);
      watching.add(timer);
    };
    schedule();
  });
}

/** Node's own way goes by whole paths, and a program can nest directories deeper than those may be long. */
export async function removeFiles({ directory }: PodFiles, kernel: Pick<Kernel, "removeTree">): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true });
  } catch (error) {
    if (errorCode(error) !== "ENAMETOOLONG") throw error;
    await kernel.removeTree(directory);
  }
}
