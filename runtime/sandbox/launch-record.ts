import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PodPlan } from "../pod/containers/container-launch.ts";
import type { ContainerLimits, PodLaunch } from "../pod/pod-runtime.ts";
import type { PodFiles } from "./pod-files.ts";

/** What is remembered of a pod of several containers, so that the next agent can go on with it. */
export interface LaunchRecord {
  readonly launch: PlannedLaunch;
  readonly address: string;
  /** Limits that were changed since. */
  readonly limits?: readonly ContainerLimits[];
}

/** Of a pod of several containers. */
export type PlannedLaunch = PodLaunch & { readonly plan: PodPlan };

export const isPlanned = (launch: PodLaunch): launch is PlannedLaunch => launch.plan !== undefined;

export async function writeLaunch(files: PodFiles, record: LaunchRecord): Promise<void> {
  await writeFile(`${files.launch}.new`, JSON.stringify(record), { mode: 0o600 });
  await rename(`${files.launch}.new`, files.launch);
}

/** Undefined when there is none. */
export async function readLaunch(files: PodFiles): Promise<LaunchRecord | undefined> {
  try {
    // Ours: written whole, by a version that knows what it writes.
    return JSON.parse(await readFile(join(files.directory, "launch.json"), "utf8")) as LaunchRecord;
  } catch {
    return undefined;
  }
}
