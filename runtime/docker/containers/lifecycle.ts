import { mkdir } from "node:fs/promises";
import { type Pod, pods } from "@shallop/sdk/api";
import type { HttpsClient } from "@shallop/sdk/client";
import { type Clock, errorCode, type Log, rfc3339 } from "@shallop/sdk/internal";
import { DockerFault } from "../http/docker-fault.ts";
import { podNameOf, type RunEnd } from "./container-record.ts";
import { hasProgram, isActive, isLost } from "./container-state.ts";
import { type Containers, type DockerContainer } from "./containers.ts";
import { parseCreateBody } from "./create-body.ts";
import { removeKeptRoot } from "./kept-root.ts";
import { localProcess, signalNumber, signalProcess } from "./local-process.ts";
import type { LocalCgroups } from "./local-cgroups.ts";
import { setPaused } from "./pause.ts";
import { dockerNamespace, type Machine, podOf } from "./pod-spec.ts";
import type { PortProxies } from "./port-proxies.ts";

export interface LifecycleSettings {
  readonly containers: Containers;
  readonly client: HttpsClient;
  readonly machine: Machine;
  readonly ports: PortProxies;
  /** Of the node agent: `DATA/node`. */
  readonly nodeDirectory: string;
  readonly cgroups: LocalCgroups;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The node pulls, unpacks and starts; images of some GiB take their time. */
const startMsMax = 300_000;
/** From SIGKILL to the pod's status that says so. */
const killedMsMax = 30_000;
/** A name that a pod of before still has is free when the node has removed that. */
const removedMsMax = 60_000;

/** Starts and ends containers: their pods. */
export class Lifecycle {
  readonly #settings: LifecycleSettings;

  constructor(settings: LifecycleSettings) {
    this.#settings = settings;
  }

