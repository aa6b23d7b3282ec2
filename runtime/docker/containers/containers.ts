import type { Informer } from "@shallop/sdk/client";
import { type HttpsClient, startInformer } from "@shallop/sdk/client";
import { type Pod, pods } from "@shallop/sdk/api";
import type { StoredImage } from "@shallop/sdk/image";
import { type Clock, type Log, rfc3339 } from "@shallop/sdk/internal";
import type { EventLog } from "../event-log.ts";
import { DockerFault } from "../http/docker-fault.ts";
import type { ContainerView } from "./container-json.ts";
import type { ContainerRecord, RunEnd } from "./container-record.ts";
import { type ContainerState, hasProgram, isActive, stateOf } from "./container-state.ts";
import { dockerAnnotation, dockerLabel, dockerNamespace } from "./pod-spec.ts";
import type { ContainerRecords } from "./record-store.ts";

/** A thousand pods are what a node has room for; who creates and never removes is told. */
const containersMax = 10_000;

export interface ContainersSettings {
  readonly client: HttpsClient;
  readonly records: ContainerRecords;
  readonly events: EventLog;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** One container: what is stored of it, and its pod as the API shows it. */
export class DockerContainer implements ContainerView {
  record: ContainerRecord;
  pod: Pod | undefined;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  /** What was told of it last, so that each change is told once. */
  told: ContainerState;
  isRemoved = false;
  #readers = 0;
  /** Starts, stops and removals, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(record: ContainerRecord, clock: Clock) {
    this.record = record;
    this.#clock = clock;
    this.told = this.state;
  }

  get state(): ContainerState {
    return stateOf(this.record, this.pod, this.#clock.wallMs());
  }

  /** Runs `act` when nothing else is being done to this container. */
  alone<Value>(act: () => Promise<Value>): Promise<Value> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** While somebody reads its output, its pod is not taken away from under him. */
  reading(): Disposable {
    this.#readers++;
    return {
      [Symbol.dispose]: () => {
        this.#readers--;
        this.changed();
      },
    };
  }

  get isRead(): boolean {
    return this.#readers > 0;
  }

  changed(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves when `test` holds; tried at each change. @throws the signal's reason */
  async until(test: (container: DockerContainer) => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (test(this)) return;
    const holds = Promise.withResolvers<void>();
    const look = (): void => {
      if (test(this)) holds.resolve();
    };
    const giveUp = (): void => holds.reject(signal.reason as Error);
    this.#waiting.add(look);
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      await holds.promise;
    } finally {
      this.#waiting.delete(look);
      signal.removeEventListener("abort", giveUp);
    }
  }
}

/** All containers: the stored ones, joined with the pods of the namespace. */
export class Containers {
  readonly #settings: ContainersSettings;
  readonly #byId = new Map<string, DockerContainer>();
  #informer: Informer<Pod> | undefined;
  /** Called when a container has ended: restarts, removals and ports hang on it. */
  onEnded: (container: DockerContainer) => void = () => undefined;
  onStarted: (container: DockerContainer) => void = () => undefined;
  /** Called when its program has ended and is to be started again. */
  onRestarting: (container: DockerContainer) => void = () => undefined;

  private constructor(settings: ContainersSettings) {
    this.#settings = settings;
  }

  static async open(settings: ContainersSettings): Promise<Containers> {
    const containers = new Containers(settings);
    for (const record of await settings.records.all(settings.log)) {
      containers.#byId.set(record.id, new DockerContainer(record, settings.clock));
    }
    return containers;
  }

  /** Begins to follow the pods; resolves when all are known. */
  async follow(): Promise<void> {
    const { client, clock, log, signal } = this.#settings;
    this.#informer = startInformer(
      client,
      pods,
      { namespace: dockerNamespace, labelSelector: dockerLabel },
      {
        ...{ signal, clock, log },
        onEvent: (event) => this.#podChanged(event.object, event.type === "deleted"),
      },
    );
    await this.#informer.synced;
  }

