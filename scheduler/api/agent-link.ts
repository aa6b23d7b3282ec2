import type { IncomingMessage } from "node:http";
import { Agent, request, type RequestOptions } from "node:https";
import type { Duplex } from "node:stream";
import type { PeerCertificate } from "node:tls";
import { ApiFault, type ApiFaultCode, isJsonObject, textAt } from "@shallop/sdk/api";
import { describeError } from "@shallop/sdk/internal";
import { nodeUser } from "./user.ts";

/** The control plane's certificate, by which agents know it, and the authority that signed the agents'. */
export interface ClientIdentity {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** An agent that can be asked: the Node it is on, and how it is reached. */
export interface AgentAddress {
  readonly node: string;
  /** `host:port`, from the Node's annotation. */
  readonly address: string;
}

/** What an agent answered to an upgrade. */
export interface UpgradedConnection {
  readonly response: IncomingMessage;
  readonly socket: Duplex;
  /** Bytes that came with the answer. */
  readonly first: Buffer;
}

// An agent answers the head at once; one that does not is as good as gone.
const headTimeoutMs = 10_000;
const errorBytesMax = 4096;

/** The way to the agents: HTTP over mutual TLS. */
export class AgentLink implements Disposable {
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

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  /** The body of what the agent has at `path`, as it comes. @throws ApiFault ServiceUnavailable, NotFound, BadRequest */
  async get(agent: AgentAddress, path: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const answer = await this.#ask(agent, { path, signal });
    if (answer.kind === "response" && answer.response.statusCode === 200) {
      return answer.response as AsyncIterable<Uint8Array>;
    }
    throw await agentFault(agent, answer.response);
  }

  /** Asks the agent to switch protocols, with these headers. @throws ApiFault as `get` */
  async upgrade(
    agent: AgentAddress,
    path: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<UpgradedConnection> {
    const answer = await this.#ask(agent, { path, headers });
    if (answer.kind === "upgrade") return answer;
    throw await agentFault(agent, answer.response);
  }

  #ask(agent: AgentAddress, options: RequestOptions): Promise<Answer> {
    const { hostname, port } = new URL(`https://${agent.address}`);
    return new Promise((resolve, reject) => {
      const call = request({
        ...options,
        agent: this.#agent,
        host: hostname.replace(/^\[|\]$/g, ""),
        port,
        timeout: headTimeoutMs,
        // Nodes are known by their name, wherever they are: another node's certificate does not fit.
        checkServerIdentity: (_host: string, certificate: PeerCertificate) => checkNode(agent.node, certificate),
      });
      call.on("response", (response) => {
        call.setTimeout(0);
        resolve({ kind: "response", response });
      });
      call.on("upgrade", (response, socket, first) => {
        socket.setTimeout(0);
        resolve({ kind: "upgrade", response, socket, first });
      });
      call.on("timeout", () => call.destroy(new Error(`no answer within ${headTimeoutMs / 1000} s`)));
      call.on("error", (error) => reject(unreachable(agent, error)));
      call.end();
    });
  }
}

type Answer =
  | { readonly kind: "response"; readonly response: IncomingMessage }
  | ({ readonly kind: "upgrade" } & UpgradedConnection);

const unreachable = (agent: AgentAddress, error: unknown): ApiFault =>
  new ApiFault(
    "ServiceUnavailable",
    `the agent of node ${agent.node} at ${agent.address} cannot be reached: ${describeError(error)}`,
    {},
    { cause: error },
  );

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
