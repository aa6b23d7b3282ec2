import {
  type ApiObject,
  apiVersionOf,
  type Condition,
  configurations,
  events,
  label,
  type NewObject,
  type Pod,
  pods,
  type Resource,
  revisions,
  routes,
  type Service,
  services,
} from "@shallop/sdk/api";
import type { ImageReference } from "@shallop/sdk/image";
import { describeError, type Log, silentLog } from "@shallop/sdk/internal";
import { FakeClock, seededRandom } from "@shallop/sdk/internal/testing";
import type { Evidence, ImageDemands } from "@shallop/sdk/trust";
import type { PodUsage } from "@shallop/sdk/wire";
import { createApi } from "../api/api.ts";
import { type ControlClient, inProcessClient } from "../api/client.ts";
import { controllersUser } from "../api/user.ts";
import { parseConfig } from "../autoscale/config.ts";
import { IdleBook } from "../autoscale/idle-book.ts";
import { FakeStore } from "../store/store.fake.ts";
import { FakeAgent } from "./agent.fake.ts";
import type { AskNodes } from "./autoscaler/usage-book.ts";
import type { Issuers } from "./certificate/issuer.ts";
import { Controllers } from "./controllers.ts";
import { type ImageResolver, ResolveFault } from "./revision/image-resolver.ts";
import type { ImageKnowledge } from "./revision/policed-image-resolver.ts";

export const digest = `sha256:${"a".repeat(64)}`;
const stepMs = 200;

/** Images that are there, by name without registry; others are unknown. */
class FakeImages implements ImageResolver {
  readonly present = new Set(["hello:1", "hello:2"]);
  async resolve(image: string): Promise<string> {
    await Promise.resolve();
    if (this.present.has(image)) return `127.0.0.1:5000/${image.split(":")[0] ?? ""}@${digest}`;
    throw new ResolveFault("IMAGE_UNKNOWN", `image "${image}" could not be resolved: push it`);
  }
}

/** What images are made of, by repository. Nothing is signed unless a test says so. */
class FakeKnowledge implements ImageKnowledge {
  /** By digest; an image asks for nothing unless a test says so. */
  readonly demandsOf = new Map<string, Partial<ImageDemands>>();
  readonly evidenceOf = new Map<string, readonly Evidence[]>();
  async evidence({ repository }: ImageReference): Promise<readonly Evidence[]> {
    await Promise.resolve();
    return this.evidenceOf.get(repository) ?? [];
  }
  async demands({ digest: of }: ImageReference): Promise<ImageDemands> {
    await Promise.resolve();
    return { kinds: ["wasm"], imports: [], unlisted: [], users: [], ...this.demandsOf.get(of ?? "") };
  }
}

