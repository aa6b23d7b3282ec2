import { readFile, rename, writeFile } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { signalByName } from "../pod/signal-number.ts";
import type { NativeLaunch } from "./image-process.ts";
import type { PodFiles } from "./pod-files.ts";

/** What is remembered of a running pod, so that an agent that starts anew can take it over. */
export interface PodRecord {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly memoryBytes: number;
  /** What it may write to its root; undefined: as everybody. */
  readonly diskBytes?: number;
  /** The number of the signal that asks its program to end; undefined: SIGTERM. */
  readonly stopSignal?: number;
  /** Commands in it may be root's, and any user's: its pod does not say runAsNonRoot. */
  readonly mayBeRoot?: true;
  /** The shim, and when it began: a later process may have its id. */
  readonly shimPid: number;
  readonly shimStart: string;
  /** Of one container among several. */
  readonly startedWallMs?: number;
  readonly restartCount?: number;
}

/** What is remembered of what was asked for. */
export function askedOf({
  limits,
  image,
  security,
}: Pick<NativeLaunch, "limits" | "image" | "security">): Partial<PodRecord> {
  // What the image says and is no signal says nothing.
  const stopSignal = signalByName(image.config.stopSignal ?? "");
  return {
    ...(limits.diskBytes === undefined ? {} : { diskBytes: limits.diskBytes }),
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(security?.runAsNonRoot === true ? {} : { mayBeRoot: true }),
  };
}

/** Written when the pod is ready: a directory without a record is a start that was cut off. */
export async function writePodRecord(files: PodFiles, record: PodRecord): Promise<void> {
  await writeFile(`${files.record}.new`, JSON.stringify(record));
  await rename(`${files.record}.new`, files.record);
}

/** Undefined when there is no record, or one that this version does not understand. */
export async function readPodRecord(files: PodFiles): Promise<PodRecord | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(files.record, "utf8"));
    return isPodRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const texts = ["uid", "namespace", "name", "address", "shimStart"] as const;
const numbers = ["port", "memoryBytes", "shimPid"] as const;

function isPodRecord(value: unknown): value is PodRecord {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const address = fields.get("address");
  return (
    texts.every((name) => typeof fields.get(name) === "string") &&
    numbers.every((name) => Number.isSafeInteger(fields.get(name))) &&
    typeof address === "string" &&
    isIPv4(address)
  );
}
