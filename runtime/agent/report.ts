import {
  annotation,
  ApiFault,
  apiVersionOf,
  type ContainerStatus,
  type FailedNode,
  label,
  type NewObject,
  type Pod,
  pods,
  type PodSpec,
  type PodStatus,
  type PreparedNode,
  type Revision,
  revisions,
} from "@shallop/sdk/api";
import type { ApiClient } from "@shallop/sdk/client";
import type { Clock } from "@shallop/sdk/internal";
import { podStatus } from "../pod/pod-status.ts";
import type { LocalPod } from "./local-pod.ts";
import { containerName, servingContainer } from "./manifest.ts";
import { containersOf } from "./pod-plan.ts";

// Each try reads first, so that a conflict means that somebody wrote within a millisecond; five of them in a row is a fight.
const conflictTriesMax = 5;

export interface ReportSettings {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly node: string;
  readonly hostIp: string;
}

/** What the node writes to the API. Each method is one job: done, or thrown and tried again by whoever asked. */
export class Reporter {
  readonly #settings: ReportSettings;

  constructor(settings: ReportSettings) {
    this.#settings = settings;
  }

  /** Creates the object of a pod that an activation made. @throws ApiFault `AlreadyExists`, `NotFound`, `Forbidden`, … */
  create(pod: LocalPod, signal: AbortSignal): Promise<Pod> {
    const { namespace, name, labels, annotations, ownerReferences, spec } = pod.manifest;
    const object: NewObject<Pod> = {
      apiVersion: apiVersionOf(pods),
      kind: "Pod",
      metadata: {
        namespace,
        name,
        labels: { ...labels, ...labelsOf(pod) },
        annotations: { ...annotations, ...annotationsOf(pod) },
        ownerReferences,
      },
      spec,
    };
    return this.#settings.client.create(pods, object, signal);
  }

  /** Writes annotations, then status; `known` is what the list says. Returns the object's new version. */
  async status(pod: LocalPod, known: Pod, signal: AbortSignal): Promise<Pod> {
    return this.#retryConflict(
      known,
      () => this.#get(known, signal),
      async (current) => {
        if (current.metadata.uid !== pod.record.apiUid) {
          throw new ApiFault("Conflict", `pod ${pod.key} is not the one that runs here any more`);
        }
        // The endpoint first: whoever sees the pod ready must be able to reach it.
        const told = await this.#describe(pod, current, signal);
        const status = podStatus(
          {
            state: pod.state,
            containerName: containerName(pod.manifest.spec),
            image: servingContainer(pod.manifest.spec).image,
            imageId: pod.record.chosen?.imageId ?? "",
            containers: pod.containers,
            containerImages: new Map(containersOf(pod.manifest.spec).map(({ name = "", image }) => [name, image])),
            hostIp: this.#settings.hostIp,
            acceptedWallMs: pod.record.acceptedWallMs,
          },
          told.status?.conditions ?? [],
          this.#settings.clock.wallMs(),
        );
        const held = withResources(status, pod.manifest.spec);
        return this.#settings.client.updateStatus(pods, { ...told, status: held }, signal);
      },
    );
  }

  /** The pod is gone from this node; the API may forget it. */
  async finalize(pod: Pod, signal: AbortSignal): Promise<void> {
    const { namespace, name, uid } = pod.metadata;
    const target = { ...(namespace === undefined ? {} : { namespace }), name, uid, gracePeriodSeconds: 0 };
    try {
      await this.#settings.client.delete(pods, target, signal);
    } catch (error) {
      // Gone, or another by that name: either way this one is no more.
      if (!isFault(error, "NotFound", "Conflict")) throw error;
    }
  }

  /** Is there an object of this pod? */
  async exists(pod: LocalPod, signal: AbortSignal): Promise<boolean> {
    try {
      const found = await this.#settings.client.get(pods, pod.manifest.namespace, pod.manifest.name, signal);
      return found.metadata.uid === pod.record.apiUid;
    } catch (error) {
      if (isFault(error, "NotFound")) return false;
      throw error;
    }
  }

  /** Says in a revision's status what this node is to it: prepared, failed, or neither. */
  async home(
    revision: Revision,
    report: { readonly prepared?: PreparedNode; readonly failed?: FailedNode },
    signal: AbortSignal,
  ): Promise<void> {
    const { client, node } = this.#settings;
    const { namespace, name, uid } = revision.metadata;
    await this.#retryConflict(
      revision,
      () => client.get(revisions, namespace, name, signal),
      async (current) => {
        if (current.metadata.uid !== uid) return current;
        const preparedNodes = others(current.status?.preparedNodes, node);
        const failedNodes = others(current.status?.failedNodes, node);
        if (report.prepared !== undefined) preparedNodes.push(report.prepared);
        if (report.failed !== undefined) failedNodes.push(report.failed);
        return client.updateStatus(
          revisions,
          { ...current, status: { ...current.status, preparedNodes, failedNodes } },
          signal,
        );
      },
    );
  }

  #get(pod: Pod, signal: AbortSignal): Promise<Pod> {
    return this.#settings.client.get(pods, pod.metadata.namespace, pod.metadata.name, signal);
  }

  async #describe(pod: LocalPod, current: Pod, signal: AbortSignal): Promise<Pod> {
    const labels = { ...current.metadata.labels, ...labelsOf(pod) };
    const annotations = { ...current.metadata.annotations, ...annotationsOf(pod) };
    if (same(labels, current.metadata.labels) && same(annotations, current.metadata.annotations)) return current;
    return this.#settings.client.update(
      pods,
      { ...current, metadata: { ...current.metadata, labels, annotations } },
      signal,
    );
  }

  /** Tries with what is known, and after a conflict with what there is. */
  async #retryConflict<T>(known: T, read: () => Promise<T>, write: (current: T) => Promise<T>): Promise<T> {
    let current = known;
    for (let tries = 1; ; tries++) {
      try {
        return await write(current);
      } catch (error) {
        if (!isFault(error, "Conflict") || tries === conflictTriesMax) throw error;
        current = await read();
      }
    }
  }
}

export const isFault = (error: unknown, ...codes: readonly ApiFault["code"][]): boolean =>
  error instanceof ApiFault && codes.includes(error.code);

function labelsOf(pod: LocalPod): Record<string, string> {
  const { chosen } = pod.record;
  return chosen === undefined ? {} : { [label.variant]: chosen.variant };
}

function annotationsOf(pod: LocalPod): Record<string, string> {
  const { chosen } = pod.record;
  return {
    ...(chosen === undefined ? {} : { [annotation.variantReason]: chosen.reason }),
    // Not taken back while the pod drains or restarts: readiness says whether it counts.
    ...(pod.run === undefined ? {} : { [annotation.endpoint]: JSON.stringify(pod.run.endpoint) }),
  };
}

const others = <T extends { readonly node: string }>(entries: readonly T[] | undefined, node: string): T[] =>
  (entries ?? []).filter((entry) => entry.node !== node);

function same(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>> | undefined): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b ?? {}).length && keys.every((key) => a[key] === b?.[key]);
}

/** What each container is held to, beside how it is. */
function withResources(status: PodStatus, spec: PodSpec): PodStatus {
  const byName = new Map(containersOf(spec).map(({ name, resources }) => [name, resources]));
  const told = (one: ContainerStatus): ContainerStatus => {
    const resources = byName.get(one.name);
    return resources === undefined ? one : { ...one, resources };
  };
  return {
    ...status,
    ...(status.containerStatuses === undefined ? {} : { containerStatuses: status.containerStatuses.map(told) }),
  };
}