  /** Resolves when the program runs, or has run. @throws DockerFault NOT_MODIFIED, FAILED */
  start(container: DockerContainer): Promise<void> {
    return container.alone(() => this.#start(container));
  }

  stop(container: DockerContainer, options: { readonly seconds?: number; readonly signal?: string }): Promise<void> {
    return container.alone(async () => {
      if (!isActive(container.state)) throw new DockerFault("NOT_MODIFIED", "the container is not running");
      await this.#stop(container, options);
    });
  }

  restart(container: DockerContainer, options: { readonly seconds?: number; readonly signal?: string }): Promise<void> {
    return container.alone(async () => {
      if (isActive(container.state)) await this.#stop(container, options);
      await this.#start(container);
      this.#settings.containers.tell(container, "restart");
    });
  }

  /** Sends a signal. Not after what else is being done: it may be what ends that. */
  async kill(container: DockerContainer, text: string): Promise<void> {
    const signal = signalNumber(text === "" ? "SIGKILL" : text);
    const { pod, record, state } = container;
    if (pod === undefined || !isActive(state)) {
      throw new DockerFault("CONFLICT", `Container ${record.id} is not running`);
    }
    const { containers } = this.#settings;
    containers.tell(container, "kill", { signal: String(signal) });
    const process = await localProcess(this.#settings.nodeDirectory, pod);
    const isFinal = signal === signalNumber("KILL") || process === undefined;
    if (process !== undefined) signalProcess(process, signal);
    // What is frozen does not die of it.
    if (isFinal && state.name === "paused") await setPaused(this.#settings, container, false);
    // What is to be started again would be; a component has no process to be told anything.
    if (isFinal) await containers.update(container, { stopped: true });
    if (!isFinal) return;
    if (process === undefined || restartsBy(pod)) {
      await this.#deletePod(container, pod, { seconds: 0, exitCode: 128 + signal });
      return;
    }
    // Whoever looks when this has returned finds it ended.
    const run = runOf(container);
    const isOver = (one: DockerContainer): boolean => !isActive(one.state) || runOf(one) !== run;
    await container.until(isOver, within(this.#settings.clock, killedMsMax, this.#settings.signal));
  }

  /** Starts one that has ended by itself; not when somebody has done something with it meanwhile. */
  startAgain(container: DockerContainer): Promise<void> {
    return container.alone(async () => {
      const { record, state } = container;
      if (!container.isRemoved && !record.stopped && !isActive(state)) await this.#start(container);
    });
  }

  /** Ends the attempts to start a program again. */
  giveUp(container: DockerContainer): Promise<void> {
    return container.alone(async () => {
      const { pod, record } = container;
      if (pod === undefined || container.isRemoved) return;
      await this.#deletePod(container, pod, { seconds: 0, exitCode: record.ended?.exitCode ?? 1 });
    });
  }

  remove(container: DockerContainer, options: { readonly force: boolean }): Promise<void> {
    return container.alone(async () => {
      const { record, state, pod } = container;
      if (container.isRemoved) throw new DockerFault("NOT_FOUND", `No such container: ${record.id}`);
      if (isActive(state) && !options.force) {
        throw new DockerFault(
          "CONFLICT",
          `cannot remove container "/${record.name}": container is running: stop the container before removing or force remove`,
        );
      }
      if (pod !== undefined) await this.#deletePod(container, pod, { seconds: 0, exitCode: 137 });
      await removeKeptRoot(this.#settings.nodeDirectory, record);
      await this.#settings.containers.remove(container);
    });
  }

  async #start(container: DockerContainer): Promise<void> {
    const { containers } = this.#settings;
    if (container.state.name === "paused")
      throw new DockerFault("CONFLICT", "cannot start a paused container, try unpause instead");
    if (isActive(container.state)) throw new DockerFault("NOT_MODIFIED", "the container is running already");
    const { record } = container;
    await this.#makeMountPoints(container);
    if (container.pod !== undefined) await this.#deletePod(container, container.pod, { seconds: 0, exitCode: 137 });
    const name = podNameOf(record.name, record.id);
    const hostPorts = await this.#settings.ports.open(container);
    try {
      await containers.update(container, { pod: name, stopped: false, hostPorts });
      await this.#startPod(container, name);
    } catch (error) {
      this.#settings.ports.close(container);
      throw error;
    }
  }

  async #startPod(container: DockerContainer, name: string): Promise<void> {
    const { client, machine, clock, signal } = this.#settings;
    const made = await client
      .create(pods, podOf(container.record, machine, container.isRead), signal)
      .catch((error: unknown) => {
        if (errorCode(error) !== "AlreadyExists") throw error;
        throw new DockerFault(
          "CONFLICT",
          `there is a pod ${name} in the namespace ${dockerNamespace} already, which is not this container's`,
        );
      });
    const run = container.record.ended?.run;
    const isBegun = ({ state, pod }: DockerContainer): boolean =>
      pod?.metadata.uid === made.metadata.uid && (isActive(state) || isLost(state) || state.ended?.run !== run);
    await container.until(isBegun, within(clock, startMsMax, signal)).catch((error: unknown) => {
      if (signal.aborted) throw error;
      throw new DockerFault(
        "FAILED",
        `the container did not start within ${String(startMsMax / 1000)} s: ${container.state.waiting?.message ?? "the node did not say why"}`,
      );
    });
    await this.#expectStarted(container);
  }

  /** Clients tell from the words of a failed start with which code they end. */
  async #expectStarted(container: DockerContainer): Promise<void> {
    const { state, pod } = container;
    if (isLost(state)) {
      const { reason = "", message = "" } = state.waiting ?? {};
      if (pod !== undefined) await this.#deletePod(container, pod, { seconds: 0, exitCode: 128 });
      throw new DockerFault("FAILED", `failed to create task for container: ${reason}: ${message}`);
    }
    const { ended } = state;
    if (state.name !== "exited" || ended === undefined || ended.error === "") return;
    throw new DockerFault("BAD_REQUEST", `failed to create task for container: ${ended.error}`);
  }

  /** What `-v /path:…` names and is not there becomes a directory. */
  async #makeMountPoints({ record }: DockerContainer): Promise<void> {
    for (const { type, source, create } of parseCreateBody(record.body).mounts) {
      if (type !== "bind" || !create) continue;
      await mkdir(source, { recursive: true, mode: 0o755 }).catch((error: unknown) => {
        // A file, or a socket: it is there, which is all that is wanted.
        if (errorCode(error) !== "EEXIST") throw error;
      });
    }
  }

  async #stop(
    container: DockerContainer,
    options: { readonly seconds?: number; readonly signal?: string },
  ): Promise<void> {
    const { containers, nodeDirectory, clock, signal } = this.#settings;
    const { pod, record } = container;
    if (pod === undefined) return;
    const request = parseCreateBody(record.body);
    const image = parseCreateBody(record.imageConfig);
    const seconds = options.seconds ?? request.stopSeconds ?? 10;
    const named = options.signal ?? (request.stopSignal === "" ? image.stopSignal : request.stopSignal);
    const number = signalNumber(named === "" ? "SIGTERM" : named);
    await containers.update(container, { stopped: true });
    // What is frozen hears no signal.
    if (container.state.name === "paused") await setPaused(this.#settings, container, false);
    const process = await localProcess(nodeDirectory, pod);
    const run = runOf(container);
    const isOver = (one: DockerContainer): boolean => !isActive(one.state) || runOf(one) !== run;
    if (process === undefined || restartsBy(pod)) {
      if (process !== undefined) {
        signalProcess(process, number);
        await container
          .until((one) => one.state.name !== "running", within(clock, seconds * 1000, signal))
          .catch(() => undefined);
      }
      await this.#deletePod(container, pod, { seconds: 0, exitCode: process === undefined ? 0 : 137 });
    } else {
      signalProcess(process, number);
      await container.until(isOver, within(clock, seconds * 1000, signal)).catch(async () => {
        signal.throwIfAborted();
        const still = await localProcess(nodeDirectory, pod);
        if (still !== undefined) signalProcess(still, signalNumber("KILL"));
        await container.until(isOver, within(clock, killedMsMax, signal));
      });
    }
    containers.tell(container, "stop");
  }

  /** Deletes a pod and waits until the node has let go of it. How its program ended is kept, or said. */
  async #deletePod(
    container: DockerContainer,
    pod: Pod,
    how: { readonly seconds: number; readonly exitCode: number },
  ): Promise<void> {
    const { client, clock, signal, containers } = this.#settings;
    const { namespace = dockerNamespace, name, uid } = pod.metadata;
    const run = runOf(container);
    if (hasProgram(container.state)) {
      const ended: RunEnd = {
        ...{ run, exitCode: how.exitCode, oomKilled: false, error: "" },
        startedAt: container.state.startedAt ?? pod.metadata.creationTimestamp,
        finishedAt: rfc3339(clock.wallMs()),
      };
      await containers.update(container, { ended });
    }
    const process = how.seconds === 0 ? await localProcess(this.#settings.nodeDirectory, pod) : undefined;
    // The node would be patient with it.
    if (process !== undefined) signalProcess(process, signalNumber("KILL"));
    try {
      await client.delete(pods, { namespace, name, uid, gracePeriodSeconds: how.seconds }, signal);
    } catch (error) {
      if (errorCode(error) !== "NotFound" && errorCode(error) !== "Conflict") throw error;
    }
    await container.until((one) => one.pod?.metadata.uid !== uid, within(clock, removedMsMax, signal));
  }
}

/** The run that is there now: uid of the pod and how often its program was started again. */
const runOf = ({ pod, state }: DockerContainer): string => `${pod?.metadata.uid ?? ""}/${String(state.restartCount)}`;

const restartsBy = (pod: Pod): boolean => pod.spec.restartPolicy !== "Never";

/** Aborted after some time, or with the process. */
function within(clock: Clock, ms: number, signal: AbortSignal): AbortSignal {
  const over = new AbortController();
  clock.after(ms, () => over.abort(new Error(`not within ${String(ms / 1000)} s`)));
  return AbortSignal.any([over.signal, signal]);
}
