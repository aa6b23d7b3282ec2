import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { PodSpec } from "@shallop/sdk/api";
import type { Clock, Random } from "@shallop/sdk/internal";
import { type Activation, standbyFileName } from "@shallop/sdk/wire";
import type { PodRuntime, RunningPod } from "../pod/pod-runtime.ts";
import type { HomeRevision, HomeRevisions } from "./home-revisions.ts";
import { revisionKey } from "./home-revisions.ts";
import type { ImageSource, PreparedImage } from "./image-source.ts";
import type { LocalPod } from "./local-pod.ts";
import {
  activationManifest,
  activationManifestAt,
  launchOf,
  limitsOf,
  memoryRequestBytes,
  revisionOf,
  servingContainer,
} from "./manifest.ts";
import type { NodePods } from "./node-pods.ts";
import type { PodRecord, PodRecords } from "./pod-record.ts";
import type { Work } from "./work.ts";

export interface StandbysSettings {
  readonly node: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly pods: NodePods;
  readonly homes: Pick<HomeRevisions, "all" | "get">;
  readonly images: Pick<ImageSource, "admit">;
  readonly records: PodRecords;
  readonly work: Work;
  /** Where gateways of this machine look for them. */
  readonly directory: string;
  /** The agent is stopping. */
  readonly stopping: AbortSignal;
  /** One has come up. */
  woken(pod: LocalPod): void;
}

interface Standby {
  readonly key: string;
  readonly home: HomeRevision;
  readonly record: PodRecord;
}

/** As many as a host process has threads at rest, times what each of them keeps parked: more would have nowhere to come up. */
const ofNamespaceMax = 16;

/**
 * Pods of revisions at zero that come up by themselves when a gateway of this machine connects to them: the answer to its
 * activation is written ahead, into a file. Level-triggered, as the loop that looks at them: which there are to be follows from
 * what the node has.
 */
export class Standbys {
  readonly #settings: StandbysSettings;
  readonly #byKey = new Map<string, Standby>();
  /** Revisions that have had a pod since they last stood by: they go before those that nobody has asked for. */
  readonly #served = new Set<string>();
  /** What did not stand by though there was a process for it, such as a program that serves nobody: asked once, and again when it has had a pod. */
  readonly #unable = new WeakSet<HomeRevision>();
  /** Rises when what was admitted may not be any more. */
  #epoch = 0;

  constructor(settings: StandbysSettings) {
    this.#settings = settings;
  }

  /** Removes what an earlier agent has left. */
  async open(): Promise<void> {
    const { directory } = this.#settings;
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }

  look(): void {
    const { homes, pods } = this.#settings;
    const busy = new Set<string>();
    for (const { manifest, state } of pods.all) {
      const revision = revisionOf(manifest);
      if (revision !== undefined && state.phase !== "ended") busy.add(revisionKey(manifest.namespace, revision));
    }
    for (const key of this.#served) if (homes.get(key) === undefined) this.#served.delete(key);
    for (const key of busy) this.#served.add(key);
    for (const home of homes.all) if (busy.has(home.key)) this.#unable.delete(home);
    for (const standby of this.#byKey.values()) {
      const isOf = homes.get(standby.key) === standby.home && this.#hasRoomFor(standby.record.manifest.spec);
      if (busy.has(standby.key) || !isOf) this.#offer(standby.key, () => this.#withdraw(standby));
    }
    const wasServed = ({ key }: HomeRevision): boolean => this.#served.has(key);
    const all = homes.all.filter(({ key }) => !busy.has(key));
    for (const home of [...all.filter(wasServed), ...all]) if (!this.#lookAt(home)) break;
  }

  /** Image policies have changed: each is asked for anew. */
  async reconsider(): Promise<void> {
    this.#epoch++;
    await Promise.all([...this.#byKey.values()].map((standby) => this.#withdraw(standby)));
  }

  /** A gateway has connected to one: it is a pod as any other from now on. */
  woken(running: RunningPod): void {
    const { clock, pods, records } = this.#settings;
    const standby = this.#byUid(running.uid);
    if (standby === undefined) return;
    this.#forget(standby);
    const wallMs = clock.wallMs();
    const { record } = standby;
    const pod = pods.add({
      ...record,
      manifest: activationManifestAt(record.manifest, wallMs),
      acceptedWallMs: wallMs,
    });
    pod.adopt(running);
    void records.save(pod.record);
    this.#settings.woken(pod);
  }

  /** Where it could come up is gone. */
  lost(uid: string): void {
    const standby = this.#byUid(uid);
    if (standby === undefined) return;
    this.#forget(standby);
    void this.#settings.records.remove(uid);
  }

  async close(): Promise<void> {
    await this.reconsider();
    await rm(this.#settings.directory, { recursive: true, force: true });
  }

  /**
   * Has it stand by, if it is to. Where its namespace has as many as there may be, one that has had a pod takes the place of the one
   * that has waited for longest.
   * @returns false when the node has no room for its pod, nor for others
   */
  #lookAt(home: HomeRevision): boolean {
    const { key, revision } = home;
    const prepared = preparedWasm(home);
    if (this.#byKey.has(key) || prepared === undefined || this.#unable.has(home)) return true;
    const namespace = namespaceOf(home);
    if (!this.#canStandBy(namespace)) return true;
    const others = [...this.#byKey.values()].filter(({ record }) => record.manifest.namespace === namespace);
    const [oldest] = others;
    if (others.length >= ofNamespaceMax && oldest !== undefined) {
      if (this.#served.has(key)) this.#offer(oldest.key, () => this.#withdraw(oldest));
      return true;
    }
    if (!this.#hasRoomFor(revision.spec)) return false;
    this.#offer(key, () => this.#make(home, prepared));
    return true;
  }

  #hasRoomFor(spec: Pick<PodSpec, "containers">): boolean {
    return this.#settings.pods.roomRefusal(memoryRequestBytes(spec)) === undefined;
  }

  #canStandBy(namespace: string): boolean {
    return this.#runtime?.canStandBy?.(namespace) === true;
  }

  #offer(key: string, job: () => Promise<void>): void {
    this.#settings.work.offer(`standby ${key}`, job);
  }

  async #make(home: HomeRevision, prepared: PreparedImage): Promise<void> {
    const { stopping, records } = this.#settings;
    const { key } = home;
    const record = this.#recordOf(home, prepared);
    const standby = { key, home, record };
    const epoch = this.#epoch;
    // At once: it counts while it is being made.
    this.#byKey.set(key, standby);
    try {
      await this.#admit(record, prepared);
      // Before it can come up: should this agent die meanwhile, the next one knows whose it is.
      await records.save(record);
      const running = await this.#runtime?.standBy?.(launchOf(record, prepared.image), stopping);
      if (running === undefined) {
        // It had a process to come up in, and what it is does not change until it is prepared anew.
        if (this.#canStandBy(record.manifest.namespace)) this.#unable.add(home);
        this.lost(record.uid);
      } else if (this.#epoch !== epoch) await this.#withdraw(standby);
      else await this.#publish(standby, running);
      this.#served.delete(key);
    } catch (error) {
      this.lost(record.uid);
      throw error;
    }
  }

  /** @throws ImageFault POLICY_DENIED … */
  async #admit({ manifest }: PodRecord, { unlistedImports }: PreparedImage): Promise<void> {
    const { namespace, spec } = manifest;
    const question = { namespace, image: servingContainer(spec).image, variant: "wasm" } as const;
    const known = unlistedImports === undefined ? question : { ...question, unlistedImports };
    await this.#settings.images.admit(known, this.#settings.stopping);
  }

  #recordOf({ revision }: HomeRevision, { image, imageId, reason }: PreparedImage): PodRecord {
    const { node, clock, random } = this.#settings;
    const wallMs = clock.wallMs();
    const manifest = activationManifest(revision, { node, suffix: random.suffix(5), wallMs });
    return {
      uid: random.uuid(),
      origin: "activation",
      manifest,
      limits: limitsOf(manifest, revision),
      acceptedWallMs: wallMs,
      chosen: { variant: image.variant, imageId, reason },
    };
  }

  async #publish({ key, record }: Standby, { name, uid, endpoint }: RunningPod): Promise<void> {
    const answer: Activation = {
      ...{ podName: name, podUid: uid, endpoint, started: true },
      phasesMs: { prepare: 0, start: 0 },
    };
    const file = this.#file(record);
    await writeFile(`${file}.new`, JSON.stringify(answer), { mode: 0o600 });
    await rename(`${file}.new`, file);
    // It may be over already.
    if (this.#byKey.get(key)?.record !== record) await rm(file, { force: true });
  }

  async #withdraw(standby: Standby): Promise<void> {
    if (this.#byKey.get(standby.key) !== standby) return;
    await rm(this.#file(standby.record), { force: true });
    await this.#runtime?.withdraw?.(standby.record.uid);
  }

  #forget({ key, record }: Standby): void {
    this.#byKey.delete(key);
    void rm(this.#file(record), { force: true }).catch(() => undefined);
  }

  #byUid(uid: string): Standby | undefined {
    for (const standby of this.#byKey.values()) if (standby.record.uid === uid) return standby;
    return undefined;
  }

  #file({ manifest }: PodRecord): string {
    const revision = revisionOf(manifest) ?? "";
    return path.join(this.#settings.directory, standbyFileName({ namespace: manifest.namespace, revision }));
  }

  get #runtime(): PodRuntime | undefined {
    return this.#settings.pods.runtime("wasm");
  }
}

const namespaceOf = ({ revision }: HomeRevision): string => revision.metadata.namespace ?? "default";

function preparedWasm({ preparation }: HomeRevision): PreparedImage | undefined {
  if (preparation.phase !== "prepared" || preparation.prepared.image.variant !== "wasm") return undefined;
  return preparation.prepared;
}
