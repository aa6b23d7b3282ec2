import { variantWishOf } from "@shallop/sdk/api";
import { type Clock, describeError, type Log, type Timer, unreachable } from "@shallop/sdk/internal";
import type { WantedPurpose } from "../component/requirements.ts";
import type { AttachRequest, ContainerProcess, ExecRequest } from "../pod/container-process.ts";
import type { LogStore } from "../pod/log-store.ts";
import type { ContainerView } from "../pod/containers/container-view.ts";
import { type PodExit, PodFault, type PodLaunch, type PodRuntime, type RunningPod } from "../pod/pod-runtime.ts";
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
  step,
} from "../pod/pod-state.ts";
import { podIpToken } from "../pod/containers/container-launch.ts";
import type { GivenObjects } from "./given-objects.ts";
import {
  containersOf,
  environmentOf,
  isOfFiles,
  isPlain,
  nativeNeed,
  planOf,
  streamsOf,
  volumesOf,
} from "./pod-plan.ts";
import type { ImageSource, PreparedImage } from "./image-source.ts";
import { adjustmentOf, adjustmentText, withResourcesOf } from "./adjustment.ts";
import { AgentFault } from "./fault-status.ts";
import { containerName, launchOf, type PodManifest, servingContainer } from "./manifest.ts";
import { hostPortsOf } from "./ports/host-port.ts";
import { HostPorts } from "./ports/host-ports.ts";
import { PodPorts } from "./ports/pod-ports.ts";
import { podKey, type PodRecord, type PodRecords } from "./pod-record.ts";

export interface PodNote {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/**
 * A component that traps at its start may have met a bad moment; one that traps three times in a row will go on to. Where
 * its image has a native variant too, that one runs then.
 */
const startTriesMax = 3;

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

/** One pod of this node: its state, and the hands that carry out what follows from it. */
export class LocalPod {
  readonly key: string;
  readonly uid: string;
  readonly #tools: PodTools;
  #record: PodRecord;
  #state: PodState;
  #version = 0;
  #prepared: PreparedImage | undefined;
  /** Of a pod of several containers, by name. */
  #images: ReadonlyMap<string, PreparedImage> = new Map();
  #containers: readonly ContainerView[] = [];
  #cancel: AbortController | undefined;
  #timer: Timer | undefined;
  /** Activated, and not ready yet: if it fails, who asked is told, and nothing is restarted. */
  #unproven = false;
  #refusedAdjustment: string | undefined;
  #failure: Error | undefined;
  /** The node's ports that lead to it, from before its start on. */
  #hostPorts: HostPorts | undefined;
  #ports: PodPorts | undefined;
  #earlyExit: PodExit | undefined;

  constructor(record: PodRecord, tools: PodTools, past?: Past) {
    this.key = podKey(record.manifest);
    this.uid = record.uid;
    this.#record = record;
    this.#tools = tools;
    this.#state = past === undefined ? newPod : { phase: "pending", past };
    this.#openLogs();
  }

