import { annotation } from "@shallop/sdk/api";
import type { LocalPod } from "../local-pod.ts";
import { networksOf } from "../pod-plan.ts";
import type { PeerPod } from "./peer-table.ts";

/** Whether a pod shares networks with others, if it runs. */
export const hasPeers = ({ manifest }: LocalPod): boolean => manifest.annotations[annotation.networks] !== undefined;

/** Pods that run and share networks with others of this node. */
export function peersOf(pods: readonly LocalPod[]): readonly PeerPod[] {
  return pods.filter(hasPeers).flatMap((pod): readonly PeerPod[] => {
    const { run, uid, manifest } = pod;
    if (run === undefined) return [];
    const ports = manifest.spec.containers.flatMap((one) =>
      (one.ports ?? []).map(({ containerPort }) => containerPort),
    );
    const { ip } = run;
    // What it says of them was read when it was started: it is right.
    const networks = networksOf(manifest) ?? [];
    return [{ uid, namespace: manifest.namespace, networks, ports, ...(ip === undefined ? {} : { ip }) }];
  });
}
