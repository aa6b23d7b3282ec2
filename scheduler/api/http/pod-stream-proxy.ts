import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { ApiFault } from "@shallop/sdk/api";
import type { Log } from "@shallop/sdk/internal";
import type { AgentLink, UpgradedConnection } from "../agent-link.ts";
import { authorize } from "../authorize.ts";
import { badRequest } from "../faults.ts";
import type { Machinery, ObjectTarget } from "../machinery.ts";
import { existing } from "../read.ts";
import type { Authenticator } from "../user.ts";
import { agentOf, containerOf } from "./pod-agent.ts";
import { bearerToken, identified } from "./identify.ts";
import { faultResponse } from "./status.ts";
import { parseTarget } from "./target.ts";

export interface PodStreamParts {
  readonly machinery: Machinery;
  readonly authenticator: Authenticator;
  readonly link: AgentLink;
  readonly log: Log;
}

const streamSubresources = ["exec", "attach", "portforward"] as const;
type StreamSubresource = (typeof streamSubresources)[number];

export const isStreamSubresource = (subresource: string | undefined): subresource is StreamSubresource =>
  streamSubresources.some((one) => one === subresource);

/** What of the client's question matters to the agent; nothing else goes on. */
const passedParameters = ["command", "stdin", "stdout", "stderr", "tty", "ports", "env", "user", "workingDir"];
const passedHeaders = [
  "upgrade",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-protocol",
  "x-stream-protocol-version",
];
// The kernel's own queue for accepted connections that are idle would hold as many.
const streamsMax = 1024;

/**
 * exec, attach and port-forward of pods: who asks is looked at here, and the connection is handed to the agent of the
 * pod's node, which speaks the protocols.
 */
export class PodStreamProxy implements Disposable {
  readonly #parts: PodStreamParts;
  readonly #sockets = new Set<Duplex>();

  constructor(parts: PodStreamParts) {
    this.#parts = parts;
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** For the server's `upgrade` event. */
  serve(request: IncomingMessage, socket: Duplex, first: Buffer): void {
    socket.on("error", () => socket.destroy());
    this.#serve(request, socket, first).catch((error: unknown) => {
      if (!(error instanceof ApiFault)) this.#parts.log.error("an upgrade failed", error, { url: request.url });
      const fault = error instanceof ApiFault ? error : new ApiFault("InternalError", "Internal error occurred");
      void refuse(socket, fault);
    });
  }

  async #serve(request: IncomingMessage, client: Duplex, first: Buffer): Promise<void> {
    const { machinery, authenticator, link } = this.#parts;
    const user = identified(authenticator, bearerToken(request.headers.authorization));
    const { pathname, searchParams: query } = new URL(request.url ?? "/", "https://api");
    const target = parseTarget(pathname);
    const { name, subresource } = target ?? {};
    if (target === undefined || name === undefined || !isStreamSubresource(subresource)) {
      throw badRequest("nothing here speaks another protocol than HTTP");
    }
    const object: ObjectTarget = { ...target, name };
    authorize({ user, verb: "create", ...object });
    if (this.#sockets.size >= 2 * streamsMax)
      throw new ApiFault("TooManyRequests", "too many streams to pods are open");
    const pod = existing(machinery, object);
    const agent = agentOf(machinery, pod);
    const words = [target.namespace ?? "", name];
    if (subresource !== "portforward") words.push(containerOf(pod, query.get("container")));
    const act = subresource === "portforward" ? "portForward" : subresource;
    const path = `/${[act, ...words.map(encodeURIComponent)].join("/")}?${passedQuery(query).toString()}`;
    const upgraded = await link.upgrade(agent, path, passedHeadersOf(request));
    this.#join(client, first, upgraded);
  }

  #join(client: Duplex, first: Buffer, { response, socket: agent, first: agentFirst }: UpgradedConnection): void {
    for (const socket of [client, agent]) {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    }
    const headers = response.rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
    client.write(`HTTP/1.1 101 Switching Protocols\r\n${headers}\r\n`);
    if (agentFirst.length > 0) client.write(agentFirst);
    if (first.length > 0) agent.write(first);
    client.pipe(agent);
    agent.pipe(client);
    agent.on("error", () => client.destroy());
    client.once("close", () => agent.destroy());
    agent.once("close", () => client.end());
  }
}

function passedQuery(query: URLSearchParams): URLSearchParams {
  const passed = new URLSearchParams();
  for (const name of passedParameters) for (const value of query.getAll(name)) passed.append(name, value);
  return passed;
}

function passedHeadersOf(request: IncomingMessage): Readonly<Record<string, string>> {
  const passed: Record<string, string> = { connection: "Upgrade" };
  for (const name of passedHeaders) {
    const value = [request.headers[name] ?? []].flat().join(", ");
    if (value !== "") passed[name] = value;
  }
  return passed;
}

async function refuse(socket: Duplex, fault: ApiFault): Promise<void> {
  const response = faultResponse(fault);
  const body = await response.text();
  socket.end(
    `HTTP/1.1 ${String(response.status)} Refused\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${String(Buffer.byteLength(body))}\r\nConnection: close\r\n\r\n${body}`,
  );
}
