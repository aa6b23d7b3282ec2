import { rm } from "node:fs/promises";
import type { EgressProcess } from "../egress/egress-process.ts";
import type { HostPod } from "./control-protocol.ts";
import { grantOf, type Host, hostPodOf, type PodStart } from "./known-host.ts";
import { linkPodSocket } from "./run-files.ts";

export interface StandbyPodsSettings {
  readonly egress: Pick<EgressProcess, "allow" | "forbid">;
  /** Networks that pods may reach though they are special. */
  readonly egressAllowed: readonly string[];
  /** Where gateways look for a pod. */
  readonly podSocket: (uid: string) => string;
  /** Its process is about to end, or has: it does not come up. */
  readonly lost: (uid: string) => void;
}

/** Pods that a host process has come up when somebody connects, as its agent knows them. */
export class StandbyPods {
  readonly #settings: StandbyPodsSettings;
  readonly #byUid = new Map<string, { readonly host: Host; readonly pod: HostPod }>();

  constructor(settings: StandbyPodsSettings) {
    this.#settings = settings;
  }

  /** @throws PodFault */
  async add(host: Host, start: PodStart): Promise<void> {
    const { egress, egressAllowed, podSocket } = this.#settings;
    const pod = hostPodOf(host, start);
    this.#byUid.set(pod.uid, { host, pod });
    linkPodSocket(podSocket(pod.uid), pod.socketPath);
    void egress.allow(pod.egressSocket, grantOf(pod, egressAllowed));
    try {
      await host.process.standBy(pod);
    } catch (error) {
      await this.#clear(pod.uid);
      throw error;
    }
  }

  /** Resolves when it does not come up any more. */
  async remove(uid: string): Promise<void> {
    const standby = this.#byUid.get(uid);
    if (standby === undefined) return;
    // A process that died meanwhile has none.
    await standby.host.process.withdraw(uid).catch(() => undefined);
    // Its process may have told meanwhile that it has come up.
    await this.#clear(uid);
  }

  /** It has come up, says this process, and is a pod as any other from now on. Undefined: the process has no such one. */
  woken(host: Host, uid: string): HostPod | undefined {
    const standby = this.#byUid.get(uid);
    if (standby?.host !== host) return undefined;
    this.#byUid.delete(uid);
    return standby.pod;
  }

  /** Resolves when none comes up in this process any more. */
  async leave(host: Host): Promise<void> {
    const uids = [...this.#byUid].filter(([, standby]) => standby.host === host).map(([uid]) => uid);
    await Promise.all(uids.map((uid) => this.remove(uid)));
  }

  async #clear(uid: string): Promise<void> {
    const standby = this.#byUid.get(uid);
    if (standby === undefined) return;
    this.#byUid.delete(uid);
    void this.#settings.egress.forbid(standby.pod.egressSocket);
    await rm(this.#settings.podSocket(uid), { force: true });
    this.#settings.lost(uid);
  }
}
