import {
  annotation,
  apiVersionOf,
  type Condition,
  label,
  type NewObject,
  type Node,
  type NodeFeatures,
  nodes,
} from "@shallop/sdk/api";
import type { ApiClient } from "@shallop/sdk/client";
import { type Clock, describeError, type Log, rfc3339 } from "@shallop/sdk/internal";
import type { NodeRoom } from "./node-pods.ts";
import { isFault } from "./report.ts";

/** What a node says of itself. */
export interface NodeFacts {
  readonly name: string;
  readonly hostname: string;
  readonly hostIp: string;
  /** As images and Kubernetes write them: `linux`, `amd64`. */
  readonly os: string;
  readonly architecture: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly room: NodeRoom;
  /** Identity of machine and network namespace. */
  readonly machine: string;
  readonly agentAddress: string;
  readonly agentPort: number;
  readonly agentSocket: string;
  readonly activationSocket: string;
  readonly features: NodeFeatures;
  readonly nodeInfo: Readonly<Record<string, string>>;
}

/** Kubernetes' `node-status-update-frequency` is 10 s; half of it lets a lost node be noticed sooner. */
const heartbeatMs = 5_000;
/** A first registration is tried again this soon: `shallop up` shows the node as soon as it is there. */
const registerRetryMs = 250;
// Kubernetes' own bound on the message of a condition.
const messageCharsMax = 32_768;
// Each try reads first.
const conflictTriesMax = 5;

/** The Node object as the API shall have it; what others have written on `current` stays. Pure. */
export function nodeObject(
  facts: NodeFacts,
  ready: { readonly status: "True" | "False"; readonly reason: string; readonly message: string },
  now: { readonly wallMs: number; readonly current?: Node },
): NewObject<Node> & { readonly status: NonNullable<Node["status"]> } {
  const { current, wallMs } = now;
  const memory = (bytes: number): string => `${String(Math.floor(bytes / 1024))}Ki`;
  const amounts = (memoryBytes: number) => ({
    cpu: String(facts.cpuCount),
    memory: memory(memoryBytes),
    pods: String(facts.room.podsMax),
  });
  return {
    apiVersion: apiVersionOf(nodes),
    kind: "Node",
    metadata: {
      ...current?.metadata,
      name: facts.name,
      labels: {
        ...current?.metadata.labels,
        [label.hostname]: facts.name,
        [label.os]: facts.os,
        [label.arch]: facts.architecture,
      },
      annotations: {
        ...current?.metadata.annotations,
        [annotation.machine]: facts.machine,
        [annotation.agentAddress]: facts.agentAddress,
        [annotation.agentSocket]: facts.agentSocket,
        [annotation.activationSocket]: facts.activationSocket,
        [annotation.features]: JSON.stringify(facts.features),
      },
    },
    ...(current?.spec === undefined ? {} : { spec: current.spec }),
    status: {
      ...current?.status,
      capacity: amounts(facts.memoryBytes),
      allocatable: amounts(facts.room.memoryBytes),
      conditions: [
        ...(current?.status?.conditions ?? []).filter(({ type }) => type !== "Ready" && type !== "IsolationComplete"),
        readyCondition(ready, current?.status?.conditions, wallMs),
        isolationCondition(facts.features.missing, current?.status?.conditions, wallMs),
      ],
      addresses: [
        { type: "InternalIP", address: facts.hostIp },
        { type: "Hostname", address: facts.hostname },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: facts.agentPort } },
      nodeInfo: facts.nodeInfo,
    },
  };
}

/** Whether pods are walled in as well as Shallop can; the message says what is missing here, each with what to do. */
function isolationCondition(
  missing: readonly string[],
  before: readonly Condition[] | undefined,
  wallMs: number,
): Condition {
  const status = missing.length === 0 ? "True" : "False";
  const same = before?.find((condition) => condition.type === "IsolationComplete" && condition.status === status);
  return {
    type: "IsolationComplete",
    status,
    reason: missing.length === 0 ? "NothingMissing" : "MachineLacks",
    message: missing.join("; ").slice(0, messageCharsMax),
    lastTransitionTime: same?.lastTransitionTime ?? rfc3339(wallMs),
  };
}

