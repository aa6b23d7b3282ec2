import { describeError, type Timer, unreachable } from "@shallop/sdk/internal";
import type { AttachRequest, ContainerProcess, ExecRequest } from "../pod/container-process.ts";
import type { ContainerView } from "../pod/containers/container-view.ts";
import { type PodAdjustment, type PodExit, PodFault, type PodRuntime, type RunningPod } from "../pod/pod-runtime.ts";
import {
  type BackoffReason,
  canServe,
  holdsRoom,
  newPod,
  type Past,
  type PodEffect,
  type PodEvent,
  type PodState,
  type RestartPolicy,
  type Run,
  type RunOver,
  step,
} from "../pod/pod-state.ts";
import { adjustmentNotes, adjustmentOf, adjustmentText, isOfNetworks, withAdjustable } from "./adjustment.ts";
import { AgentFault } from "./fault-status.ts";
import type { PreparedImage } from "./image-source.ts";
import { containerName, type PodManifest, servingContainer } from "./manifest.ts";
import { PodImages } from "./pod-images.ts";
import { openPodLogs } from "./pod-logs.ts";
import { endsPod } from "../pod/pod-status.ts";
import { containersOf, isOfFiles, isPlain, isPlanned, restartAfterOf, volumesOf } from "./pod-plan.ts";
import { podKey, type PodRecord } from "./pod-record.ts";
import { PodStarter } from "./pod-starter.ts";
import type { PodTools } from "./pod-tools.ts";
import { LocalPorts } from "./ports/local-ports.ts";
import type { PodPorts } from "./ports/pod-ports.ts";

/** One pod of this node: its state, and the hands that carry out what follows from it. */
export class LocalPod {
  readonly key: string;
  readonly uid: string;
  readonly #tools: PodTools;
  readonly #images: PodImages;
  readonly #starter: PodStarter;
  readonly #ports: LocalPorts;
  #record: PodRecord;
  #state: PodState;
  #version = 0;
  #containers: readonly ContainerView[] = [];
  #cancel: AbortController | undefined;
  #timer: Timer | undefined;
  /** Activated, and not ready yet: if it fails, who asked is told, and nothing is restarted. */
  #unproven = false;
  #refusedAdjustment: string | undefined;
  #failure: Error | undefined;
  #earlyExit: PodExit | undefined;

  constructor(record: PodRecord, tools: PodTools, past?: Past) {
    this.key = podKey(record.manifest);
    this.uid = record.uid;
    this.#record = record;
    this.#tools = tools;
    this.#state = past === undefined ? newPod : { phase: "pending", past };
    this.#images = new PodImages(this, tools.images, (prepared) => this.#chosen(prepared));
    this.#starter = new PodStarter(this, this.#images, tools);
    this.#ports = new LocalPorts(record.limits.requestTimeoutMs, tools.clock);
    openPodLogs(tools.logs, record);
  }

  /** Its containers, one by one, when it has several. */
  get containers(): readonly ContainerView[] {
    return this.#containers;
  }

