import { annotation } from "@shallop/sdk/api";
import { type PodAdjustment, PodFault } from "../pod/pod-runtime.ts";
import { containerLimitsOf, containerName, type PodManifest } from "./manifest.ts";
import { containersOf, networksOf } from "./pod-plan.ts";
import { shareAnnotations, sharesOf } from "./pod-shares.ts";
import { processWishOf } from "./process-wish.ts";
import type { PodNote } from "./pod-tools.ts";

/** What of a pod can be other while it runs, as its object wants it. Pure. */
export function adjustmentOf(manifest: Omit<PodManifest, "labels" | "ownerReferences">): PodAdjustment {
  const { annotations, spec } = manifest;
  const pids = wanted(() => processWishOf(manifest))?.pidsMax;
  return {
    paused: annotations[annotation.paused] === "true",
    limits: containersOf(spec).map((container) => {
      const { cpu, memoryBytes, pidsMax } = containerLimitsOf(container);
      return {
        ...{ container: container.name ?? containerName(spec), cpu, memoryBytes },
        pidsMax: Math.min(pidsMax, pids ?? pidsMax),
      };
    }),
    networks: wanted(() => networksOf(manifest)) ?? [],
    shares: wanted(() => sharesOf(manifest).shares) ?? {},
  };
}

/** A pod that says it wrongly is refused at its start; of one that runs it is as if it said nothing. */
function wanted<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof PodFault) return undefined;
    throw error;
  }
}

/** Whether it is a change of networks and of nothing else: of a component's the node's services alone know. Pure. */
export const isOfNetworks = (before: PodAdjustment, now: PodAdjustment): boolean =>
  adjustmentText({ ...before, networks: [] }) === adjustmentText({ ...now, networks: [] });

/** For comparison: equal texts ask for the same. */
export const adjustmentText = (adjustment: PodAdjustment): string => JSON.stringify(adjustment);

/** What is told of a pod that was adjusted: nothing of what is as it was. Pure. */
export function adjustmentNotes(before: PodAdjustment, now: PodAdjustment): readonly PodNote[] {
  const notes: PodNote[] = [];
  if (before.paused !== now.paused) {
    const [reason, done] = now.paused ? ["Paused", "frozen"] : ["Unpaused", "running again"];
    notes.push({ type: "Normal", reason, message: `the pod's containers are ${done}` });
  }
  if (JSON.stringify(before.limits) !== JSON.stringify(now.limits)) {
    const message = "the pod's containers have the limits that were asked for";
    notes.push({ type: "Normal", reason: "ResizeCompleted", message });
  }
  if (JSON.stringify(before.networks) !== JSON.stringify(now.networks)) {
    const names = now.networks.map(({ network }) => network).join(", ");
    const message = `the pod is in ${names === "" ? "no network that it shares with others" : `the networks ${names}`}`;
    notes.push({ type: "Normal", reason: "NetworksChanged", message });
  }
  if (JSON.stringify(before.shares) !== JSON.stringify(now.shares)) {
    const message = "the pod has the part of processors' and disks' time that was asked for";
    notes.push({ type: "Normal", reason: "SharesChanged", message });
  }
  return notes;
}

// Of what else it says of its processes a pod has what it had at its start.
const adjustable: readonly string[] = [annotation.networks, annotation.process, ...shareAnnotations];

/** `manifest` with what `wanted` says of what can be other while a pod runs: its resources, networks and shares. */
export function withAdjustable(manifest: PodManifest, wanted: PodManifest): PodManifest {
  const byName = new Map(containersOf(wanted.spec).map((container) => [container.name, container.resources]));
  const resized = <One extends { readonly name?: string }>(container: One): One => {
    const resources = byName.get(container.name);
    return resources === undefined ? container : { ...container, resources };
  };
  const { spec } = manifest;
  const [kept, said] = [Object.entries(manifest.annotations), Object.entries(wanted.annotations)];
  const annotations = Object.fromEntries([
    ...kept.filter(([key]) => !adjustable.includes(key)),
    ...said.filter(([key]) => adjustable.includes(key)),
  ]);
  return {
    ...manifest,
    annotations,
    spec: {
      ...spec,
      containers: spec.containers.map(resized),
      ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(resized) }),
    },
  };
}
