import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describeError, processCpuMs, type Timer } from "@shallop/sdk/internal";
import { prepareLimits } from "../component/prepare.ts";
import type { WantedPurpose } from "../component/requirements.ts";
import type { LocalImage } from "../image/local-image.ts";
import type { AttachRequest, ContainerProcess } from "../pod/container-process.ts";
import type { Volume } from "../pod/containers/container-launch.ts";
import {
  type ComponentFiles,
  type HostCounters,
  PodFault,
  type PodCounters,
  type PodExit,
  type PodLaunch,
  type PodRuntime,
  type RunningPod,
} from "../pod/pod-runtime.ts";
import type { ServiceDirectory } from "../egress/egress-protocol.ts";
import { EgressProcess } from "../egress/egress-process.ts";
import { CommandPods, containerIdOf } from "./command-pods.ts";
import { ComponentVolumes, type OpenVolumes } from "./component-volumes.ts";
import type { HostMessage, HostPod } from "./control-protocol.ts";
import {
  exitWith,
  grantOf,
  type Host,
  hostPodOf,
  newHost,
  planOf,
  type PodPlan,
  type PodStart,
  tellOfEnd,
} from "./known-host.ts";
import { hostLimits } from "./host-jail.ts";
import { hostCounters, podCounters } from "./host-counters.ts";
import { clearPlace, HostProcess } from "./host-process.ts";
import { IdleHosts } from "./idle-hosts.ts";
import { readMapsMax } from "./process-budget.ts";
import { PrepareQueue } from "./prepare-queue.ts";
import { BlankHost } from "./blank-host.ts";
import { componentsDirectory, HostPlace, type HostPlaceSettings } from "./host-place.ts";
import {
  hostDirectories,
  hostName,
  linkPodSocket,
  podSocket,
  removeStalePodSockets,
  removeStray,
} from "./run-files.ts";
import { StandbyPods } from "./standby-pods.ts";
import type { WasmRuntimeSettings } from "./wasm-runtime-settings.ts";
import { within } from "./within.ts";

// How long a volume may be larger than it is to be.
const volumesLookMs = 2000;

/**
 * Runs Wasm pods: one host process for each namespace that has any, and a blank one ready for the next. A pod that has
 * volumes has a process to itself, which sees them and may write files.
 */
export class WasmRuntime implements PodRuntime {
  readonly variant = "wasm";
  readonly #settings: WasmRuntimeSettings;
  readonly #hosts = new Set<Host>();
  readonly #hostByNamespace = new Map<string, Promise<Host>>();
  readonly #hostByPod = new Map<string, Host>();
  readonly #preparing: PrepareQueue;
  readonly #egress: EgressProcess;
  readonly #compileCache: string;
  readonly #commands: CommandPods;
  readonly #volumes: ComponentVolumes;
  readonly #volumesTimer: Timer;
  readonly #idle: IdleHosts<Host>;
  readonly #standbys: StandbyPods;
  readonly #blank: BlankHost;
  #closed = false;

