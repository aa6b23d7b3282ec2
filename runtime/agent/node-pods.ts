import type { Pod } from "@shallop/sdk/api";
import type { AgentPod, ContainerChecks } from "@shallop/sdk/wire";
import type { Clock, Log } from "@shallop/sdk/internal";
import type { LogStore } from "../pod/log-store.ts";
import type { ContainerView } from "../pod/containers/container-view.ts";
import type { PodExit, PodObserver, PodRuntime, RunningPod } from "../pod/pod-runtime.ts";
import { holdsRoom, type Past } from "../pod/pod-state.ts";
import type { ImageSource, PreparedImage } from "./image-source.ts";
import { LocalPod } from "./local-pod.ts";
import type { PodNote, PodTools } from "./pod-tools.ts";
import { memoryRequestBytes } from "./manifest.ts";
import { podKey, type PodRecord, type PodRecords } from "./pod-record.ts";

/** How much this node takes. */
export interface NodeRoom {
  readonly podsMax: number;
  readonly memoryBytes: number;
}

export interface NodePodsSettings {
  readonly clock: Clock;
  readonly log: Log;
  readonly images: ImageSource;
  readonly logs: LogStore;
  readonly records: PodRecords;
  readonly room: NodeRoom;
  readonly place: PodTools["place"];
  readonly given: PodTools["given"];
  /** A pod that stood by has come up, or cannot any more. */
  woken(running: RunningPod): void;
  standbyLost(uid: string): void;
  /** A pod of this node has changed, or said something of note. */
  changed(pod: LocalPod): void;
  note(pod: LocalPod, note: PodNote): void;
  fellBack(pod: LocalPod, prepared: PreparedImage): void;
}

/** The pods of this node, by name and by uid; what their runtimes tell of them goes through here. */
export class NodePods implements PodObserver {
  readonly #settings: NodePodsSettings;
  readonly #runtimes = new Map<"wasm" | "native", PodRuntime>();
  readonly #podsByKey = new Map<string, LocalPod>();
  readonly #podsByUid = new Map<string, LocalPod>();
  readonly #strays: RunningPod[] = [];
  /** Ends that were told while it was not known yet whose they are. */
  readonly #earlyExits = new Map<string, PodExit>();
  #adopting = false;
  readonly #tools: PodTools;

