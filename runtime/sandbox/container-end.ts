import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { EndedRun } from "../pod/pod-state.ts";
import type { PodFiles } from "./pod-files.ts";

/** How a container among several ended last, for an agent that was not there to see it. */
export interface ContainerEnd {
  readonly run: EndedRun;
  /** Which run it was: starts after the first. */
  readonly restartCount: number;
}

/** Beside the container's own files: those go with its end, and this is to be known as long as the pod is there. */
const endFile = (pod: PodFiles, key: string): string => join(pod.directory, `ended-${key}.json`);

export async function writeContainerEnd(pod: PodFiles, key: string, end: ContainerEnd): Promise<void> {
  const file = endFile(pod, key);
  await writeFile(`${file}.new`, JSON.stringify(end), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** Undefined when it has not ended yet. */
export async function readContainerEnd(pod: PodFiles, key: string): Promise<ContainerEnd | undefined> {
  try {
    // Ours: written whole, by a version that knows what it writes.
    return JSON.parse(await readFile(endFile(pod, key), "utf8")) as ContainerEnd;
  } catch {
    return undefined;
  }
}