  constructor(settings: WasmRuntimeSettings) {
    this.#settings = settings;
    const { runDirectory, cacheDirectory, cells, clock, log } = settings;
    this.#idle = new IdleHosts(clock, (host) => void this.#endIdle(host));
    this.#compileCache = settings.compileCache ?? join(cacheDirectory, "compiled");
    this.#egress = new EgressProcess({ runDirectory, cells, compileCache: this.#compileCache, clock, log });
    this.#preparing = new PrepareQueue({
      limits: settings.prepareLimits ?? prepareLimits,
      clock: settings.clock,
      cells: settings.cells,
      store: settings.prepared,
      directory: cacheDirectory,
      compileCache: this.#compileCache,
    });
    this.#blank = new BlankHost({
      ...{ spawn: () => this.#spawn(), compileCache: this.#compileCache, clock, log },
      filled: () => this.#preparing.keepReady(),
    });
    this.#standbys = new StandbyPods({
      ...{ egress: this.#egress, egressAllowed: settings.egressAllowed },
      podSocket: (uid) => this.#podSocket(uid),
      lost: (uid) => settings.observer.standbyLost?.(uid),
    });
    this.#volumes = new ComponentVolumes(join(cacheDirectory, "volumes"), settings.kernel);
    this.#volumesTimer = clock.every(volumesLookMs, () => void this.#evictOutgrown());
    this.#commands = new CommandPods({
      ...settings,
      volumes: this.#volumes,
      directory: join(cacheDirectory, "commands"),
      place: this.#placeSettings,
      egress: this.#egress,
    });
  }

  /** Makes the directories and the first blank process. */
  async open(): Promise<void> {
    const { runDirectory, cacheDirectory } = this.#settings;
    const directories = [runDirectory, cacheDirectory, this.#compileCache];
    for (const path of directories) await mkdir(path, { recursive: true, mode: 0o700 });
    await this.#egress.open();
    await this.#blank.open();
  }

  async prepare(image: LocalImage, signal: AbortSignal, purpose?: WantedPurpose): Promise<void> {
    if (image.variant !== "wasm") throw new PodFault("UNSUPPORTED", "the Wasm runtime was given a native image");
    // A node without Wasm pods needs no way out for them. It is there before the first of them is: to prepare an image takes longer.
    this.#egress.start();
    await this.#preparing.prepare(image, signal, purpose);
  }

  unlistedImports = (image: LocalImage): readonly string[] => this.#preparing.unlistedImports(image);

  async start(launch: PodLaunch, signal: AbortSignal): Promise<RunningPod> {
    const { image, purpose } = launch;
    if (image.variant !== "wasm") throw new PodFault("UNSUPPORTED", "the Wasm runtime was given a native image");
    const pod = planOf(launch, image, this.#settings.egressAllowed);
    if (this.#hostByPod.get(pod.uid)?.pods.has(pod.uid) === true) return this.#running(pod);
    this.#egress.start();
    const prepared = await this.#preparing.prepare(image, signal, purpose);
    if (prepared.plan.purpose === "run") {
      await this.#commands.start(launch, prepared);
      return this.#running(pod);
    }
    const { files } = launch;
    const host = files === undefined ? await this.#hostFor(pod.namespace) : await this.#spawn({ ...pod, files });
    await this.#startIn(host, { pod, pathOf: prepared.pathOf }, signal);
    return this.#running(pod);
  }

  canStandBy(namespace: string): boolean {
    return this.#hostByNamespace.has(namespace);
  }

  /** In a process that its namespace has already, whose threads rest with what they have served. @throws PodFault */
  async standBy(launch: PodLaunch, signal: AbortSignal): Promise<RunningPod | undefined> {
    const { image, namespace, files } = launch;
    const host = await this.#hostByNamespace.get(namespace);
    if (image.variant !== "wasm" || files !== undefined || host === undefined) return undefined;
    const { plan, pathOf } = await this.#preparing.prepare(image, signal);
    if (plan.purpose === "run" || !this.#hosts.has(host) || this.#closed) return undefined;
    const pod = planOf(launch, image, this.#settings.egressAllowed);
    await this.#standbys.add(host, { pod, pathOf });
    return this.#running(pod);
  }

  withdraw(uid: string): Promise<void> {
    return this.#standbys.remove(uid);
  }

  /** @throws PodFault NOT_RUNNING, UNSUPPORTED */
  async attach(uid: string, _container: string, request: AttachRequest): Promise<ContainerProcess> {
    if (this.#commands.has(uid)) return this.#commands.attach(uid, request);
    throw new PodFault("UNSUPPORTED", "the pod runs a component that serves: its output is in its log");
  }

  async stop(uid: string, graceMs: number, next?: "starts again"): Promise<void> {
    await this.#commands.stop(uid);
    await this.#stopServing(uid, graceMs);
    if (next === undefined) await this.#volumes.remove(uid);
  }

  async refresh(uid: string, volumes: readonly Volume[]): Promise<void> {
    await this.#volumes.refresh(uid, volumes);
  }

  async #stopServing(uid: string, graceMs: number): Promise<void> {
    const host = this.#hostByPod.get(uid);
    this.#hostByPod.delete(uid);
    if (host === undefined) return;
    // A process that died meanwhile has stopped the pod too.
    await host.process.stop(uid, graceMs).catch(() => undefined);
    this.#forgetPod(host, uid);
    await rm(this.#podSocket(uid), { force: true });
    if (host.ownPod !== undefined) return this.#end(host);
    this.#limit(host);
    this.#armIdle(host);
  }

  async abandoned(uid: string, requestIds: readonly string[]): Promise<void> {
    // A process that died meanwhile has ended the requests too.
    await this.#hostByPod
      .get(uid)
      ?.process.abandoned(uid, requestIds)
      .catch(() => undefined);
  }

  async counters(): Promise<readonly PodCounters[]> {
    return [...(await podCounters(this.#hosts)), ...(await this.#commands.counters())];
  }

  processes(): Promise<readonly HostCounters[]> {
    return hostCounters(this.#hosts);
  }

  async adopt(): Promise<readonly RunningPod[]> {
    const { runDirectory, cacheDirectory, log } = this.#settings;
    const running: RunningPod[] = [];
    for (const directory of await hostDirectories(runDirectory)) {
      if ([...this.#hosts].some((host) => host.place.directory === directory)) continue;
      const place = await HostPlace.found(this.#placeSettings, directory);
      try {
        running.push(...(await this.#adoptHost(place)));
      } catch (error) {
        log.info("a host process of an earlier agent is gone", { directory, error: describeError(error) });
        await clearPlace(place, this.#settings.clock);
      }
    }
    const live = new Set([...this.#hosts].map(({ place }) => hostName(place.directory)));
    for (const parent of [runDirectory, componentsDirectory(cacheDirectory), this.#egress.directory]) {
      await removeStray(parent, live);
    }
    await removeStalePodSockets(runDirectory, new Set(this.#hostByPod.keys()));
    running.push(...(await this.#commands.adopt((uid) => this.#endpointOf(uid))));
    await this.#volumes.sweep(
      new Set([...running.map(({ uid }) => uid), ...this.#hostByPod.keys(), ...this.#commands.uids]),
    );
    return running;
  }

  /**
   * Lets go of the host processes: they serve on, and wait two minutes for the next agent. The blank one ends. With
   * `keepPods: false` all of them end at once.
   */
  async close(options: { readonly keepPods: boolean } = { keepPods: true }): Promise<void> {
    this.#closed = true;
    this.#volumesTimer.cancel();
    this.#preparing.close();
    await this.#commands.close();
    const blank = await this.#blank.close();
    if (blank !== undefined) await this.#end(blank);
    this.#idle.close();
    for (const host of this.#hosts) {
      if (host.pods.size === 0) await this.#end(host);
      else if (options.keepPods) host.process.forget();
      else await this.#destroy(host);
    }
    await this.#egress.close({ keep: options.keepPods && this.#hostByPod.size > 0 });
  }

  async #adoptHost(place: HostPlace): Promise<readonly RunningPod[]> {
    let host: Host | undefined;
    const early: HostMessage[] = [];
    const {
      host: process,
      status,
      ownPod,
    } = await HostProcess.adopt(place, this.#settings.clock, {
      message: (message) => (host === undefined ? early.push(message) : this.#receive(host, message)),
      exited: (lastWords: string) => host !== undefined && void this.#exited(host, lastWords),
    });
    const { namespace } = status;
    host = { ...newHost({ process, place, namespace, ownPod }), directories: status.pods[0]?.directories ?? [] };
    this.#hosts.add(host);
    const isNeeded =
      ownPod === undefined ? namespace !== undefined && !this.#hostByNamespace.has(namespace) : status.pods.length > 0;
    if (!isNeeded) {
      // Blank, without its one pod, or a second one of a namespace after a race between two agents.
      for (const pod of status.pods) await process.stop(pod.uid, 0);
      await this.#end(host);
      return [];
    }
    if (ownPod === undefined && namespace !== undefined) this.#hostByNamespace.set(namespace, Promise.resolve(host));
    this.#egress.start();
    for (const pod of status.pods) {
      host.pods.set(pod.uid, pod);
      this.#hostByPod.set(pod.uid, host);
      void this.#egress.allow(place.egressSocket(pod.uid), grantOf(pod, this.#settings.egressAllowed));
    }
    for (const message of early) this.#receive(host, message);
    this.#armIdle(host);
    return status.pods.map((pod) => this.#running(pod));
  }

  async #startIn(host: Host, start: PodStart, signal: AbortSignal): Promise<void> {
    const pod = hostPodOf(host, start);
    const timeoutMs = pod.limits.startTimeoutMs;
    this.#have(host, pod);
    const started = host.process.start(pod);
    this.#limit(host);
    // Not waited for: a guest that is sooner waits for it.
    void this.#egress.allow(pod.egressSocket, grantOf(pod, this.#settings.egressAllowed));
    const late = (waitedMs: number): PodFault =>
      new PodFault("START_TIMEOUT", `pod ${pod.name} was not ready within ${Math.round(waitedMs)} ms`);
    const usedMs = (): number | undefined => processCpuMs(host.process.pid);
    try {
      linkPodSocket(this.#podSocket(pod.uid), pod.socketPath);
      await within(started, { clock: this.#settings.clock, timeoutMs, usedMs, signal, late });
    } catch (error) {
      started.catch(() => undefined);
      await this.#stopServing(pod.uid, 0);
      throw error;
    }
  }

  #have(host: Host, pod: HostPod): void {
    this.#idle.used(host);
    host.pods.set(pod.uid, pod);
    this.#hostByPod.set(pod.uid, host);
  }

  #woken(host: Host, uid: string): void {
    const pod = this.#standbys.woken(host, uid);
    if (pod === undefined) return;
    this.#have(host, pod);
    this.#limit(host);
    this.#settings.observer.woken?.(this.#running(pod));
  }

  #hostFor(namespace: string): Promise<Host> {
    const existing = this.#hostByNamespace.get(namespace);
    if (existing !== undefined) return existing;
    const host = this.#blank.take().then((one) => {
      one.namespace = namespace;
      // Not waited for: an agent that dies before it is written down leaves a process that the next one ends.
      one.place.remember({ pid: one.process.pid, namespace }).catch((error: unknown) => {
        this.#settings.log.warn("a host process could not be recorded", { error: describeError(error) });
      });
      return one;
    });
    this.#hostByNamespace.set(namespace, host);
    host.catch(() => this.#hostByNamespace.delete(namespace));
    return host;
  }

  /** A blank process; or that of one pod, with its volumes. @throws PodFault */
  async #spawn(own?: PodPlan & { readonly files: ComponentFiles }): Promise<Host> {
    const { cells, clock, random } = this.#settings;
    let host: Host | undefined;
    const place = await HostPlace.make(this.#placeSettings, random.suffix(6));
    const mapsMax = this.#settings.mapsMax ?? (await readMapsMax());
    const handlers = {
      message: (message: HostMessage) => host !== undefined && this.#receive(host, message),
      exited: (lastWords: string) => host !== undefined && void this.#exited(host, lastWords),
    };
    let process: HostProcess;
    let volumes: OpenVolumes | undefined;
    try {
      volumes = own && (await this.#volumes.open(own.uid, own.files, place.uid));
      const options = { place, cells, compileCache: this.#compileCache, mapsMax, clock };
      process = await HostProcess.spawn({ ...options, volumes: volumes?.mounts ?? [] }, handlers);
    } catch (error) {
      await place.remove();
      throw error;
    }
    host = {
      ...newHost({ process, place, namespace: own?.namespace, ownPod: own?.uid }),
      directories: volumes?.directories ?? [],
    };
    if (own !== undefined) await place.remember({ pid: process.pid, namespace: own.namespace, ownPod: own.uid });
    this.#hosts.add(host);
    this.#limit(host);
    return host;
  }

  #receive(host: Host, message: HostMessage): void {
    const { observer } = this.#settings;
    if (message.type === "reply" || message.type === "refused") return;
    if (message.type === "woken") return this.#woken(host, message.uid);
    // A process that was taken over may speak of another tenant's pods.
    if (!host.pods.has(message.uid)) return;
    switch (message.type) {
      case "logged":
        for (const line of message.lines) observer.logged(message.uid, line);
        break;
      case "noticed":
        observer.noticed(message.uid, { type: message.severity, reason: message.reason, message: message.message });
        break;
      case "exited":
        this.#forgetPod(host, message.uid);
        this.#hostByPod.delete(message.uid);
        observer.exited(message.uid, message.exit);
        break;
      case "wedged":
        host.wedged = message.message;
        tellOfEnd(host, message, observer);
        break;
    }
  }

  async #exited(host: Host, lastWords: string): Promise<void> {
    this.#hosts.delete(host);
    this.#idle.used(host);
    // The connection is gone; whatever happened to it, nothing may run on that no agent knows of.
    host.process.kill();
    await host.process.gone(this.#settings.clock);
    if (host.namespace === undefined) this.#blank.lost();
    else if ((await this.#hostByNamespace.get(host.namespace)) === host) this.#hostByNamespace.delete(host.namespace);
    const outOfMemory = await this.#settings.hostJail.wasOutOfMemory(host.process.pid).catch(() => false);
    await this.#leave(host);
    const { namespace, wedged } = host;
    this.#settings.log.warn("a host process has ended", {
      namespace,
      pods: host.pods.size,
      outOfMemory,
      wedged,
      lastWords,
    });
    const pods = [...host.pods.values()].filter((pod) => this.#hostByPod.get(pod.uid) === host);
    for (const pod of pods) this.#hostByPod.delete(pod.uid);
    const exit = exitWith(outOfMemory);
    const isRestarted = wedged !== undefined && host.ownPod === undefined;
    await Promise.all(pods.map((pod) => (isRestarted ? this.#restart(pod, exit) : this.#report(pod, exit))));
  }

  async #restart(pod: HostPod, exit: PodExit): Promise<void> {
    try {
      const prepared = await this.#preparing.find(pod.componentDigest);
      if (prepared === undefined) return await this.#report(pod, exit);
      const host = await this.#hostFor(pod.namespace);
      await this.#startIn(host, { pod, pathOf: prepared.pathOf }, new AbortController().signal);
    } catch {
      await this.#report(pod, exit);
    }
  }

  async #report(pod: HostPod, exit: PodExit): Promise<void> {
    await rm(this.#podSocket(pod.uid), { force: true });
    this.#settings.observer.exited(pod.uid, exit);
  }

  #armIdle(host: Host): void {
    if (host.pods.size === 0 && !this.#closed) this.#idle.idle(host);
  }

  async #endIdle(host: Host): Promise<void> {
    await this.#standbys.leave(host);
    // One may have come up at the last moment.
    if (host.pods.size === 0) await this.#end(host);
  }

  async #end(host: Host): Promise<void> {
    this.#hosts.delete(host);
    if (host.namespace !== undefined && host.ownPod === undefined) this.#hostByNamespace.delete(host.namespace);
    await host.process.exit(this.#settings.clock);
    await this.#leave(host);
  }

  async #destroy(host: Host): Promise<void> {
    host.process.forget();
    host.process.kill();
    await host.process.gone(this.#settings.clock);
    for (const uid of host.pods.keys()) await rm(this.#podSocket(uid), { force: true });
    await this.#leave(host);
  }

  async #evictOutgrown(): Promise<void> {
    const { observer } = this.#settings;
    for (const { uid, message } of await this.#volumes.outgrown()) {
      if (!this.#hostByPod.has(uid) && !this.#commands.has(uid)) continue;
      observer.noticed(uid, { type: "Warning", reason: "Evicted", message });
      await this.stop(uid, 0, "starts again");
      observer.exited(uid, { exitCode: 137, reason: "Evicted", message });
    }
  }

  #forgetPod(host: Host, uid: string): void {
    host.pods.delete(uid);
    void this.#egress.forbid(host.place.egressSocket(uid));
  }

  /** Its process is gone: so is all that it had. */
  async #leave(host: Host): Promise<void> {
    for (const uid of host.pods.keys()) await this.#egress.forbid(host.place.egressSocket(uid));
    await this.#standbys.leave(host);
    await host.place.remove();
    await this.#settings.hostJail.release(host.process.pid).catch(() => undefined);
  }

  /** Not waited for: a start must not wait for cgroup files, and the process is placed from its first moment on. */
  #limit(host: Host): void {
    const limits = hostLimits([...host.pods.values()].map((pod) => pod.limits));
    this.#settings.hostJail.place(host.process.pid, limits).catch((error: unknown) => {
      this.#settings.log.warn("the limits of a host process could not be set", { error: describeError(error) });
    });
  }

  /** What of the cluster's Services guests find. */
  async leadServices(directory: ServiceDirectory): Promise<void> {
    await this.#egress.lead(directory);
  }

  #running({ uid, namespace, name }: PodPlan): RunningPod {
    return { uid, namespace, name, endpoint: this.#endpointOf(uid), containerId: containerIdOf(uid) };
  }

  /** Where it is asked; nobody listens there for a command. */
  #endpointOf(uid: string): RunningPod["endpoint"] {
    return { protocol: "wire", socket: this.#podSocket(uid) };
  }

  get #placeSettings(): HostPlaceSettings {
    return { ...this.#settings, compileCache: this.#compileCache, egress: this.#egress };
  }

  #podSocket(uid: string): string {
    return podSocket(this.#settings.runDirectory, uid);
  }
}
