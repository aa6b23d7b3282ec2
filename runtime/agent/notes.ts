import { pods, type Revision, revisions } from "@shallop/sdk/api";
import type { LocalPod } from "./local-pod.ts";
import type { PodNote } from "./pod-tools.ts";

/** Where events go; never waits, never fails. */
export interface EventSink {
  emit(
    about: {
      readonly kind: "Pod" | "Revision" | "Node";
      readonly namespace?: string;
      readonly name: string;
      readonly uid?: string;
    },
    note: PodNote,
  ): void;
}

/** Notes about a pod that the API does not know yet. */
const heldNotesMax = 16;

/** What the node tells of pods and revisions, as events. Of a pod that the API does not know yet: as soon as it does. */
export class Notes {
  readonly #events: EventSink;
  readonly #held = new WeakMap<LocalPod, PodNote[]>();

  constructor(events: EventSink) {
    this.#events = events;
  }

  ofPod(pod: LocalPod, note: PodNote): void {
    const { namespace, name } = pod.manifest;
    const uid = pod.record.apiUid;
    if (uid !== undefined) {
      this.#events.emit({ kind: pods.kind, namespace, name, uid }, note);
      return;
    }
    const held = this.#held.get(pod) ?? [];
    if (held.length < heldNotesMax) held.push(note);
    this.#held.set(pod, held);
  }

  /** The API knows the pod now: what was held until then is told. */
  release(pod: LocalPod): void {
    for (const note of this.#held.get(pod)?.splice(0) ?? []) this.ofPod(pod, note);
    this.#held.delete(pod);
  }

  ofRevision(revision: Revision, note: PodNote): void {
    const { namespace, name, uid } = revision.metadata;
    const about = { kind: revisions.kind, ...(namespace === undefined ? {} : { namespace }), name, uid };
    this.#events.emit(about, note);
  }
}