  constructor(settings: NodePodsSettings) {
    this.#settings = settings;
    this.#tools = {
      ...settings,
      runtime: (variant) => this.runtime(variant),
      roomRefusal: (pod) => this.roomRefusal(memoryRequestBytes(pod.manifest.spec), pod),
      changed: (pod) => settings.changed(pod),
      note: (pod, note) => settings.note(pod, note),
      fellBack: (pod, prepared) => settings.fellBack(pod, prepared),
    };
  }

  /** A runtime needs the observer before it can be; so it is added after. */
  addRuntime(runtime: PodRuntime): void {
    this.#runtimes.set(runtime.variant, runtime);
  }

  runtime(variant: "wasm" | "native"): PodRuntime | undefined {
    return this.#runtimes.get(variant);
  }

  get all(): readonly LocalPod[] {
    return [...this.#podsByKey.values()];
  }

  get(key: string): LocalPod | undefined {
    return this.#podsByKey.get(key);
  }

  /** By the uid that this node or the API gave it. */
  byUid(uid: string): LocalPod | undefined {
    return this.#podsByUid.get(uid) ?? this.all.find((pod) => pod.record.apiUid === uid);
  }

  ofRevision(namespace: string, revision: string): readonly LocalPod[] {
    return this.all.filter(
      ({ manifest }) =>
        manifest.namespace === namespace && manifest.labels["serving.knative.dev/revision"] === revision,
    );
  }

  add(record: PodRecord, past?: Past): LocalPod {
    const pod = new LocalPod(record, this.#tools, past);
    this.#podsByKey.set(pod.key, pod);
    this.#podsByUid.set(pod.uid, pod);
    return pod;
  }

  /** It is over here and gone from the API: nothing remembers it but its log. */
  forget(pod: LocalPod): void {
    if (this.#podsByKey.get(pod.key) === pod) this.#podsByKey.delete(pod.key);
    this.#podsByUid.delete(pod.uid);
    void this.#settings.records.remove(pod.uid);
  }

  /** Why there is no room for one more pod; undefined when there is. `except` is the pod itself. */
  roomRefusal(memoryBytes: number, except?: LocalPod): string | undefined {
    const { podsMax, memoryBytes: budgetBytes } = this.#settings.room;
    const others = this.all.filter((pod) => pod !== except && holdsRoom(pod.state));
    if (others.length >= podsMax) return `the node runs ${String(others.length)} pods, which is its maximum`;
    const usedBytes = others.reduce((sum, pod) => sum + memoryRequestBytes(pod.manifest.spec), 0);
    if (usedBytes + memoryBytes <= budgetBytes) return undefined;
    return `the pod asks for ${mebibytes(memoryBytes)} of memory; the node has ${mebibytes(budgetBytes - usedBytes)} of ${mebibytes(budgetBytes)} left`;
  }

  /** After a start: takes over what still runs and is known. Returns how many. What is not known waits for the API. */
  async adopt(): Promise<number> {
    const records = new Map((await this.#settings.records.load()).map((record) => [record.uid, record]));
    this.#adopting = true;
    const lists = await Promise.all([...this.#runtimes.values()].map((runtime) => runtime.adopt()));
    this.#adopting = false;
    for (const running of lists.flat()) {
      const record = records.get(running.uid);
      if (record === undefined) this.#strays.push(running);
      else {
        const ended = running.ended ?? this.#earlyExits.get(running.uid);
        this.add(record).adopt(ended === undefined ? running : { ...running, ended });
      }
      records.delete(running.uid);
    }
    // What has ended meanwhile: if the API has it, it is started anew as the API says.
    for (const uid of records.keys()) await this.#settings.records.remove(uid);
    const running = new Set(lists.flat().map(({ uid }) => uid));
    await this.#settings.logs.endOthers(running);
    return running.size - this.#strays.length;
  }

  /** What runs here and is not known here; asked once it is known what the API has. */
  takeStrays(): readonly RunningPod[] {
    return this.#strays.splice(0);
  }

  /** Ends a pod that nobody wants. */
  async removeStray(running: RunningPod): Promise<void> {
    this.#settings.log.warn("a pod that nobody knows is stopped", { pod: podKey(running), uid: running.uid });
    for (const runtime of this.#runtimes.values()) await runtime.stop(running.uid, 0);
    await this.#settings.logs.end(running.uid);
  }

  woken(running: RunningPod): void {
    this.#settings.woken(running);
  }

  standbyLost(uid: string): void {
    this.#settings.standbyLost(uid);
  }

  exited(uid: string, exit: Parameters<PodObserver["exited"]>[1]): void {
    const pod = this.#podsByUid.get(uid);
    if (pod !== undefined) pod.exited(exit);
    else if (this.#adopting) this.#earlyExits.set(uid, exit);
  }

  logged(uid: string, line: Parameters<PodObserver["logged"]>[1]): void {
    this.#settings.logs.append(uid, line);
  }

  containers(uid: string, views: readonly ContainerView[]): void {
    this.#podsByUid.get(uid)?.changed(views);
  }

  noticed(uid: string, notice: PodNote): void {
    const pod = this.#podsByUid.get(uid);
    if (pod !== undefined) this.#settings.note(pod, notice);
  }

  /** Stops every pod, all at once, each with its grace but none longer than `graceMsMax`. */
  async stopAll(graceMsMax: number, graceMsOf: (pod: LocalPod) => number): Promise<void> {
    await Promise.all(
      this.all.map(async (pod) => {
        pod.stop(Math.min(graceMsMax, graceMsOf(pod)));
        await this.#over(pod);
        await this.#settings.records.remove(pod.uid);
      }),
    );
    for (const stray of this.takeStrays()) await this.removeStray(stray);
  }

  async #over(pod: LocalPod): Promise<void> {
    // Asked again and again rather than told: this is the end of the process, and simple is safe.
    while (pod.state.phase !== "ended") await this.#settings.clock.sleep(5);
  }
}

/** As the node tells it on its own port. */
export function agentPod(pod: LocalPod): AgentPod {
  const { phase } = pod.state;
  const revision = pod.manifest.labels["serving.knative.dev/revision"];
  return {
    namespace: pod.manifest.namespace,
    name: pod.manifest.name,
    uid: pod.record.apiUid ?? pod.uid,
    ...(revision === undefined ? {} : { revision }),
    variant: pod.record.chosen?.variant ?? "wasm",
    phase: phase === "ready" || phase === "draining" || phase === "ended" ? phase : "starting",
    ...(pod.run === undefined ? {} : { endpoint: pod.run.endpoint }),
  };
}

/** What the probes of its containers have found lately; nothing of a pod that is not here. */
export const podChecks = (pod: LocalPod | undefined): readonly ContainerChecks[] =>
  (pod?.containers ?? []).flatMap(({ name, checks }) =>
    checks === undefined ? [] : [{ container: name, failingStreak: checks.failingStreak, results: checks.results }],
  );

/** How often an API pod has run here before this agent knew it. */
export function pastOf(pod: Pod, nowWallMs: number): Past | undefined {
  const status = pod.status?.containerStatuses?.[0];
  const restartCount = status?.restartCount ?? 0;
  if (status?.containerID === undefined && restartCount === 0) return undefined;
  const lost = { crashCount: 0, refusalCount: 0 };
  if (runsOnce(pod)) {
    const message = "the node lost the pod, which is not to be started again";
    // In the kubelet's words.
    const lastRun = { exitCode: 137, reason: "ContainerStatusUnknown", message, finishedWallMs: nowWallMs };
    return { ...lost, restartCount, lastRun };
  }
  const message = "the node lost the pod; it was started again";
  const lastRun = { exitCode: 255, reason: "Unknown", message, finishedWallMs: nowWallMs };
  return { ...lost, restartCount: restartCount + 1, lastRun };
}

/** What it does is not to be done twice. */
export const runsOnce = ({ spec }: Pod): boolean => spec.restartPolicy === "Never";

const mebibytes = (bytes: number): string => `${String(Math.max(0, Math.floor(bytes / 1024 / 1024)))} MiB`;
