import { annotation } from "@shallop/sdk/api";
import { PodFault, type PodLaunch } from "../pod/pod-runtime.ts";
import type { PodManifest } from "./manifest.ts";

// As Docker's --blkio-weight, and as the kernel has cpu.shares.
const [ioWeight, cpuShares] = [{ min: 10, max: 1000 } as const, { min: 2, max: 262_144 } as const];
const cpuList = /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/;
// A list of every second of 1,024 processors is as long.
const cpuListLengthMax = 4096;

/** The annotations that say what part of the node's processors and disks a pod has. */
export const shareAnnotations = [annotation.ioWeight, annotation.cpuShares, annotation.cpus] as const;

/** What part a pod has, for its launch; nothing where it says nothing. @throws PodFault UNSUPPORTED */
export function sharesOf(manifest: Pick<PodManifest, "namespace" | "name" | "annotations">): Pick<PodLaunch, "shares"> {
  const shares = {
    ...present("ioWeight", numberOf(manifest, annotation.ioWeight, ioWeight)),
    ...present("cpuShares", numberOf(manifest, annotation.cpuShares, cpuShares)),
    ...present("cpus", cpusOf(manifest)),
  };
  return Object.keys(shares).length === 0 ? {} : { shares };
}

type Said = Parameters<typeof sharesOf>[0];

function numberOf(
  manifest: Said,
  key: (typeof shareAnnotations)[number],
  { min, max }: { readonly min: number; readonly max: number },
): number | undefined {
  const text = manifest.annotations[key];
  if (text === undefined) return undefined;
  const value = /^[1-9]\d{0,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw strange(manifest, key, `not a number from ${String(min)} to ${String(max)}`);
}

function cpusOf(manifest: Said): string | undefined {
  const text = manifest.annotations[annotation.cpus];
  if (text === undefined || (text.length <= cpuListLengthMax && cpuList.test(text))) return text;
  throw strange(manifest, annotation.cpus, "not a list of processors, such as 0-2,5");
}

const present = <Name extends string, Value>(name: Name, value: Value | undefined): { readonly [N in Name]?: Value } =>
  // The cast says only that a computed name is that name.
  value === undefined ? {} : ({ [name]: value } as { readonly [N in Name]?: Value });

const strange = ({ namespace, name, annotations }: Said, key: string, why: string): PodFault =>
  new PodFault(
    "UNSUPPORTED",
    `pod ${namespace}/${name}: ${key} is ${JSON.stringify((annotations[key] ?? "").slice(0, 80))}, and ${why}`,
  );