  /** That of the serving container first: what a runtime says without naming a container is its. */
  #openLogs(): void {
    const { namespace, name, labels, spec } = this.manifest;
    const serving = containerName(spec);
    const others = containersOf(spec).flatMap((container) =>
      container.name === serving ? [] : (container.name ?? []),
    );
    for (const container of [serving, ...others]) {
      this.#tools.logs.open({
        namespace,
        pod: name,
        uid: this.uid,
        container,
        ...optionalText("service", labels["serving.knative.dev/service"]),
        ...optionalText("revision", labels["serving.knative.dev/revision"]),
        openedWallMs: this.#record.acceptedWallMs,
      });
    }
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
    const { run } = this;
    if (this.#ports?.run !== run) {
      this.#ports?.[Symbol.dispose]();
      this.#ports = run === undefined ? undefined : new PodPorts(run, this.#record.limits.requestTimeoutMs);
    }
    return this.#ports;
  }

  /** Starts it; the image is pulled first unless it is `prepared`. */
  begin(prepared?: PreparedImage): void {
    if (prepared !== undefined) this.#choose(prepared);
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
      () => this.#leadPorts(),
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
    this.dispatch({ kind: "exited", ended, restart: this.#restartPolicy() });
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
    const runtime = this.#chosenRuntime();
    if (runtime?.exec !== undefined) return runtime.exec(this.uid, container, request);
    throw new PodFault("UNSUPPORTED", `pod ${this.key} runs a component: there is no program in it but the component`);
  }

  /** Joins a container's own program: its output from now on. @throws PodFault NOT_RUNNING, UNSUPPORTED */
  async attach(container: string, request: AttachRequest): Promise<ContainerProcess> {
    const runtime = this.#chosenRuntime();
    if (runtime?.attach !== undefined) return runtime.attach(this.uid, container, request);
    throw new PodFault("UNSUPPORTED", `pod ${this.key} runs a component: its output is in its log`);
  }

  /** What of it can be other while it runs, as it is now, or was last refused to be. For comparison. */
  get adjusted(): string {
    return (
      this.#refusedAdjustment ??
      adjustmentText({ ...adjustmentOf(this.manifest), paused: this.#record.paused === true })
    );
  }

  /** Makes it what its object wants it to be. What cannot be is told once, and not tried again. */
  async adjust(wanted: PodManifest): Promise<void> {
    const adjustment = adjustmentOf(wanted);
    const note = (of: PodNote): void => this.#tools.note(this, of);
    try {
      const runtime = this.#chosenRuntime();
      if (runtime?.adjust === undefined) {
        throw new PodFault("UNSUPPORTED", "components are neither paused nor resized while they run");
      }
      await runtime.adjust(this.uid, adjustment);
    } catch (error) {
      this.#refusedAdjustment = adjustmentText(adjustment);
      note({ type: "Warning", reason: "AdjustFailed", message: describeError(error) });
      return;
    }
    const before = adjustmentOf(this.manifest);
    const was = this.#record.paused === true;
    this.#refusedAdjustment = undefined;
    this.#record = { ...this.#record, manifest: withResourcesOf(this.manifest, wanted), paused: adjustment.paused };
    await this.#tools.records.save(this.#record);
    if (was !== adjustment.paused) {
      const [reason, done] = adjustment.paused ? ["Paused", "frozen"] : ["Unpaused", "running again"];
      note({ type: "Normal", reason, message: `the pod's containers are ${done}` });
    }
    if (JSON.stringify(before.limits) !== JSON.stringify(adjustment.limits)) {
      note({
        type: "Normal",
        reason: "ResizeCompleted",
        message: "the pod's containers have the limits that were asked for",
      });
    }
    this.#version++;
    this.#tools.changed(this);
  }

  /** Whether what other objects say is in files of its volumes. */
  get followsObjects(): boolean {
    return this.#isPlanned && this.run !== undefined && (this.manifest.spec.volumes ?? []).some(isOfFiles);
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
    if (!holdsRoom(state)) this.#givePortsBack();
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
      this.#choose(await this.#prepare(cancel.signal));
      await this.#prepareOthers(cancel.signal);
      this.dispatch({ kind: "pulled" });
    } catch (error) {
      if (cancel.signal.aborted) return;
      const image = servingContainer(this.manifest.spec).image;
      this.dispatch({ kind: "pull-failed", message: `image ${image} cannot be prepared: ${describeError(error)}` });
    }
  }

  async #prepare(signal: AbortSignal): Promise<PreparedImage> {
    const { image } = servingContainer(this.manifest.spec);
    await this.#admit(signal);
    const wish = nativeNeed(this.manifest) === undefined ? variantWishOf(this.manifest.annotations) : "native";
    return this.#tools.images.prepare(image, wish, signal, this.#purpose);
  }

  /** Every image of the pod, by the policies of this moment. @throws ImageFault POLICY_DENIED … */
  async #admit(signal: AbortSignal, variant?: "wasm" | "native"): Promise<void> {
    const { namespace, spec } = this.manifest;
    const known = variant === undefined ? {} : { variant };
    for (const { image } of containersOf(spec)) await this.#tools.images.admit({ namespace, image, ...known }, signal);
  }

  /** The images of all containers of a pod that is not one program. @throws ImageFault, PodFault UNSUPPORTED */
  async #prepareOthers(signal: AbortSignal): Promise<void> {
    if (!this.#isPlanned) return;
    const images = new Map<string, PreparedImage>();
    for (const { name = "", image } of containersOf(this.manifest.spec)) {
      const prepared = await this.#tools.images.prepare(image, "native", signal);
      if (prepared.image.variant !== "native") {
        const need = nativeNeed(this.manifest) ?? "its containers are native";
        throw new PodFault("UNSUPPORTED", `image ${image} has no variant that can run in this pod natively: ${need}`);
      }
      images.set(name, prepared);
    }
    this.#images = images;
  }

  /** A revision's pods serve; a pod of its own may be a program that comes to an end. */
  get #purpose(): WantedPurpose {
    return isPlain(this.manifest) ? "either" : "serve";
  }

  /** A pod of its own that runs natively: containers, each with its own life. */
  get #isPlanned(): boolean {
    return isPlain(this.manifest) && this.#record.chosen?.variant === "native";
  }

  #choose(prepared: PreparedImage): void {
    this.#prepared = prepared;
    const { image, imageId, reason } = prepared;
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
      this.#prepared ??= await this.#prepare(cancel.signal);
      const running = await this.#run(this.#prepared, cancel.signal);
      this.dispatch({ kind: "started", run: this.#runOf(running, this.#tools.clock.wallMs()) });
      this.#leadPorts();
      if (this.#earlyExit !== undefined) this.exited(this.#earlyExit);
      this.#tools.log.info("pod started", { pod: this.key, ms: Math.round(this.#tools.clock.nowMs() - startedMs) });
    } catch (error) {
      if (cancel.signal.aborted) return;
      this.#failure = error instanceof Error ? error : new Error(describeError(error));
      this.#startFailed(error);
    }
  }

  /** @throws PodFault NO_CAPACITY when a port of the node that it asks for is somebody else's */
  async #takePorts(): Promise<void> {
    const wanted = hostPortsOf(this.manifest.spec);
    if (wanted.length === 0) return;
    this.#givePortsBack();
    const taken = await HostPorts.open(wanted, this.#tools.clock);
    // It may have been stopped meanwhile.
    if (holdsRoom(this.#state)) this.#hostPorts = taken;
    else taken[Symbol.dispose]();
  }

  #leadPorts(): void {
    const { ports } = this;
    if (ports !== undefined) this.#hostPorts?.lead(ports);
  }

  #givePortsBack(): void {
    this.#hostPorts?.[Symbol.dispose]();
    this.#ports?.[Symbol.dispose]();
    this.#hostPorts = this.#ports = undefined;
  }

  /** Starts it; a component that does not come up gives way to a native variant, while whoever asked goes on waiting. */
  async #run(prepared: PreparedImage, signal: AbortSignal): Promise<RunningPod> {
    const wanted = {
      reference: servingContainer(this.manifest.spec).image,
      wish: variantWishOf(this.manifest.annotations),
      purpose: this.#purpose,
      image: prepared,
    };
    for (let tries = 1; ; tries++) {
      try {
        return await this.#runOnce(prepared, signal);
      } catch (error) {
        if (signal.aborted || prepared.image.variant !== "wasm" || !isFailedStart(error)) throw error;
        if (!(await this.#tools.images.hasOther(wanted))) throw error;
        const isLate = error.code === "START_TIMEOUT";
        if (!isLate && tries < startTriesMax) continue;
        const often = isLate ? "" : ` ${String(tries)} times`;
        const why = `did not come up here${often} (${error.message})`;
        return this.#runOnce(this.#fellBack(await this.#tools.images.fallBack(wanted, why, signal)), signal);
      }
    }
  }

  async #runOnce(prepared: PreparedImage, signal: AbortSignal): Promise<RunningPod> {
    // What was prepared before a policy came is held to it, too.
    await this.#admit(signal, prepared.image.variant);
    const runtime = this.#tools.runtime(prepared.image.variant);
    if (runtime === undefined) {
      throw new PodFault("UNSUPPORTED", `this node cannot run ${prepared.image.variant} variants`);
    }
    return runtime.start(await this.#launch(prepared, signal), signal);
  }

  #fellBack(other: PreparedImage): PreparedImage {
    this.#choose(other);
    this.#tools.note(this, { type: "Warning", reason: "VariantFellBack", message: other.reason });
    this.#tools.fellBack(this, other);
    return other;
  }

  async #launch(prepared: PreparedImage, signal: AbortSignal): Promise<PodLaunch> {
    if (!isPlain(this.manifest)) return launchOf(this.#record, prepared.image);
    const { manifest } = this;
    const facts = { ...this.#tools.place, uid: this.#record.apiUid ?? this.uid };
    const given = await this.#tools.given(manifest, signal);
    if (!this.#isPlanned) {
      const env = environmentOf(servingContainer(manifest.spec), { manifest, facts, given });
      // A component has no address.
      const streams = streamsOf(servingContainer(manifest.spec), manifest);
      const known = env.map(({ name, value }) => ({ name, value: value.replaceAll(podIpToken, "") }));
      return { ...launchOf(this.#record, prepared.image), env: known, purpose: this.#purpose, streams };
    }
    if (this.#images.size === 0) await this.#prepareOthers(signal);
    return launchOf(this.#record, prepared.image, planOf({ manifest, images: this.#images, facts, given }));
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
    this.dispatch({ kind: "start-failed", ended, restart: this.#restartPolicy() });
  }

  /** Removes what an earlier run has left, and begins its log anew. */
  async #cleanUp(): Promise<void> {
    const log = this.#tools.logs.find(this.manifest.namespace, this.manifest.name);
    await log?.beginRun();
    await this.#chosenRuntime()?.stop(this.uid, 0);
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

  #chosenRuntime(): PodRuntime | undefined {
    const { chosen } = this.#record;
    return chosen === undefined ? undefined : this.#tools.runtime(chosen.variant);
  }

  #restartPolicy(): RestartPolicy {
    if (this.#unproven) return "Never";
    // Its containers were started again one by one as long as they were to be: now it has ended for good.
    if (this.#isPlanned && this.#containers.length > 0) return "Never";
    return this.manifest.spec.restartPolicy ?? "Always";
  }

  #started(): { readonly startedWallMs?: number } {
    return this.#state.phase === "ready" ? { startedWallMs: this.#state.run.startedWallMs } : {};
  }

  #runOf(running: RunningPod, startedWallMs: number): Run {
    return {
      endpoint: running.endpoint,
      ...optionalText("ip", running.ip),
      containerId: running.containerId,
      startedWallMs,
    };
  }
}

const isFailedStart = (error: unknown): error is PodFault =>
  error instanceof PodFault && (error.code === "EXITED" || error.code === "START_TIMEOUT");

const optionalText = <Name extends string>(name: Name, text: string | undefined): { readonly [N in Name]?: string } =>
  // The cast says only that a computed name is that name.
  text === undefined ? {} : ({ [name]: text } as { readonly [N in Name]?: string });