/** A control plane in this process, with nodes that are agents only, on a clock that is told to move. */
export class World implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly images = new FakeImages();
  readonly knowledge = new FakeKnowledge();
  readonly agents: FakeAgent[] = [];
  readonly #store = new FakeStore();
  /** Errors that were logged; a test that expects none says so at its end. */
  readonly errors: string[] = [];
  /** Cores that all pods together use, each the same part. */
  cores = 0;
  client!: ControlClient;
  controllers!: Controllers;
  #settings: readonly string[] = [];
  #issuers: Issuers = {};

  static async start(
    nodeNames: readonly string[],
    settings: readonly string[] = [],
    issuers: Issuers = {},
  ): Promise<World> {
    const world = new World();
    world.#issuers = issuers;
    world.#settings = settings;
    await world.#startControlPlane();
    for (const name of nodeNames) world.addNode(name);
    await world.pass(1000);
    return world;
  }

  addNode(name: string): FakeAgent {
    const agent = new FakeAgent(name, this.client, this.clock);
    this.agents.push(agent);
    return agent;
  }

  agent(name: string): FakeAgent {
    return this.agents.find((agent) => agent.name === name)!;
  }

  async #startControlPlane(): Promise<void> {
    const { clock } = this;
    const random = seededRandom(7);
    const log: Log = {
      ...silentLog,
      error: (message, error) => void this.errors.push(`${message}: ${describeError(error)}`),
      with: () => log,
    };
    const api = await createApi({ store: this.#store, clock, random, log });
    this.client = inProcessClient(api, controllersUser);
    this.controllers = new Controllers({
      client: this.client,
      clock,
      random,
      log,
      images: this.images,
      imageKnowledge: this.knowledge,
      addresses: { domain: "localhost", gatewayPort: 8080, gatewayHost: "127.0.0.1" },
      apiServer: () => ({ host: "127.0.0.1", port: 6443 }),
      autoscaler: parseConfig(this.#settings),
      issuers: this.#issuers,
      idleTimes: new IdleBook(),
      askNodes: (nodes) => this.#usages(nodes.map(({ node }) => node)),
    });
    await this.controllers.start();
  }

  /** As after a crash: nothing is remembered but what is in the store. */
  async restart(): Promise<void> {
    await this.#stopControlPlane();
    await this.#startControlPlane();
  }

  /** Lets time pass, in small steps, each with the work that falls due in it. */
  async pass(durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += stepMs) {
      // Several turns: a write is seen by a watch, which starts a controller, which writes.
      for (let turn = 0; turn < 6; turn++) await this.clock.advance(0);
      for (const agent of this.agents) await agent.step();
      await this.clock.advance(stepMs);
    }
  }

  /** Lets time pass until `holds`, for a minute at most. */
  async until(what: string, holds: () => Promise<boolean> | boolean, atMostMs = 60_000): Promise<void> {
    for (let passedMs = 0; passedMs < atMostMs; passedMs += stepMs) {
      if (await holds()) return;
      await this.pass(stepMs);
    }
    const service = await this.service("hello").catch(() => undefined);
    throw new Error(
      `not within ${String(atMostMs)} ms: ${what}; ${JSON.stringify(service?.status)} ${this.errors.join("; ")}`,
    );
  }

  /** A gateway that says each second how many requests it has, while `work` goes on. */
  async withLoad(revision: string, concurrency: number, durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 1000) {
      const load = {
        namespace: "default",
        revision,
        averageConcurrency: concurrency,
        requestCount: concurrency,
        periodMs: 1000,
      };
      this.controllers.report({ gateway: "gateway-1", revisions: [{ ...load, waiting: 0 }] });
      await this.pass(1000);
    }
    const silence = {
      namespace: "default",
      revision,
      averageConcurrency: 0,
      requestCount: 0,
      periodMs: 1000,
      waiting: 0,
    };
    this.controllers.report({ gateway: "gateway-1", revisions: [silence] });
  }

  deploy(name: string, image: string, annotations: Record<string, string> = {}): Promise<Service> {
    const object: NewObject<Service> = {
      apiVersion: apiVersionOf(services),
      kind: "Service",
      metadata: { name, namespace: "default" },
      spec: { template: { metadata: { annotations }, spec: { containers: [{ image }] } } },
    };
    return this.client.create(services, object);
  }

  service(name: string): Promise<Service> {
    return this.client.get(services, "default", name);
  }

  async condition(name: string, type = "Ready"): Promise<Condition | undefined> {
    return (await this.service(name)).status?.conditions?.find((condition) => condition.type === type);
  }

  async ready(name: string): Promise<void> {
    await this.until(`${name} is ready`, async () => {
      const { metadata, status } = await this.service(name);
      const isNewest = status?.observedGeneration === metadata.generation;
      return isNewest && (await this.condition(name))?.status === "True";
    });
  }

  async podsOf(revision: string): Promise<readonly Pod[]> {
    const { items } = await this.client.list(pods, { labelSelector: `${label.revision}=${revision}` });
    return items;
  }

  async reasons(): Promise<readonly string[]> {
    await this.pass(1000);
    return (await this.client.list(events)).items.map(({ reason }) => reason);
  }

  /** What the pods of these nodes use. */
  async #usages(nodes: readonly string[]): ReturnType<AskNodes> {
    const { items } = await this.client.list(pods);
    const cpuNanoCores = (this.cores * 1e9) / Math.max(1, items.length);
    const counters = { cpuNanoCores, cpuNs: 0, memoryBytes: 0, processes: 1, readBytes: 0, writtenBytes: 0 };
    const usageOf = ({ metadata: { namespace = "", name } }: Pod): PodUsage => ({
      ...{ namespace, name, uid: name, network: { receivedBytes: 0, sentBytes: 0 } },
      containers: [{ name: "user-container", ...counters }],
    });
    return nodes.map((node) => {
      const own = items.filter(({ spec }) => spec.nodeName === node).map(usageOf);
      return {
        node,
        usage: { at: "", windowMs: 1_000, cpuNanoCores, cpuNs: 0, memoryBytes: 0, memoryBytesTotal: 0, pods: own },
      };
    });
  }

  async #stopControlPlane(): Promise<void> {
    const stopped = this.controllers[Symbol.asyncDispose]();
    await this.clock.advance(3000);
    await stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stopControlPlane();
    await this.#store[Symbol.asyncDispose]();
  }
}

/** Every kind that a Service makes. */
export const servingKinds: readonly Resource<ApiObject>[] = [services, configurations, routes, revisions, pods];
