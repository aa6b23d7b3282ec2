import type { Clock, Log } from "@shallop/sdk/internal";
import type { LogStore } from "../pod/log-store.ts";
import type { PodRuntime } from "../pod/pod-runtime.ts";
import type { GivenObjects } from "./given-objects.ts";
import type { ImageSource, PreparedImage } from "./image-source.ts";
import type { LocalPod } from "./local-pod.ts";
import type { PodManifest } from "./manifest.ts";
import type { PodRecords } from "./pod-record.ts";

/** What is told of a pod; an event, once the API knows the pod. */
export interface PodNote {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/** What a pod of this node works with. */
export interface PodTools {
  readonly clock: Clock;
  readonly log: Log;
  readonly images: ImageSource;
  readonly logs: LogStore;
  readonly records: PodRecords;
  runtime(variant: "wasm" | "native"): PodRuntime | undefined;
  /** This node, as its pods may be told of it. */
  readonly place: { readonly node: string; readonly hostIp: string };
  /** What it takes variables and files from. @throws ApiFault */
  given(manifest: PodManifest, signal: AbortSignal): Promise<GivenObjects>;
  /** Why the node has no room for this pod; undefined: it has. */
  roomRefusal(pod: LocalPod): string | undefined;
  /** Its component did not come up, and this variant runs in its place, for others of its revision too. */
  fellBack(pod: LocalPod, prepared: PreparedImage): void;
  /** The pod is not as it was: look at it again. */
  changed(pod: LocalPod): void;
  note(pod: LocalPod, note: PodNote): void;
}
