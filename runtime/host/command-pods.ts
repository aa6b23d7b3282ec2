import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, describeError, type Log, type Random } from "@shallop/sdk/internal";
import { clusterNetworks } from "../egress/cluster-services.ts";
import type { EgressProcess } from "../egress/egress-process.ts";
import type { PreparedComponent } from "../component/prepared-store.ts";
import type { AttachRequest, ContainerProcess } from "../pod/container-process.ts";
import {
  type PodCounters,
  type PodExit,
  PodFault,
  type PodLaunch,
  type PodObserver,
  type RunningPod,
} from "../pod/pod-runtime.ts";
import { type CellProcess, cellPid } from "../sandbox/kernel/cell.ts";
import { CommandPod } from "./command-pod.ts";
import type { ComponentVolumes } from "./component-volumes.ts";
import { processUse } from "./process-use.ts";
import { type HostJail, hostLimits } from "./host-jail.ts";
import { HostPlace, type HostPlaceSettings } from "./host-place.ts";

export interface CommandPodsSettings {
  /** Where it is written down which of them run. */
  readonly directory: string;
  readonly place: HostPlaceSettings;
  readonly egress: EgressProcess;
  readonly volumes: ComponentVolumes;
  readonly egressAllowed: readonly string[];
  readonly hostJail: HostJail;
  readonly observer: PodObserver;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

// unshare(1) makes its process within milliseconds, on a busy machine within a second.
const pidTries = 400;
const pidPauseMs = 5;

type Identity = Pick<PodLaunch, "uid" | "namespace" | "name">;

/** What is told of one that an agent before has left behind. */
const cutOff: PodExit = {
  exitCode: 137,
  reason: "Error",
  message: "the node agent was restarted; a component that is a command ends with it",
};

/**
 * Pods whose component is a command: a process each, which ends with the command. They end with the agent too, for their
 * output is its to read; the next one tells how they ended.
 */
export class CommandPods {
  readonly #settings: CommandPodsSettings;
  readonly #pods = new Map<string, CommandPod>();
  /** Resolves when nothing of the pod is left. */
  readonly #over = new Map<string, Promise<void>>();

  constructor(settings: CommandPodsSettings) {
    this.#settings = settings;
  }

  get uids(): Iterable<string> {
    return this.#over.keys();
  }

  has(uid: string): boolean {
    return this.#over.has(uid);
  }

  /** Resolves when it runs: a command is ready from its begin on. @throws PodFault */
  async start(launch: PodLaunch, prepared: PreparedComponent): Promise<void> {
    if (this.has(launch.uid)) return;
    const { place: places, random, egress, egressAllowed, observer, clock, volumes } = this.#settings;
    await this.#remember(launch);
    const place = await HostPlace.make(places, random.suffix(6));
    await egress.allow(place.egressSocket(launch.uid), { allowed: egressAllowed, pod: launch.uid });
    const { cells } = places;
    const opened = launch.files && (await volumes.open(launch.uid, launch.files, place.uid).catch(leave(place)));
    const pod = await CommandPod.start({
      ...{ launch, prepared, place, cells, observer, clock },
      // Addresses that stand for pods of its networks.
      egressAllowed: [...egressAllowed, ...clusterNetworks],
      volumes: opened ?? { mounts: [], directories: [] },
    });
    this.#pods.set(launch.uid, pod);
    const placed = this.#limit(pod);
    this.#over.set(launch.uid, this.#watch(pod, placed));
  }

  async stop(uid: string): Promise<void> {
    const pod = this.#pods.get(uid);
    this.#pods.delete(uid);
    pod?.kill();
    await this.#over.get(uid);
    await rm(this.#record(uid), { force: true });
  }

  /** @throws PodFault NOT_RUNNING */
  attach(uid: string, request: AttachRequest): ContainerProcess {
    const pod = this.#pods.get(uid);
    if (pod !== undefined) return pod.attach(request);
    throw new PodFault("NOT_RUNNING", "the command does not run");
  }

  /** What each has used so far, as the kernel counts it for its process. */
  async counters(): Promise<readonly PodCounters[]> {
    const used = await Promise.all(
      [...this.#pods.values()].map(async ({ launch, process }) => {
        const pid = await cellPid(process);
        const use = pid === undefined ? undefined : await processUse(pid);
        if (use === undefined) return [];
        const network = { receivedBytes: 0, sentBytes: 0 };
        return [{ uid: launch.uid, network, containers: [{ ...use, readBytes: 0, writtenBytes: 0 }] }];
      }),
    );
    return used.flat();
  }

