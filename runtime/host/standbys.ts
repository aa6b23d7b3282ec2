import { rmSync } from "node:fs";
import type { HostPod } from "./control-protocol.ts";
import { threadStartOf } from "./hosted-pod.ts";
import { parkingKey } from "./parked-components.ts";
import type { PodThread } from "./pod-thread.ts";

/** What is done with a thread that may become a pod. */
export type StandbyThread = Pick<PodThread, "isGone" | "standBy" | "withdraw">;

export interface StandbysSettings<Thread extends StandbyThread> {
  readonly spare: {
    /** A thread at rest where this component is parked. */
    parkedWith(key: string): Thread | undefined;
    /** It is at rest. */
    has(thread: Thread): boolean;
  };
  /** A path that no thread has had. */
  readonly socketPath: () => string;
}

interface Standby<Thread> {
  readonly pod: HostPod;
  /** Listens for it. */
  thread: Thread | undefined;
}

/**
 * Pods that come up by themselves when somebody connects: each is listened for by a thread at rest where its component is parked,
 * while there is one. A thread listens for any number of them, and becomes the first that is wanted.
 */
export class Standbys<Thread extends StandbyThread = PodThread> {
  readonly #settings: StandbysSettings<Thread>;
  readonly #byUid = new Map<string, Standby<Thread>>();

  constructor(settings: StandbysSettings<Thread>) {
    this.#settings = settings;
  }

  add(pod: HostPod): void {
    this.#byUid.set(pod.uid, { pod, thread: undefined });
    this.spread();
  }

  /** Gives each a thread, if there is one for it. */
  spread(): void {
    const { spare, socketPath } = this.#settings;
    for (const standby of this.#byUid.values()) {
      const { pod, thread } = standby;
      if (thread !== undefined && !thread.isGone && spare.has(thread)) continue;
      standby.thread = spare.parkedWith(parkingKey(pod));
      standby.thread?.standBy({ start: threadStartOf(pod), listenAt: socketPath(), socketPath: pod.socketPath });
    }
  }

  /** It has come up, and is a pod as any other from now on. */
  woken(uid: string): HostPod | undefined {
    const pod = this.#byUid.get(uid)?.pod;
    this.#byUid.delete(uid);
    return pod;
  }

  /** Resolves when it does not come up any more, unless it has. */
  async remove(uid: string): Promise<void> {
    const standby = this.#byUid.get(uid);
    if (standby === undefined) return;
    await standby.thread?.withdraw(uid);
    // Come up meanwhile: the socket is the pod's.
    if (this.woken(uid) !== undefined) rmSync(standby.pod.socketPath, { force: true });
  }

  async clear(): Promise<void> {
    await Promise.all([...this.#byUid.keys()].map((uid) => this.remove(uid)));
  }
}
