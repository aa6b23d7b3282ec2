import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Pod } from "@shallop/sdk/api";
import { errorCode } from "@shallop/sdk/internal";
import { signalByName } from "../../pod/signal-number.ts";
import { containerFiles, containerKey, type PodFiles, podFiles, podKey } from "../../sandbox/pod-files.ts";
import { DockerFault } from "../http/docker-fault.ts";
import { podContainer } from "./pod-spec.ts";

/** A native container of this node, as far as signals are concerned. */
export interface LocalProcess {
  /** On this machine, of its first process. */
  readonly pid: number;
}

/** Where the node has the files of a pod's container, when that is a native one. */
const localFiles = (nodeDirectory: string, pod: Pod): PodFiles =>
  containerFiles(podFiles(join(nodeDirectory, "native/pods"), podKey(pod.metadata.uid)), containerKey(podContainer));

/** Finds the first process of a pod's container; undefined when there is none: a component, or one that has ended. */
export async function localProcess(nodeDirectory: string, pod: Pod): Promise<LocalProcess | undefined> {
  const key = podKey(pod.metadata.uid);
  const text = await readFile(localFiles(nodeDirectory, pod).pidFile, "utf8").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return "";
    throw error;
  });
  const pid = Number(text);
  // Its id may be another's by now; one that is in the pod's cgroup is the container's.
  return pid > 1 && (await isInCgroup(pid, key)) ? { pid } : undefined;
}

/** The user of this machine that is root in the process's container: user_namespaces(7), the id there, the id here. */
export async function firstUidOf(pid: number): Promise<number> {
  const map = await readFile(`/proc/${String(pid)}/uid_map`, "utf8");
  const [, firstId = 0] = map.trim().split(/\s+/).map(Number);
  return firstId;
}

async function isInCgroup(pid: number, podKeyText: string): Promise<boolean> {
  const cgroups = await readFile(`/proc/${String(pid)}/cgroup`, "utf8").catch(() => "");
  return cgroups.split("\n").some((line) => line.split("/").includes(podKeyText));
}

/** `SIGTERM`, `TERM` or `15` as a number. @throws DockerFault BAD_REQUEST */
export function signalNumber(text: string): number {
  const number = signalByName(text);
  if (number !== undefined) return number;
  throw new DockerFault("BAD_REQUEST", `invalid signal: ${text.slice(0, 40)}`);
}

/** @throws DockerFault CONFLICT when it has just ended */
export function signalProcess({ pid }: LocalProcess, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errorCode(error) === "ESRCH")
      throw new DockerFault("CONFLICT", "the container is not running", { cause: error });
    throw error;
  }
}