  all(): readonly DockerContainer[] {
    return [...this.#byId.values()];
  }

  /** By id, the begin of one, or name. @throws DockerFault NOT_FOUND, BAD_REQUEST when several begin so */
  find(text: string): DockerContainer {
    const name = text.replace(/^\//, "");
    const exact = this.#byId.get(name) ?? this.named(name);
    if (exact !== undefined) return exact;
    const begun = /^[0-9a-f]{1,64}$/.test(name) ? this.all().filter(({ record }) => record.id.startsWith(name)) : [];
    const [container] = begun;
    if (begun.length > 1) throw new DockerFault("BAD_REQUEST", `multiple IDs found with provided prefix: ${name}`);
    if (container === undefined) throw new DockerFault("NOT_FOUND", `No such container: ${text.slice(0, 200)}`);
    return container;
  }

  /** Names of those that were made from an image; with `running` those that run. */
  usersOf({ target }: StoredImage, { running }: { readonly running: boolean }): readonly string[] {
    return this.all()
      .filter(({ record, state }) => record.imageId === target.digest && (!running || isActive(state)))
      .map(({ record }) => record.name);
  }

  named(name: string): DockerContainer | undefined {
    return this.all().find(({ record }) => record.name === name);
  }

  /** @throws DockerFault CONFLICT when the name is taken */
  async add(record: ContainerRecord): Promise<DockerContainer> {
    const other = this.named(record.name);
    if (other !== undefined) {
      throw new DockerFault(
        "CONFLICT",
        `Conflict. The container name "/${record.name}" is already in use by container "${other.record.id}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    }
    if (this.#byId.size >= containersMax) {
      throw new DockerFault(
        "TOO_MANY",
        `there are ${String(containersMax)} containers; docker container prune removes those that have ended`,
      );
    }
    const container = new DockerContainer(record, this.#settings.clock);
    // The name is taken before the disk has it: two requests at once are not both first.
    this.#byId.set(record.id, container);
    try {
      await this.#settings.records.put(record.id, record);
    } catch (error) {
      this.#byId.delete(record.id);
      throw error;
    }
    this.tell(container, "create");
    return container;
  }

  async update(container: DockerContainer, change: Partial<ContainerRecord>): Promise<void> {
    container.record = { ...container.record, ...change };
    await this.#settings.records.put(container.record.id, container.record);
    container.changed();
  }

  /** Forgets it; its pod is the caller's matter. */
  async remove(container: DockerContainer): Promise<void> {
    const { id } = container.record;
    this.#byId.delete(id);
    await this.#settings.records.remove(id);
    container.isRemoved = true;
    this.tell(container, "destroy");
    container.changed();
  }

  /** An event of a container, with what people look for in one. */
  tell({ record }: DockerContainer, action: string, more: Readonly<Record<string, string>> = {}): void {
    const labels = record.body["Labels"];
    const own = typeof labels === "object" && labels !== null ? (labels as Readonly<Record<string, string>>) : {};
    this.#settings.events.emit("container", action, record.id, {
      ...own,
      image: record.imageName,
      name: record.name,
      ...more,
    });
  }

  #podChanged(pod: Pod, isGone: boolean): void {
    const container = this.#byId.get(pod.metadata.annotations?.[dockerAnnotation.id] ?? "");
    if (container === undefined || pod.metadata.name !== container.record.pod) return;
    const before = container.pod;
    // A pod of a start before, that goes.
    if (isGone && before?.metadata.uid !== pod.metadata.uid) return;
    const nowMs = this.#settings.clock.wallMs();
    const known = stateOf(container.record, pod, nowMs);
    const ended = isGone && hasProgram(known) ? removedEnd(pod, known, nowMs) : known.ended;
    container.pod = isGone ? undefined : pod;
    if (ended !== undefined && ended.run !== container.record.ended?.run) {
      container.record = { ...container.record, ended };
      this.#settings.records.put(container.record.id, container.record).catch((error: unknown) => {
        this.#settings.log.error("the end of a container could not be stored", error, { id: container.record.id });
      });
    }
    this.#tellChange(container);
    container.changed();
  }

  /** What a pod's change means in Docker's words. */
  #tellChange(container: DockerContainer): void {
    const { told: before, state: after } = container;
    container.told = after;
    const isNewRun = after.startedAt !== undefined && after.startedAt !== before.startedAt;
    if (after.ended !== undefined && after.ended.run !== before.ended?.run) {
      if (after.ended.oomKilled) this.tell(container, "oom");
      this.tell(container, "die", { exitCode: String(after.ended.exitCode) });
    }
    if (hasProgram(after) && (!hasProgram(before) || isNewRun)) {
      this.tell(container, "start");
      this.onStarted(container);
    } else if (hasProgram(after) && after.name !== before.name) {
      this.tell(container, after.name === "paused" ? "pause" : "unpause");
    }
    if (after.health !== before.health && after.health !== "none" && after.health !== "starting") {
      this.tell(container, `health_status: ${after.health}`);
    }
    if (after.name === "restarting") this.onRestarting(container);
    if (isActive(before) && !isActive(after)) this.onEnded(container);
    else if (before.name !== "exited" && after.name === "exited") this.onEnded(container);
  }
}

/** Of a pod that was deleted while it ran nobody says how its program ended: as a rule by a signal. */
function removedEnd(pod: Pod, { startedAt, restartCount }: ContainerState, nowMs: number): RunEnd {
  return {
    run: `${pod.metadata.uid}/${String(restartCount)}`,
    exitCode: 137,
    startedAt: startedAt ?? pod.metadata.creationTimestamp,
    finishedAt: rfc3339(nowMs),
    oomKilled: false,
    error: "",
  };
}