  get isReady(): boolean {
    return canServe(this.#state) && this.#containers.every(({ kind, ready }) => kind === "init" || ready);
  }

  /** Its runtime says how its containers are now. */
  changed(views: readonly ContainerView[]): void {
    const before = new Map(this.#containers.map((view) => [view.name, view]));
    this.#containers = views;
    for (const { name, restartCount } of views) {
      if (restartCount <= (before.get(name)?.restartCount ?? 0)) continue;
      void this.#tools.logs.find(this.manifest.namespace, this.manifest.name, name)?.beginRun();
    }
    this.#version++;
    this.#tools.changed(this);
  }

  get record(): PodRecord {
    return this.#record;
  }

  get manifest(): PodManifest {
    return this.#record.manifest;
  }

  get state(): PodState {
    return this.#state;
  }

  /** Rises with each change of the state. */
  get version(): number {
    return this.#version;
  }

  /** Somebody waits for its first start, and nobody else has been told of it. */
  get unproven(): boolean {
    return this.#unproven;
  }

  get run(): Run | undefined {
    return canServe(this.#state) ? this.#state.run : undefined;
  }

  /** Its ports, for whoever connects to it; undefined: it does not run. */
  get ports(): PodPorts | undefined {
    return this.#ports.of(this.run);
  }

  /** Starts it; the image is pulled first unless it is `prepared`. */
  begin(prepared?: PreparedImage): void {
    if (prepared !== undefined) this.#images.choose(prepared);
    void this.#tools.records.save(this.#record);
    this.dispatch({ kind: "begin", prepared: prepared !== undefined });
  }

  /** Starts it for somebody who waits. @throws PodFault, or what else came of the start; the pod is over then */
  async activate(prepared: PreparedImage): Promise<Run> {
    this.#unproven = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#settled = resolve;
    this.begin(prepared);
    await promise;
    this.#unproven = false;
    // Whoever looked before now has passed it by.
    this.#tools.changed(this);
    if (this.#state.phase === "ready") return this.#state.run;
    throw this.#failure ?? new PodFault("EXITED", `pod ${this.key} was stopped while it started`);
  }

  /** It has been running since before this process. */
  adopt(running: RunningPod): void {
    this.#containers = running.containers ?? [];
    this.dispatch({ kind: "adopted", run: this.#runOf(running, this.#record.acceptedWallMs) });
    void this.#takePorts().then(
      () => this.#ports.lead(this.run),
      (error: unknown) => {
        this.#tools.note(this, { type: "Warning", reason: "HostPortConflict", message: describeError(error) });
      },
    );
    if (running.ended !== undefined) this.exited(running.ended);
  }

  exited(exit: PodExit): void {
    // Told between the runtime's answer and our hearing of it.
    if (this.#state.phase === "starting") {
      this.#earlyExit = exit;
      return;
    }
    const ended = { ...exit, ...this.#started(), finishedWallMs: this.#tools.clock.wallMs() };
    this.dispatch({ kind: "exited", ended, ...this.#restart(), ...(endsPod(ended) ? { restart: "Never" } : {}) });
  }

  /** Clients of these requests have gone. */
  async abandoned(requestIds: readonly string[]): Promise<void> {
    await this.#chosenRuntime()?.abandoned?.(this.uid, requestIds);
  }

  /** @throws AgentFault NOT_FOUND when the pod has no such container */
  expectContainer(container: string): void {
    if (containersOf(this.manifest.spec).some(({ name }) => name === container)) return;
    if (containerName(this.manifest.spec) === container) return;
    throw new AgentFault("NOT_FOUND", `pod ${this.key} has no container ${container}`);
  }

  /** Runs a command in a container. @throws PodFault NOT_RUNNING, EXEC_FAILED, UNSUPPORTED */
  async exec(container: string, request: ExecRequest): Promise<ContainerProcess> {
    const runtime = this.#startedRuntime(container);
    if (runtime.exec !== undefined) return runtime.exec(this.uid, container, request).catch(asNotFound(container));
    throw new PodFault("UNSUPPORTED", `pod ${this.key} runs a component: there is no program in it but the component`);
  }

  /** Joins a container's own program: its output from now on. @throws PodFault NOT_RUNNING, UNSUPPORTED */
  async attach(container: string, request: AttachRequest): Promise<ContainerProcess> {
    const runtime = this.#startedRuntime(container);
    if (runtime.attach !== undefined) return runtime.attach(this.uid, container, request).catch(asNotFound(container));
    throw new PodFault("UNSUPPORTED", `pod ${this.key} runs a component: its output is in its log`);
  }

  /** What of it can be other while it runs, as it is now, or was last refused to be. For comparison. */
  get adjusted(): string {
    return this.#refusedAdjustment ?? adjustmentText(this.#adjustment);
  }

  get #adjustment(): PodAdjustment {
    return { ...adjustmentOf(this.manifest), paused: this.#record.paused === true };
  }

  /** Makes it what its object wants it to be. What cannot be is told once, and not tried again. */
  async adjust(wanted: PodManifest): Promise<void> {
    const adjustment = adjustmentOf(wanted);
    try {
      const runtime = this.#chosenRuntime();
      if (runtime?.adjust !== undefined) await runtime.adjust(this.uid, adjustment);
      else if (!isOfNetworks(this.#adjustment, adjustment))
        throw new PodFault("UNSUPPORTED", "components are neither paused nor resized while they run");
    } catch (error) {
      this.#refusedAdjustment = adjustmentText(adjustment);
      this.#tools.note(this, { type: "Warning", reason: "AdjustFailed", message: describeError(error) });
      return;
    }
    const before = this.#adjustment;
    this.#refusedAdjustment = undefined;
    this.#record = { ...this.#record, manifest: withAdjustable(this.manifest, wanted), paused: adjustment.paused };
    await this.#tools.records.save(this.#record);
    for (const told of adjustmentNotes(before, adjustment)) this.#tools.note(this, told);
    this.#version++;
    this.#tools.changed(this);
  }

  /** Whether what other objects say is in files of its volumes. */
  get followsObjects(): boolean {
    return isPlain(this.manifest) && this.run !== undefined && (this.manifest.spec.volumes ?? []).some(isOfFiles);
  }

  /**
   * Gives its volumes what their objects say by now; `seen` is the pod's own object. What cannot be had leaves the files
   * as they are. @throws ApiFault
   */
  async refreshVolumes(seen: Pick<PodManifest, "labels" | "annotations">, signal: AbortSignal): Promise<void> {
    const runtime = this.#chosenRuntime();
    if (runtime?.refresh === undefined || !this.followsObjects) return;
    const manifest = { ...this.manifest, labels: seen.labels, annotations: seen.annotations };
    const facts = { ...this.#tools.place, uid: this.#record.apiUid ?? this.uid };
    const given = await this.#tools.given(manifest, signal);
    try {
      await runtime.refresh(this.uid, volumesOf({ manifest, facts, given }));
    } catch (error) {
      // A key or an object that there is no more, as the kubelet has it.
      if (!(error instanceof PodFault)) throw error;
      this.#tools.log.debug("files of a volume stay as they were", { pod: this.key, error: describeError(error) });
    }
  }

  stop(graceMs: number): void {
    this.dispatch({ kind: "stop", graceMs });
  }

  /** The API knows it by this uid. */
  async claim(apiUid: string): Promise<void> {
    this.#record = { ...this.#record, apiUid };
    await this.#tools.records.save(this.#record);
  }

  dispatch(event: PodEvent): void {
    const before = this.#state;
    const { state, effects } = step(before, event, this.#tools.clock.nowMs());
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
    if (state === before) return;
    this.#version++;
    if (state.phase !== "starting" && state.phase !== "pulling") this.#settled();
    if (state.phase === "ended") void this.#tools.logs.end(this.uid);
    if (!holdsRoom(state)) this.#ports.giveBack();
    this.#tools.changed(this);
  }

  #settled: () => void = () => undefined;

  #carryOut(effect: PodEffect): void {
    switch (effect.kind) {
      case "pull":
        void this.#pull();
        break;
      case "start":
        void this.#start(effect.again);
        break;
      case "stop":
        void this.#stop(effect.graceMs);
        break;
      case "cancel":
        this.#cancel?.abort(new Error(`pod ${this.key} is being stopped`));
        break;
      case "wake":
        this.#timer?.cancel();
        this.#timer = this.#tools.clock.after(effect.atMs - this.#tools.clock.nowMs(), () =>
          this.dispatch({ kind: "timer" }),
        );
        break;
      case "event":
        this.#tools.note(this, effect);
        break;
      default:
        unreachable(effect);
    }
  }

  async #pull(): Promise<void> {
    const cancel = (this.#cancel = new AbortController());
    try {
      await this.#images.prepare(cancel.signal);
      this.dispatch({ kind: "pulled" });
    } catch (error) {
      if (cancel.signal.aborted) return;
      const image = servingContainer(this.manifest.spec).image;
      this.dispatch({ kind: "pull-failed", message: `image ${image} cannot be prepared: ${describeError(error)}` });
    }
  }

  #chosen({ image, imageId, reason }: PreparedImage): void {
    this.#record = { ...this.#record, chosen: { variant: image.variant, imageId, reason } };
    void this.#tools.records.save(this.#record);
  }

  async #start(again: boolean): Promise<void> {
    const cancel = (this.#cancel = new AbortController());
    const startedMs = this.#tools.clock.nowMs();
    this.#earlyExit = undefined;
    try {
      if (again) await this.#cleanUp();
      const refusal = this.#tools.roomRefusal(this);
      if (refusal !== undefined) throw new PodFault("NO_CAPACITY", refusal, { retryable: true });
      await this.#takePorts();
      const prepared = this.#images.serving ?? (await this.#images.prepareServing(cancel.signal));
      const running = await this.#starter.start(prepared, cancel.signal);
      this.dispatch({ kind: "started", run: this.#runOf(running, this.#tools.clock.wallMs()) });
      this.#ports.lead(this.run);
      if (this.#earlyExit !== undefined) this.exited(this.#earlyExit);
      this.#tools.log.info("pod started", { pod: this.key, ms: Math.round(this.#tools.clock.nowMs() - startedMs) });
    } catch (error) {
      if (cancel.signal.aborted) return;
      this.#failure = error instanceof Error ? error : new Error(describeError(error));
      this.#startFailed(error);
    }
  }

  /** @throws PodFault NO_CAPACITY when a port of the node that it asks for is somebody else's */
  #takePorts(): Promise<void> {
    return this.#ports.take(this.manifest.spec, () => holdsRoom(this.#state));
  }

  #startFailed(error: unknown): void {
    const message = describeError(error);
    const code = error instanceof PodFault ? error.code : undefined;
    if (code !== "EXITED" && code !== "START_TIMEOUT" && !this.#unproven) {
      const reason: BackoffReason = code === "NO_CAPACITY" ? "NoCapacity" : "CreateContainerError";
      return this.dispatch({ kind: "refused", reason, message });
    }
    const reason = code === "START_TIMEOUT" ? "StartTimeout" : "Error";
    const ended = { exitCode: 1, reason, message, finishedWallMs: this.#tools.clock.wallMs() };
    this.dispatch({ kind: "start-failed", ended, ...this.#restart() });
  }

  /** Removes what an earlier run has left, and begins its log anew. */
  async #cleanUp(): Promise<void> {
    const log = this.#tools.logs.find(this.manifest.namespace, this.manifest.name);
    await log?.beginRun();
    await this.#chosenRuntime()?.stop(this.uid, 0, "starts again");
  }

  async #stop(graceMs: number): Promise<void> {
    this.#timer?.cancel();
    try {
      await this.#chosenRuntime()?.stop(this.uid, graceMs);
    } catch (error) {
      // The runtime tries again when it adopts; the pod must not stay in the API for it.
      this.#tools.log.error("a pod was stopped, and not all of it could be removed", error, { pod: this.key });
    }
    this.dispatch({ kind: "stopped" });
  }

  /** @throws PodFault NOT_RUNNING */
  #startedRuntime(container: string): PodRuntime {
    const runtime = this.#chosenRuntime();
    if (runtime !== undefined) return runtime;
    throw notFound(container);
  }

  #chosenRuntime(): PodRuntime | undefined {
    const { chosen } = this.#record;
    return chosen === undefined ? undefined : this.#tools.runtime(chosen.variant);
  }

  #restart(): Omit<RunOver, "ended"> {
    return { restart: this.#restartPolicy(), ...restartAfterOf(this.manifest) };
  }

  #restartPolicy(): RestartPolicy {
    if (this.#unproven) return "Never";
    // Its containers were started again one by one as long as they were to be: now it has ended for good.
    if (isPlanned(this.#record) && this.#containers.length > 0) return "Never";
    return this.manifest.spec.restartPolicy ?? "Always";
  }

  /** When the current run of a container began; `name`: undefined is the only one. */
  startedWallMs(name: string | undefined): number | undefined {
    const now = this.#containers.find((view) => view.name === name)?.now;
    if (now !== undefined) return now.phase === "running" ? now.startedWallMs : undefined;
    return this.#started().startedWallMs;
  }

  #started(): { readonly startedWallMs?: number } {
    return this.#state.phase === "ready" ? { startedWallMs: this.#state.run.startedWallMs } : {};
  }

  #runOf(running: RunningPod, startedWallMs: number): Run {
    return {
      endpoint: running.endpoint,
      ...(running.ip === undefined ? {} : { ip: running.ip }),
      containerId: running.containerId,
      startedWallMs,
    };
  }
}

/** As the kubelet says that there is nobody to be joined. */
const notFound = (container: string, cause?: PodFault): PodFault =>
  new PodFault("NOT_RUNNING", `container not found ("${container}"): it does not run`, { cause });

const asNotFound =
  (container: string) =>
  (error: unknown): never => {
    throw error instanceof PodFault && error.code === "NOT_RUNNING" ? notFound(container, error) : error;
  };
