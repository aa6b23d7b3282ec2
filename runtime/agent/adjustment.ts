import { annotation } from "@shallop/sdk/api";
import type { PodAdjustment } from "../pod/pod-runtime.ts";
import { containerLimitsOf, containerName, type PodManifest } from "./manifest.ts";
import { containersOf } from "./pod-plan.ts";
import type { PodNote } from "./pod-tools.ts";

/** What of a pod can be other while it runs, as its object wants it. Pure. */
export function adjustmentOf({ annotations, spec }: Pick<PodManifest, "annotations" | "spec">): PodAdjustment {
  return {
    paused: annotations[annotation.paused] === "true",
    limits: containersOf(spec).map((container) => {
      const { cpu, memoryBytes } = containerLimitsOf(container);
      return { container: container.name ?? containerName(spec), cpu, memoryBytes };
    }),
  };
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
  return notes;
}

/** `manifest` with the resources that `wanted` gives its containers. */
export function withResourcesOf(manifest: PodManifest, wanted: PodManifest): PodManifest {
  const byName = new Map(containersOf(wanted.spec).map((container) => [container.name, container.resources]));
  const resized = <One extends { readonly name?: string }>(container: One): One => {
    const resources = byName.get(container.name);
    return resources === undefined ? container : { ...container, resources };
  };
  const { spec } = manifest;
  return {
    ...manifest,
    spec: {
      ...spec,
      containers: spec.containers.map(resized),
      ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(resized) }),
    },
  };
}
