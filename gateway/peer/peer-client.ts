import { Agent, request as httpsRequest } from "node:https";
import { gatewayServerName, type PeerMessage } from "@shallop/sdk/wire";
import { type AgentTls, endpointOf } from "../proxy/dial.ts";

// Less than the other side keeps a connection without a question, so that none is sent into one that just ends.
const idleMs = 30_000;

/** Speaks to other gateways, over mutual TLS. */
export class PeerClient {
  readonly #tls: AgentTls;
  readonly #agent = new Agent({ keepAlive: true, timeout: idleMs, maxSockets: 1 });

  constructor(tls: AgentTls) {
    this.#tls = tls;
  }

  /** Resolves when the gateway has them. @throws Error, of the network or with the status */
  send(address: string, messages: readonly PeerMessage[], signal: AbortSignal): Promise<void> {
    const body = Buffer.from(JSON.stringify({ messages }));
    return new Promise((resolve, reject) => {
      const request = httpsRequest({
        ...endpointOf(address, this.#tls),
        servername: gatewayServerName,
        agent: this.#agent,
        method: "POST",
        path: "/v1/messages",
        headers: { "content-type": "application/json", "content-length": body.length },
        signal,
      });
      request.on("error", reject);
      request.once("response", (response) => {
        response.resume();
        if (response.statusCode === 204) resolve();
        else reject(new Error(`gateway ${address} answers ${response.statusCode}`));
      });
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