  /** Those of an earlier agent: their processes are ended with the places that they are in. */
  async adopt(endpointOf: (uid: string) => RunningPod["endpoint"]): Promise<readonly RunningPod[]> {
    const { directory } = this.#settings;
    const found: RunningPod[] = [];
    for (const file of await readdir(directory).catch(() => [])) {
      const identity = await readIdentity(join(directory, file));
      await rm(join(directory, file), { force: true });
      if (identity === undefined || this.has(identity.uid)) continue;
      const containerId = containerIdOf(identity.uid);
      found.push({ ...identity, endpoint: endpointOf(identity.uid), containerId, ended: cutOff });
    }
    return found;
  }

  /** Ends them; what is written down of them stays for the next agent. */
  async close(): Promise<void> {
    for (const pod of this.#pods.values()) pod.kill();
    this.#pods.clear();
    await Promise.all(this.#over.values());
  }

  async #watch(pod: CommandPod, placed: Promise<number | undefined>): Promise<void> {
    const { hostJail, observer, egress, log } = this.#settings;
    const { uid } = pod.launch;
    const { exitCode, message } = await pod.ended();
    const pid = await placed;
    const outOfMemory = pid !== undefined && (await hostJail.wasOutOfMemory(pid).catch(() => false));
    // Deleted from the map: it was stopped, and nobody has to be told.
    const isStopped = this.#pods.get(uid) !== pod;
    try {
      await egress.forbid(pod.place.egressSocket(uid));
      await pod.place.remove();
      if (pid !== undefined) await hostJail.release(pid).catch(() => undefined);
    } catch (error) {
      log.warn("a command has ended, and not all of it could be removed", { uid, error: describeError(error) });
    }
    this.#over.delete(uid);
    if (isStopped) return;
    this.#pods.delete(uid);
    await rm(this.#record(uid), { force: true });
    const reason = outOfMemory ? "OOMKilled" : exitCode === 0 ? "Completed" : "Error";
    observer.exited(uid, { exitCode, reason, message });
  }

  /** Where the kernel holds it to its limits, and which process the next agent has to end. */
  async #limit({ process, launch, place }: CommandPod): Promise<number | undefined> {
    const { hostJail, log } = this.#settings;
    try {
      const pid = await this.#pidOf(process);
      if (pid === undefined) return undefined;
      await hostJail.place(pid, hostLimits([launch.limits]));
      await place.remember({ pid, namespace: launch.namespace });
      return pid;
    } catch (error) {
      log.warn("the limits of a command could not be set", { pod: launch.name, error: describeError(error) });
      return undefined;
    }
  }

  /** A cell's process is there some milliseconds after it was asked for. */
  async #pidOf(process: CellProcess): Promise<number | undefined> {
    const { clock } = this.#settings;
    for (let tries = 0; tries < pidTries && process.exitCode === null && process.signalCode === null; tries++) {
      const pid = await cellPid(process);
      if (pid !== undefined) return pid;
      await clock.sleep(pidPauseMs);
    }
    return undefined;
  }

  async #remember({ uid, namespace, name }: Identity): Promise<void> {
    await mkdir(this.#settings.directory, { recursive: true, mode: 0o700 });
    await writeFile(this.#record(uid), JSON.stringify({ uid, namespace, name }), { mode: 0o600 });
  }

  #record(uid: string): string {
    return join(this.#settings.directory, `${uid}.json`);
  }
}

export const containerIdOf = (uid: string): string => `wasm://${uid}`;

const leave =
  (place: HostPlace) =>
  async (error: unknown): Promise<never> => {
    await place.remove();
    throw error;
  };

/** Undefined when it is half of one. */
async function readIdentity(path: string): Promise<Identity | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Identity;
  } catch {
    return undefined;
  }
}
