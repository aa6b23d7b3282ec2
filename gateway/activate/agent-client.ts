import { Agent, type IncomingMessage, request as httpRequest, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { type Clock, describeError } from "@shallop/sdk/internal";
import type { AbandonedRequests, ActivateFaultCode, ActivateRequest, Activation } from "@shallop/sdk/wire";
import { agentEndpoint, type AgentTls } from "../proxy/dial.ts";
import { GatewayFault } from "../proxy/fault-status.ts";
import type { NodeTarget, RevisionTarget } from "../route/target.ts";
import type { ActivateOptions, NodeAgents } from "./dispatcher.ts";

export interface AgentClientOptions {
  readonly clock: Clock;
  /** Identity of this machine. */
  readonly machine: string;
  /** Undefined when only agents of this machine can be asked. */
  readonly tls: AgentTls | undefined;
}

// An agent of this machine accepts in microseconds, one of another in milliseconds; the next home is not far.
const connectTimeoutMs = 2_000;
// A native pod may take seconds to be ready. Whoever takes longer is asked again: the agent goes on with what it does.
const answerTimeoutMs = 30_000;
// An Activation is a few hundred bytes.
const answerBytesMax = 64 * 1024;
const idleConnectionsMax = 4;

const activateFaultCodes: readonly ActivateFaultCode[] = [
  "NOT_PREPARED",
  "NO_CAPACITY",
  "NO_USABLE_VARIANT",
  "START_FAILED",
];

/** Asks node agents for activations: over the unix socket on this machine, over mutual TLS elsewhere. */
export class AgentClient implements NodeAgents {
  readonly #options: AgentClientOptions;
  readonly #local = new Agent({ keepAlive: true, maxFreeSockets: idleConnectionsMax });
  readonly #remote = new HttpsAgent({ keepAlive: true, maxFreeSockets: idleConnectionsMax });

  constructor(options: AgentClientOptions) {
    this.#options = options;
  }

  async activate(node: NodeTarget, target: RevisionTarget, { signal, beside }: ActivateOptions): Promise<Activation> {
    const body: ActivateRequest = {
      namespace: target.namespace,
      revision: target.name,
      ...(beside === undefined ? {} : { beside }),
    };
    const { status, text } = await this.#post({ node, path: "/v1/activate" }, JSON.stringify(body), signal);
    const answer = parse(text);
    if (status === 200 && isActivation(answer)) return answer;
    const code = activateFaultCodes.find((known) => known === field(answer, "code")) ?? "START_FAILED";
    const reason = field(answer, "message") ?? `status ${status} and no reason`;
    throw new GatewayFault(code, `node ${node.name} did not activate revision ${target.key}: ${reason}`);
  }

  /** Nobody waits for it: what cannot be told is ended by the pod's time limit. */
  async abandoned(node: NodeTarget, podUid: string, requestIds: readonly string[]): Promise<void> {
    const body: AbandonedRequests = { requestIds };
    const path = `/v1/pods/${encodeURIComponent(podUid)}/abandoned`;
    await this.#post({ node, path }, JSON.stringify(body), AbortSignal.timeout(connectTimeoutMs)).catch(
      () => undefined,
    );
  }

  close(): void {
    this.#local.destroy();
    this.#remote.destroy();
  }

  #post(
    { node, path }: { readonly node: NodeTarget; readonly path: string },
    body: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly text: string }> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        timer.cancel();
        outgoing.destroy();
        reject(new GatewayFault("CONNECT_FAILED", `node ${node.name}: ${describeError(error)}`, { cause: error }));
      };
      const outgoing = this.#request({ node, path, bodyBytes: Buffer.byteLength(body) }, signal);
      let timer = this.#options.clock.after(connectTimeoutMs, () => fail(new Error("its agent accepts no connection")));
      const connected = (): void => {
        timer.cancel();
        timer = this.#options.clock.after(answerTimeoutMs, () => fail(new Error("its agent does not answer")));
      };
      outgoing.once("socket", (socket) => (socket.connecting ? socket.once("connect", connected) : connected()));
      outgoing.once("error", fail);
      outgoing.once("response", (incoming) => {
        readAll(incoming).then((text) => {
          timer.cancel();
          resolve({ status: incoming.statusCode ?? 0, text });
        }, fail);
      });
      outgoing.end(body);
    });
  }

  #request(
    { node, path, bodyBytes }: { readonly node: NodeTarget; readonly path: string; readonly bodyBytes: number },
    signal: AbortSignal,
  ): ReturnType<typeof httpRequest> {
    const { machine, tls } = this.#options;
    const options: RequestOptions = {
      method: "POST",
      path,
      headers: { "content-type": "application/json", "content-length": bodyBytes },
      signal,
    };
    if (node.machine === machine && node.agentSocket !== undefined) {
      return httpRequest({ ...options, agent: this.#local, socketPath: node.agentSocket, host: "agent.local" });
    }
    if (node.agentAddress === undefined || tls === undefined)
      throw new GatewayFault("CONNECT_FAILED", `the agent of node ${node.name} cannot be reached from this machine`);
    return httpsRequest({ ...options, ...agentEndpoint(node.agentAddress, tls), agent: this.#remote });
  }
}

async function readAll(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw new Error("its agent answers with too much");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
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
