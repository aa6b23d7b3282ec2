import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { label, type Pod, pods, type Revision, revisions } from "@shallop/sdk/api";
import { assert, silentLog } from "@shallop/sdk/internal";
import { FakeClock, seededRandom } from "@shallop/sdk/internal/testing";
import { LogStore } from "../pod/log-store.ts";
import { logBounds } from "../pod/pod-log.ts";
import { FakeMachine, FakeRuntime } from "../pod/pod-runtime.fake.ts";
import type { PodLaunch, RunningPod } from "../pod/pod-runtime.ts";
import { FakeApi } from "./api.fake.ts";
import type { ImageSource, PreparedImage, WantedVariant } from "./image-source.ts";
import type { VariantWish } from "@shallop/sdk/api";
import { NodeAgent, type ObjectCache } from "./node-agent.ts";
import type { EventSink } from "./notes.ts";
import type { NodeRoom } from "./node-pods.ts";
import { PodRecords } from "./pod-record.ts";

/** Images that are there at once, unless told otherwise. */
class FakeImages implements ImageSource {
  readonly asked: string[] = [];
  retained: ReadonlySet<string> = new Set();
  /** Thrown by the next calls, one each. */
  failNext: Error[] = [];

  /** Says no, when a test wants it to. */
  refusal: Error | undefined;

  async admit(): Promise<void> {
    await Promise.resolve();
    if (this.refusal !== undefined) throw this.refusal;
  }

  async prepare(reference: string, wish: VariantWish): Promise<PreparedImage> {
    this.asked.push(`${reference} ${wish}`);
    const fault = this.failNext.shift();
    if (fault !== undefined) throw fault;
    return {
      image: { variant: "wasm", digest: "sha256:1", componentDigest: "sha256:2", componentPath: "/c", sizeBytes: 1 },
      imageId: `${reference.split("@")[0] ?? ""}@sha256:1`,
      reason: "Wasm comes first.",
    };
  }

  /** What there is beside the component; undefined: nothing. */
  other: PreparedImage | undefined;

  async hasOther(): Promise<boolean> {
    return this.other !== undefined;
  }

  async fallBack(from: WantedVariant, why: string): Promise<PreparedImage> {
    return { ...(this.other ?? from.image), reason: `Native, because the component ${why}.` };
  }

  async retain(references: () => ReadonlySet<string>): Promise<void> {
    this.retained = references();
  }
}

