import { annotation } from "@shallop/sdk/api";
import { type PodAdjustment, PodFault } from "../pod/pod-runtime.ts";
import { containerLimitsOf, containerName, type PodManifest } from "./manifest.ts";
import { containersOf, networksOf } from "./pod-plan.ts";
import type { PodNote } from "./pod-tools.ts";

/** What of a pod can be other while it runs, as its object wants it. Pure. */
export function adjustmentOf(manifest: Omit<PodManifest, "labels" | "ownerReferences">): PodAdjustment {
  const { annotations, spec } = manifest;
  return {
    paused: annotations[annotation.paused] === "true",
    limits: containersOf(spec).map((container) => {
      const { cpu, memoryBytes } = containerLimitsOf(container);
      return { container: container.name ?? containerName(spec), cpu, memoryBytes };
    }),
    networks: networksWanted(manifest),
  };
}

/** A pod that says it wrongly is refused at its start; of one that runs it is as if it said nothing. */
function networksWanted(manifest: Parameters<typeof networksOf>[0]): PodAdjustment["networks"] {
  try {
    return networksOf(manifest) ?? [];
  } catch (error) {
    if (error instanceof PodFault) return [];
    throw error;
  }
}

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
  return notes;
}

/** `manifest` with what `wanted` says of what can be other while a pod runs: its resources and networks. */
export function withAdjustable(manifest: PodManifest, wanted: PodManifest): PodManifest {
  const byName = new Map(containersOf(wanted.spec).map((container) => [container.name, container.resources]));
  const resized = <One extends { readonly name?: string }>(container: One): One => {
    const resources = byName.get(container.name);
    return resources === undefined ? container : { ...container, resources };
  };
  const { spec } = manifest;
  const { [annotation.networks]: _before, ...annotations } = manifest.annotations;
  const networks = wanted.annotations[annotation.networks];
  return {
    ...manifest,
    annotations: { ...annotations, ...(networks === undefined ? {} : { [annotation.networks]: networks }) },
    spec: {
      ...spec,
      containers: spec.containers.map(resized),
      ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(resized) }),
    },
  };
}
