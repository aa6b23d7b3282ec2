import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Duplex } from "node:stream";
import { type Clock, describeError } from "@shallop/sdk/internal";
import {
  type AbandonedRequests,
  type ActivateFaultCode,
  type ActivateRequest,
  type Activation,
  type RequestHead,
  standbyDirectoryName,
  standbyFileName,
} from "@shallop/sdk/wire";
import { type AgentTls, dialAgent, dialSocket } from "../proxy/dial.ts";
import { GatewayFault } from "../proxy/fault-status.ts";
import { HttpUpstream } from "../proxy/http-upstream.ts";
import type { Upstream } from "../proxy/upstream.ts";
import { WireUpstream } from "../proxy/wire-upstream.ts";
import { checkEndpoint, type NodeTarget, type RevisionTarget } from "../route/target.ts";
import { type AgentAnswer, AgentCall } from "./agent-call.ts";
import type { ActivateOptions, NodeAgents } from "./dispatcher.ts";

export interface AgentClientOptions {
  readonly clock: Clock;
  /** Identity of this machine. */
  readonly machine: string;
  /** Undefined when only agents of this machine can be asked. */
  readonly tls: AgentTls | undefined;
}

// Whoever is told that a client has gone is not waited for.
const abandonedTimeoutMs = 30_000;
// An agent that was started again may have another address: the ways to those that are gone are not kept for ever.
const waysMax = 1_000;

const questionHead = {
  method: "POST",
  scheme: "http",
  authority: "agent.local",
  requestId: "",
  timeoutMs: 0,
} as const satisfies Omit<RequestHead, "target" | "headers">;

const activateFaultCodes: readonly ActivateFaultCode[] = [
  "NOT_PREPARED",
  "NO_CAPACITY",
  "NO_USABLE_VARIANT",
  "START_FAILED",
];

/** Asks node agents for activations: over the unix socket on this machine, over mutual TLS elsewhere. */
export class AgentClient implements NodeAgents {
  readonly #options: AgentClientOptions;
  /** By socket or address. */
  readonly #ways = new Map<string, Upstream>();

  constructor(options: AgentClientOptions) {
    this.#options = options;
  }

  async activate(node: NodeTarget, target: RevisionTarget, { signal, beside }: ActivateOptions): Promise<Activation> {
    const body: ActivateRequest = {
      namespace: target.namespace,
      revision: target.name,
      ...(beside === undefined ? {} : { beside }),
    };
    const question = { node, path: "/v1/activate", way: this.#activationWay(node) };
    const { status, text } = await this.#post(question, JSON.stringify(body), signal);
    const answer = parse(text);
    if (status === 200 && isActivation(answer)) return answer;
    const code = activateFaultCodes.find((known) => known === field(answer, "code")) ?? "START_FAILED";
    const reason = field(answer, "message") ?? `status ${status} and no reason`;
    throw new GatewayFault(code, `node ${node.name} did not activate revision ${target.key}: ${reason}`);
  }

  /** Read for each request that finds no pod: a file that is not there costs some microseconds, what a watch told may be old. */
  standby({ machine, activationSocket }: NodeTarget, { namespace, name }: RevisionTarget): Activation | undefined {
    if (machine !== this.#options.machine || activationSocket === undefined) return undefined;
    const file = join(dirname(activationSocket), standbyDirectoryName, standbyFileName({ namespace, revision: name }));
    try {
      const answer = parse(readFileSync(file, "utf8"));
      return isActivation(answer) && checkEndpoint(answer.endpoint) !== undefined ? answer : undefined;
    } catch {
      return undefined;
    }
  }

  /** Nobody waits for it: what cannot be told is ended by the pod's time limit. */
  async abandoned(node: NodeTarget, podUid: string, requestIds: readonly string[]): Promise<void> {
    const body: AbandonedRequests = { requestIds };
    const path = `/v1/pods/${encodeURIComponent(podUid)}/abandoned`;
    await this.#post({ node, path }, JSON.stringify(body), AbortSignal.timeout(abandonedTimeoutMs)).catch(
      () => undefined,
    );
  }

  close(): void {
    for (const way of this.#ways.values()) way.retire();
  }

  async #post(
    {
      node,
      path,
      way = this.#way(node),
    }: { readonly node: NodeTarget; readonly path: string; readonly way?: Upstream },
    body: string,
    signal: AbortSignal,
  ): Promise<AgentAnswer> {
    if (signal.aborted) throw new GatewayFault("CONNECT_FAILED", `node ${node.name}: ${describeError(signal.reason)}`);
    const bytes = Buffer.from(body);
    const call = new AgentCall(bytes, this.#options.clock);
    const gaveUp = (): void => call.failed(signal.reason);
    signal.addEventListener("abort", gaveUp, { once: true });
    try {
      const headers = ["content-type", "application/json", "content-length", String(bytes.length)];
      const head = { ...questionHead, target: path, headers };
      const question = { head, contentLength: bytes.length, hasBody: true, isUpgrade: false };
      call.cancelledBy(way.open(question, call));
      return await call.answer;
    } catch (error) {
      if (error instanceof GatewayFault && error.code === "CONNECT_FAILED") throw error;
      throw new GatewayFault("CONNECT_FAILED", `node ${node.name}: ${describeError(error)}`, { cause: error });
    } finally {
      signal.removeEventListener("abort", gaveUp);
    }
  }

  /** Frames, where the agent is on this machine and speaks them. @throws GatewayFault CONNECT_FAILED when there is no way */
  #activationWay(node: NodeTarget): Upstream {
    const { machine, clock } = this.#options;
    const { activationSocket: socket } = node;
    if (node.machine !== machine || socket === undefined) return this.#way(node);
    const dial = (): Promise<Duplex> => dialSocket(socket, clock);
    return this.#kept(socket, () => new WireUpstream({ dial, isNear: true, draining: () => undefined }));
  }

  /** @throws GatewayFault CONNECT_FAILED when there is none */
  #way({ name, machine, agentSocket, agentAddress }: NodeTarget): Upstream {
    const { machine: here, tls, clock } = this.#options;
    const over = (address: string, dial: () => Promise<Duplex>): Upstream =>
      this.#kept(address, () => new HttpUpstream({ clock, dial }));
    if (machine === here && agentSocket !== undefined) return over(agentSocket, () => dialSocket(agentSocket, clock));
    if (agentAddress !== undefined && tls !== undefined)
      return over(agentAddress, () => dialAgent(agentAddress, tls, clock));
    throw new GatewayFault("CONNECT_FAILED", `the agent of node ${name} cannot be reached from this machine`);
  }

  #kept(address: string, make: () => Upstream): Upstream {
    const known = this.#ways.get(address);
    if (known !== undefined) return known;
    const [oldest] = this.#ways;
    if (this.#ways.size >= waysMax && oldest !== undefined) {
      oldest[1].retire();
      this.#ways.delete(oldest[0]);
    }
    const way = make();
    this.#ways.set(address, way);
    return way;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function field(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const found = (value as Readonly<Record<string, unknown>>)[name];
  return typeof found === "string" ? found : undefined;
}

/** The endpoint is checked where it is used. */
function isActivation(value: unknown): value is Activation {
  if (field(value, "podName") === undefined || field(value, "podUid") === undefined) return false;
  const { started, phasesMs } = value as Readonly<Record<string, unknown>>;
  if (typeof started !== "boolean" || typeof phasesMs !== "object" || phasesMs === null) return false;
  const { prepare, start } = phasesMs as Readonly<Record<string, unknown>>;
  return typeof prepare === "number" && typeof start === "number";
}
