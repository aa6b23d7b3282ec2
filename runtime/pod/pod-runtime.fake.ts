import type { PodFault, PodLaunch, PodObserver, PodRuntime, RunningPod } from "./pod-runtime.ts";
import type { LocalImage } from "../image/local-image.ts";

/** What outlives the agent: give the same machine to a second FakeRuntime to play a restart. */
export class FakeMachine {
  readonly running = new Map<string, RunningPod>();
}

/** A runtime whose pods are entries of a map. Held to pod-runtime.contract.ts. */
export class FakeRuntime implements PodRuntime {
  readonly variant: LocalImage["variant"];
  /** Calls in their order: `prepare sha256:…`, `start name`, `stop uid grace`. */
  readonly calls: string[] = [];
  readonly launches: PodLaunch[] = [];
  readonly #machine: FakeMachine;
  readonly #observer: PodObserver;
  readonly #endpointOf: (launch: PodLaunch) => RunningPod["endpoint"];
  /** Thrown by the next starts, one each. */
  failStarts: PodFault[] = [];
  /** Thrown by the next prepares, one each. */
  failPrepares: PodFault[] = [];
  /** Starts and stops wait for this. */
  gate: Promise<void> = Promise.resolve();

  constructor(
    variant: LocalImage["variant"],
    observer: PodObserver,
    options: {
      readonly machine?: FakeMachine;
      readonly endpointOf?: (launch: PodLaunch) => RunningPod["endpoint"];
    } = {},
  ) {
    this.variant = variant;
    this.#observer = observer;
    this.#machine = options.machine ?? new FakeMachine();
    this.#endpointOf = options.endpointOf ?? (({ uid }) => ({ protocol: "wire", socket: `/fake/${uid}.sock` }));
  }

  get running(): readonly RunningPod[] {
    return [...this.#machine.running.values()];
  }

  async prepare(image: LocalImage, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.calls.push(`prepare ${image.digest}`);
    const fault = this.failPrepares.shift();
    if (fault !== undefined) throw fault;
  }

  async start(launch: PodLaunch, signal: AbortSignal): Promise<RunningPod> {
    const known = this.#machine.running.get(launch.uid);
    if (known !== undefined) return known;
    this.calls.push(`start ${launch.name}`);
    this.launches.push(launch);
    await this.gate;
    signal.throwIfAborted();
    const fault = this.failStarts.shift();
    if (fault !== undefined) throw fault;
    const pod = this.#podOf(launch);
    this.#machine.running.set(launch.uid, pod);
    return pod;
  }

  async stop(uid: string, graceMs: number): Promise<void> {
    this.calls.push(`stop ${uid} ${String(graceMs)}`);
    await this.gate;
    this.#machine.running.delete(uid);
  }

  /** Namespaces whose pods may stand by. */
  readonly standbyNamespaces = new Set<string>();
  readonly standbys = new Map<string, RunningPod>();
  /** What it is given does not stand by. */
  standsBy = true;

  canStandBy(namespace: string): boolean {
    return this.standbyNamespaces.has(namespace);
  }

  async standBy(launch: PodLaunch): Promise<RunningPod | undefined> {
    this.calls.push(`stand by ${launch.name}`);
    this.launches.push(launch);
    await this.gate;
    if (!this.standsBy || !this.canStandBy(launch.namespace)) return undefined;
    const pod = this.#podOf(launch);
    this.standbys.set(launch.uid, pod);
    return pod;
  }

  async withdraw(uid: string): Promise<void> {
    await this.gate;
    if (this.standbys.delete(uid)) this.#observer.standbyLost?.(uid);
  }

  /** Somebody connects to one that stands by. */
  wake(uid: string): void {
    const pod = this.standbys.get(uid);
    if (pod === undefined) throw new Error("nobody takes the connection");
    this.standbys.delete(uid);
    this.#machine.running.set(uid, pod);
    this.#observer.woken?.(pod);
  }

  #podOf(launch: PodLaunch): RunningPod {
    const { uid, namespace, name } = launch;
    return { uid, namespace, name, endpoint: this.#endpointOf(launch), containerId: `${this.variant}://${uid}` };
  }

  async adopt(): Promise<readonly RunningPod[]> {
    return this.running;
  }

  /** The pod dies by itself. */
  die(uid: string, exit = { exitCode: 1, reason: "Error", message: "the guest trapped" }): void {
    if (this.#machine.running.delete(uid)) this.#observer.exited(uid, exit);
  }

  say(uid: string, text: string, wallMs = 0): void {
    this.#observer.logged(uid, { wallMs, stream: "stdout", text, partial: false });
  }
}
