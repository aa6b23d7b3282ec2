import {
  annotation,
  ApiFault,
  apiVersionOf,
  type Condition,
  type NewObject,
  type Node,
  nodes,
  type Pod,
  pods,
  type PreparedNode,
  type Revision,
  revisions,
} from "@shallop/sdk/api";
import type { ApiClient } from "@shallop/sdk/client";
import { type Clock, rfc3339, rfc3339Micro } from "@shallop/sdk/internal";
import { newPod } from "./revision/new-pod.ts";

/** A node agent without a node: prepares, starts and stops in no time, and says so as the real one does. */
export class FakeAgent {
  readonly name: string;
  readonly #client: ApiClient;
  readonly #clock: Clock;
  #activations = 0;
  /** While false it does nothing at all: the node is gone, as far as anybody can see. */
  isUp = true;
  /** While set, revisions cannot be prepared, with this code. */
  refusal: string | undefined;
  /** While false, it is slow to prepare revisions. */
  prepares = true;
  /** While false, pods that it has do not become ready. */
  starts = true;
  allocatable = { cpu: "2", memory: "4Gi", pods: "110" };

  constructor(name: string, client: ApiClient, clock: Clock) {
    this.name = name;
    this.#client = client;
    this.#clock = clock;
  }

  /** One look at what there is to do. Races are lost gracefully: there is another look. */
  async step(): Promise<void> {
    if (!this.isUp) return;
    const attempts = [() => this.#beat(), () => this.#prepareAll(), () => this.#runAll()];
    for (const attempt of attempts) {
      try {
        await attempt();
      } catch (error) {
        if (!(error instanceof ApiFault) || !["Conflict", "NotFound"].includes(error.code)) throw error;
      }
    }
  }

  /** What a gateway's request at zero makes of it: a pod that runs, and is in the API a moment later. */
  async activate(namespace: string, revisionName: string): Promise<Pod> {
    const revision = await this.#client.get(revisions, namespace, revisionName);
    const made = newPod(revision, { node: this.name, suffix: `act${String(++this.#activations)}`, reason: "" });
    const { [annotation.placementReason]: _reason, ...annotations } = made.metadata.annotations ?? {};
    const mark = rfc3339Micro(this.#clock.wallMs());
    const metadata = { ...made.metadata, annotations: { ...annotations, [annotation.activatedAt]: mark } };
    const pod = await this.#client.create(pods, { ...made, metadata });
    return this.#client.updateStatus(pods, { ...pod, status: runningStatus() });
  }

  async #beat(): Promise<void> {
    const now = rfc3339(this.#clock.wallMs());
    const ready = { type: "Ready", status: "True" as const, lastHeartbeatTime: now, lastTransitionTime: now };
    const status = { allocatable: this.allocatable, capacity: this.allocatable, conditions: [ready] };
    const known = (await this.#client.list(nodes)).items.find(({ metadata }) => metadata.name === this.name);
    if (known !== undefined) {
      const before = known.status?.conditions?.find(({ type }) => type === "Ready");
      const beatMs = Date.parse(before?.lastHeartbeatTime ?? "");
      if (before?.status === "True" && this.#clock.wallMs() - beatMs < 5000) return;
      await this.#client.updateStatus(nodes, { ...known, status });
      return;
    }
    const features = { native: true, wasiFamilies: [], missing: [] };
    const object: NewObject<Node> = {
      apiVersion: apiVersionOf(nodes),
      kind: "Node",
      metadata: {
        name: this.name,
        annotations: { [annotation.features]: JSON.stringify(features), [annotation.agentAddress]: `${this.name}:1` },
      },
      status,
    };
    await this.#client.create(nodes, object);
  }

  async #prepareAll(): Promise<void> {
    if (!this.prepares) return;
    for (const revision of (await this.#client.list(revisions)).items) await this.#prepare(revision);
  }

  async #prepare(revision: Revision): Promise<void> {
    const { homeNodes = [], preparedNodes = [], failedNodes = [], containerStatuses = [] } = revision.status ?? {};
    const isHome = homeNodes.includes(this.name) && containerStatuses.length > 0;
    const prepared = preparedNodes.filter(({ node }) => node !== this.name);
    const failed = failedNodes.filter(({ node }) => node !== this.name);
    const isSaid = prepared.length + failed.length < preparedNodes.length + failedNodes.length;
    if (isHome === isSaid && (!isHome || (this.refusal === undefined) === prepared.length < preparedNodes.length))
      return;
    const own: PreparedNode = { node: this.name, variant: "wasm", reason: "Wasm comes first" };
    if (isHome && this.refusal === undefined) prepared.push(own);
    if (isHome && this.refusal !== undefined) {
      failed.push({ node: this.name, code: this.refusal, message: "no variant for this node" });
    }
    await this.#client.updateStatus(revisions, {
      ...revision,
      status: { ...revision.status, preparedNodes: prepared, failedNodes: failed },
    });
  }

  async #runAll(): Promise<void> {
    for (const pod of (await this.#client.list(pods)).items) {
      if (pod.spec.nodeName !== this.name) continue;
      const { name, namespace = "", uid, deletionTimestamp } = pod.metadata;
      const isReady = pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
      if (deletionTimestamp !== undefined) {
        await this.#client.delete(pods, { name, namespace, uid, gracePeriodSeconds: 0 });
      } else if (this.starts && isReady !== true && pod.status?.phase !== "Failed") {
        await this.#client.updateStatus(pods, { ...pod, status: runningStatus() });
      }
    }
  }
}

const runningStatus = (): NonNullable<Pod["status"]> => {
  const conditions: Condition[] = [{ type: "Ready", status: "True" }];
  return { phase: "Running", conditions };
};
