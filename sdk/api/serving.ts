import type { Container } from "./core.ts";
import type { ApiObject, Condition } from "./meta.ts";

/** Knative Serving v1: https://github.com/knative/specs, "serving/knative-api-specification-1.0". */

export interface RevisionSpec {
  readonly containers: readonly Container[];
  /** 0 = unlimited. */
  readonly containerConcurrency?: number;
  readonly timeoutSeconds?: number;
  readonly responseStartTimeoutSeconds?: number;
  readonly idleTimeoutSeconds?: number;
}

export interface RevisionTemplate {
  readonly metadata?: {
    readonly name?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: RevisionSpec;
}

export interface TrafficTarget {
  readonly revisionName?: string;
  /** Only in a Route's spec: the configuration whose latest ready revision is meant. */
  readonly configurationName?: string;
  readonly latestRevision?: boolean;
  readonly percent?: number;
  readonly tag?: string;
  /** Only in status: the URL of the tag. */
  readonly url?: string;
}

interface ServingStatus {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
}

export interface Service extends ApiObject {
  readonly kind: "Service";
  readonly spec: { readonly template: RevisionTemplate; readonly traffic?: readonly TrafficTarget[] };
  readonly status?: ServingStatus & {
    readonly url?: string;
    readonly address?: { readonly url: string };
    readonly traffic?: readonly TrafficTarget[];
    readonly latestCreatedRevisionName?: string;
    readonly latestReadyRevisionName?: string;
  };
}

export interface Configuration extends ApiObject {
  readonly kind: "Configuration";
  readonly spec: { readonly template: RevisionTemplate };
  readonly status?: ServingStatus & {
    readonly latestCreatedRevisionName?: string;
    readonly latestReadyRevisionName?: string;
  };
}

export interface Revision extends ApiObject {
  readonly kind: "Revision";
  readonly spec: RevisionSpec;
  readonly status?: ServingStatus & {
    /** `imageDigest` is `registry/repository@sha256:…`: the image that this revision runs, whatever its tag says later. */
    readonly containerStatuses?: readonly { readonly name: string; readonly imageDigest: string }[];
    readonly actualReplicas?: number;
    readonly desiredReplicas?: number;
    readonly logUrl?: string;
    /** Nodes that keep this revision's image prepared, the preferred first. A gateway asks them to activate it. */
    readonly homeNodes?: readonly string[];
    /** Homes that have said that the image is prepared, with the variant that each will run and why. */
    readonly preparedNodes?: readonly PreparedNode[];
    /** What its pods are held to, as the autoscaler reads its annotations and the cluster's configuration. */
    readonly scaling?: RevisionScaling;
    /** Homes that cannot prepare the image, and why; each goes on trying. */
    readonly failedNodes?: readonly FailedNode[];
  };
}

export interface RevisionScaling {
  /** Pods in all; 0 = unlimited. */
  readonly maxScale: number;
  /** Requests at once that a pod shall get, 1 at least; where the revision is scaled by them, and decisions are acted on. */
  readonly concurrencyPerPod?: number;
}

export interface PreparedNode {
  readonly node: string;
  readonly variant: "wasm" | "native";
  readonly reason: string;
}

export interface FailedNode {
  readonly node: string;
  /** A code of the fault that came of it: `NO_USABLE_VARIANT`, `MANIFEST_UNKNOWN`. */
  readonly code: string;
  readonly message: string;
}

export interface Route extends ApiObject {
  readonly kind: "Route";
  readonly spec: { readonly traffic: readonly TrafficTarget[] };
  readonly status?: ServingStatus & {
    readonly url?: string;
    readonly address?: { readonly url: string };
    /** Every target with its revision name, for the gateway. */
    readonly traffic?: readonly TrafficTarget[];
  };
}