/** One machine with a data directory and a control plane, on which agents come and go. */
export class FakeWorld implements AsyncDisposable {
  readonly api = new FakeApi();
  readonly clock = new FakeClock();
  readonly images = new FakeImages();
  readonly machine = new FakeMachine();
  readonly #nativeMachine = new FakeMachine();
  /** Pods of native variants, of the agent that runs now. */
  native!: FakeRuntime;
  /** `Warning PrepareFailed Revision hello-00001: …` */
  readonly events: string[] = [];
  readonly directory: string;
  /** How a runtime's pods are reached; a real server in tests of tunnels. */
  endpointOf: (launch: PodLaunch) => RunningPod["endpoint"] = ({ uid }) => ({
    protocol: "wire",
    socket: `/fake/${uid}`,
  });
  recordDelayMs = 0;
  room: NodeRoom = { podsMax: 10, memoryBytes: 10 * 1024 ** 3 };
  #agents = 0;
  #opened: NodeAgent[] = [];
  #current: { agent: NodeAgent; runtime: FakeRuntime; logs: LogStore; caches: { synced: boolean }[] } | undefined;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(): Promise<FakeWorld> {
    return new FakeWorld(await mkdtemp(path.join(tmpdir(), "shallop-agent-")));
  }

  get agent(): NodeAgent {
    return this.#now.agent;
  }

  get runtime(): FakeRuntime {
    return this.#now.runtime;
  }

  get logs(): LogStore {
    return this.#now.logs;
  }

  /** Starts an agent on the data directory; the one before, if any, is as if killed. */
  async start(options: { readonly synced?: boolean } = {}): Promise<NodeAgent> {
    const { clock, api } = this;
    const log = silentLog;
    const logs = new LogStore(path.join(this.directory, "logs"), { bounds: logBounds, clock, log });
    await logs.load();
    const podCache = this.#onNode(api.cache(pods, options));
    const revisionCache = api.cache(revisions, options);
    const events: EventSink = {
      emit: (about, note) =>
        this.events.push(`${note.type} ${note.reason} ${about.kind} ${about.name}: ${note.message}`),
    };
    const agent = new NodeAgent({
      node: "n1",
      recordDelayMs: this.recordDelayMs,
      hostIp: "127.0.0.1",
      clock,
      random: seededRandom(++this.#agents),
      log,
      client: api,
      pods: podCache,
      revisions: revisionCache,
      events,
      images: this.images,
      logs,
      records: new PodRecords(path.join(this.directory, "pods"), log),
      homesDirectory: path.join(this.directory, "revisions"),
      standbyDirectory: path.join(this.directory, "standby"),
      room: this.room,
    });
    const runtime = new FakeRuntime("wasm", agent.pods, {
      machine: this.machine,
      endpointOf: (launch) => this.endpointOf(launch),
    });
    agent.pods.addRuntime(runtime);
    this.native = new FakeRuntime("native", agent.pods, { machine: this.#nativeMachine });
    agent.pods.addRuntime(this.native);
    api.onChange(() => agent.wake());
    // Informers may have something to say before the agent knows what runs.
    agent.wake();
    this.#current = { agent, runtime, logs, caches: [podCache, revisionCache] };
    this.#opened.push(agent);
    await agent.start();
    return agent;
  }

  /** The first lists have come. */
  sync(): void {
    for (const cache of this.#now.caches) cache.synced = true;
    this.agent.wake();
  }

  /** As `kill -9`: nothing is stopped, nothing is said any more. */
  async kill(): Promise<void> {
    await this.agent.stop({ keepPods: true, graceMsMax: 0 });
  }

  /** A revision at zero whose home is this node. */
  revision(name = "hello-00001", change: Partial<Revision> = {}): Revision {
    return this.api.put(revisions, {
      apiVersion: "serving.knative.dev/v1",
      kind: "Revision",
      metadata: { name, namespace: "default", labels: { [label.service]: "hello", [label.configuration]: "hello" } },
      spec: {
        containers: [{ image: "hello:1", env: [{ name: "GREETING", value: "hi" }] }],
        timeoutSeconds: 7,
        containerConcurrency: 3,
      },
      status: {
        homeNodes: ["n1"],
        containerStatuses: [{ name: "user-container", imageDigest: "reg/hello@sha256:9" }],
      },
      ...change,
    });
  }

  /** A pod that the control plane has bound to this node. */
  bound(
    name: string,
    change: { readonly metadata?: Partial<Pod["metadata"]>; readonly spec?: Partial<Pod["spec"]> } = {},
  ): Pod {
    return this.api.put(pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name,
        namespace: "default",
        labels: { [label.revision]: "hello-00001", [label.service]: "hello" },
        ...change.metadata,
      },
      spec: {
        nodeName: "n1",
        containers: [{ name: "user-container", image: "reg/hello@sha256:9" }],
        ...change.spec,
      },
    });
  }

  pod(name: string): Pod | undefined {
    return this.api.find(pods, "default", name);
  }

  /** The pods of the API, as `name phase ready`. */
  podStates(): string[] {
    return this.api
      .cache(pods)
      .list()
      .map((pod) => `${pod.metadata.name} ${pod.status?.phase ?? "-"} ${readyOf(pod)}`)
      .sort();
  }

  /** Waits in real time, for what files and sockets do; the fake clock stands still. */
  async until(condition: () => boolean, what = condition.toString()): Promise<void> {
    const deadline = performance.now() + 5000;
    while (!condition()) {
      assert(performance.now() < deadline, `waited in vain for ${what}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#opened) await agent.stop({ keepPods: true, graceMsMax: 0 });
    await this.#current?.logs.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  get #now() {
    assert(this.#current !== undefined, "no agent has been started");
    return this.#current;
  }

  #onNode(cache: ObjectCache<Pod> & { synced: boolean }): ObjectCache<Pod> & { synced: boolean } {
    const list = cache.list.bind(cache);
    cache.list = () => list().filter(({ spec }) => spec.nodeName === "n1");
    return cache;
  }
}

const readyOf = (pod: Pod): string => pod.status?.conditions?.find(({ type }) => type === "Ready")?.status ?? "-";