function readyCondition(
  ready: { readonly status: "True" | "False"; readonly reason: string; readonly message: string },
  before: readonly Condition[] | undefined,
  wallMs: number,
): Condition & { readonly lastHeartbeatTime: string } {
  const same = before?.find(({ type, status }) => type === "Ready" && status === ready.status);
  const now = rfc3339(wallMs);
  return { type: "Ready", ...ready, lastHeartbeatTime: now, lastTransitionTime: same?.lastTransitionTime ?? now };
}

/** Keeps the Node object: makes it, keeps it true, and lets the control plane see that the node lives. */
export class NodeRegistration {
  readonly #client: ApiClient;
  readonly #clock: Clock;
  readonly #facts: NodeFacts;
  #current: Node | undefined;

  constructor(client: ApiClient, clock: Clock, facts: NodeFacts) {
    this.#client = client;
    this.#clock = clock;
    this.#facts = facts;
  }

  /** One heartbeat: the object is there, as it should be, and has this moment as its heartbeat time. */
  async beat(signal: AbortSignal): Promise<void> {
    await this.#write({ status: "True", reason: "AgentReady", message: "the node agent is running" }, signal);
  }

  /** The last word before an orderly stop, so that nobody has to wait for missing heartbeats. */
  async farewell(signal: AbortSignal): Promise<void> {
    await this.#write({ status: "False", reason: "AgentStopped", message: "the node agent was stopped" }, signal);
  }

  async #write(ready: Parameters<typeof nodeObject>[1], signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        this.#current = await this.#writeOnce(ready, signal);
        return;
      } catch (error) {
        // Ours was not the newest, or it was deleted: look again.
        this.#current = undefined;
        if (!isFault(error, "Conflict", "NotFound", "AlreadyExists") || tries === conflictTriesMax) throw error;
      }
    }
  }

  async #writeOnce(ready: Parameters<typeof nodeObject>[1], signal: AbortSignal): Promise<Node> {
    const { name } = this.#facts;
    let current = this.#current ?? (await this.#get(signal));
    if (current === undefined) {
      current = await this.#client.create(
        nodes,
        nodeObject(this.#facts, ready, { wallMs: this.#clock.wallMs() }),
        signal,
      );
    }
    const wanted = nodeObject(this.#facts, ready, { wallMs: this.#clock.wallMs(), current });
    const { labels, annotations } = wanted.metadata;
    if (!sameEntries(labels, current.metadata.labels) || !sameEntries(annotations, current.metadata.annotations)) {
      current = await this.#client.update(
        nodes,
        {
          ...current,
          metadata: {
            ...current.metadata,
            name,
            ...optional("labels", labels),
            ...optional("annotations", annotations),
          },
        },
        signal,
      );
    }
    return this.#client.updateStatus(nodes, { ...current, status: wanted.status }, signal);
  }

  async #get(signal: AbortSignal): Promise<Node | undefined> {
    try {
      return await this.#client.get(nodes, undefined, this.#facts.name, signal);
    } catch (error) {
      if (isFault(error, "NotFound")) return undefined;
      throw error;
    }
  }
}

type Entries = Readonly<Record<string, string>>;

const sameEntries = (a: Entries = {}, b: Entries = {}): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.keys(a).every((key) => a[key] === b[key]);

const optional = <Name extends "labels" | "annotations">(name: Name, entries: Entries | undefined) =>
  entries === undefined ? {} : { [name]: entries };

/** Registers the node and says again and again that it is there, until the signal is aborted. Never fails. */
export function keepRegistered(
  registration: NodeRegistration,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): void {
  void (async () => {
    for (let failures = 0; !signal.aborted;) {
      try {
        await registration.beat(AbortSignal.any([signal, AbortSignal.timeout(heartbeatMs)]));
        if (failures > 0) log.info("the control plane hears this node again");
        failures = 0;
      } catch (error) {
        if (failures++ === 0 && !signal.aborted) log.warn("no heartbeat", { error: describeError(error) });
      }
      await clock
        .sleep(failures > 0 ? registerRetryMs * 2 ** Math.min(failures, 4) : heartbeatMs, signal)
        .catch(() => undefined);
    }
  })();
}
