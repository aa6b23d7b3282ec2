import { type IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import type { PeerCertificate } from "node:tls";
import { ApiFault, type ApiFaultCode, isJsonObject, textAt } from "@shallop/sdk/api";
import { describeError } from "@shallop/sdk/internal";
import type { AgentAddress, PodLogRequest, PodLogs, ServiceLogRequest } from "./pod-logs.ts";
import { nodeUser } from "./user.ts";

/** The control plane's certificate, by which agents know it, and the authority that signed the agents'. */
export interface ClientIdentity {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

// An agent answers the head at once; one that does not is as good as gone.
const headTimeoutMs = 10_000;
const errorBytesMax = 4096;

/** Reads logs from the agents over mutual TLS. */
export class AgentPodLogs implements PodLogs, Disposable {
  readonly #agent: Agent;

  constructor(identity: ClientIdentity) {
    this.#agent = new Agent({
      ca: identity.authority,
      cert: identity.certificate,
      key: identity.key,
      // Followers hold a connection each; the others reuse one.
      maxFreeSockets: 16,
      keepAlive: true,
      minVersion: "TLSv1.3",
    });
  }

  container(agent: AgentAddress, log: PodLogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const path = ["containerLogs", log.namespace, log.pod, log.container].map(encodeURIComponent).join("/");
    return this.#get(agent, `/${path}?${log.query.toString()}`, signal);
  }

  service(agent: AgentAddress, log: ServiceLogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const query = new URLSearchParams({ namespace: log.namespace, service: log.service, timestamps: "true" });
    if (log.follow) query.set("follow", "true");
    if (log.prefix) query.set("prefix", "true");
    if (log.tailLines !== undefined) query.set("tailLines", String(log.tailLines));
    return this.#get(agent, `/v1/logs?${query.toString()}`, signal);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #get(agent: AgentAddress, path: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#dial(agent, path, signal);
    if (response.statusCode === 200) return response as AsyncIterable<Uint8Array>;
    throw await agentFault(agent, response);
  }

  #dial(agent: AgentAddress, path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { hostname, port } = new URL(`https://${agent.address}`);
    return new Promise((resolve, reject) => {
      const unreachable = (error: unknown): void =>
        reject(
          new ApiFault(
            "ServiceUnavailable",
            `the agent of node ${agent.node} at ${agent.address} cannot be reached: ${describeError(error)}`,
            {},
            { cause: error },
          ),
        );
      const call = request(
        {
          agent: this.#agent,
          host: hostname.replace(/^\[|\]$/g, ""),
          port,
          path,
          signal,
          timeout: headTimeoutMs,
          // Nodes are known by their name, wherever they are: another node's certificate does not fit.
          checkServerIdentity: (_host: string, certificate: PeerCertificate) => checkNode(agent.node, certificate),
        },
        (response) => {
          call.setTimeout(0);
          resolve(response);
        },
      );
      call.on("timeout", () => call.destroy(new Error(`no answer within ${headTimeoutMs / 1000} s`)));
      call.on("error", unreachable);
      call.end();
    });
  }
}

function checkNode(node: string, certificate: PeerCertificate): Error | undefined {
  const expected = nodeUser(node).name;
  const names = [certificate.subject.CN].flat();
  return names.length === 1 && names[0] === expected
    ? undefined
    : new Error(`the certificate is of ${String(names[0])}, not of ${expected}`);
}

/** What an agent refused, as the API's own fault. */
async function agentFault(agent: AgentAddress, response: IncomingMessage): Promise<ApiFault> {
  let text = "";
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > errorBytesMax) break;
  }
  response.destroy();
  const codes: Readonly<Record<number, ApiFaultCode>> = { 400: "BadRequest", 404: "NotFound" };
  const code = codes[response.statusCode ?? 0] ?? "ServiceUnavailable";
  return new ApiFault(code, `node ${agent.node}: ${agentMessage(text)}`);
}

function agentMessage(text: string): string {
  try {
    const json: unknown = JSON.parse(text);
    if (isJsonObject(json)) return textAt(json, "message") ?? text.slice(0, 500);
  } catch {
    // Not JSON: shown as it is.
  }
  return text.slice(0, 500);
}
