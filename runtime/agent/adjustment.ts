import { annotation } from "@shallop/sdk/api";
import type { PodAdjustment } from "../pod/pod-runtime.ts";
import { containerLimitsOf, containerName, type PodManifest } from "./manifest.ts";
import { containersOf } from "./pod-plan.ts";

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
