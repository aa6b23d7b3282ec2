import { Agent, request } from "node:https";
import type { Duplex } from "node:stream";
import { describeError } from "@shallop/sdk/internal";
import { AgentFault } from "../fault-status.ts";
import { tunnelProtocol } from "../tunnel.ts";

/** By what this node shows other nodes that it belongs to the cluster. PEM. */
export interface RemoteIdentity {
  readonly key: string;
  readonly certificate: string;
  readonly authority: string;
}

// A node that does not answer is gone, and its pods will soon be no backends any more.
const answerTimeoutMs = 5000;

/** Ports of pods of other nodes, through the agents there. */
export class RemotePods implements Disposable {
  readonly #identity: () => RemoteIdentity;
  readonly #addressOf: (node: string) => string | undefined;
  // Each connection is one pod's: none is used again.
  readonly #agent = new Agent({ keepAlive: false });

  constructor(identity: () => RemoteIdentity, addressOf: (node: string) => string | undefined) {
    this.#identity = identity;
    this.#addressOf = addressOf;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  /** @throws AgentFault POD_UNREACHABLE */
  dial({ node, uid, port }: { readonly node: string; readonly uid: string; readonly port: number }): Promise<Duplex> {
    const fault = (why: string): AgentFault =>
      new AgentFault("POD_UNREACHABLE", `cannot connect to pod ${uid} of node ${node}: ${why}`, { retryable: true });
    const address = this.#addressOf(node);
    if (address === undefined) return Promise.reject(fault("nobody knows where the node is"));
    const { hostname, port: agentPort } = new URL(`https://${address}`);
    const { key, certificate: cert, authority: ca } = this.#identity();
    return new Promise((resolve, reject) => {
      const call = request({
        ...{ agent: this.#agent, key, cert, ca, minVersion: "TLSv1.3", timeout: answerTimeoutMs },
        ...{ hostname, port: agentPort, path: `/v1/pods/${uid}/ports/${String(port)}` },
        headers: { connection: "upgrade", upgrade: tunnelProtocol },
      });
      call.once("upgrade", (_response, socket, first) => {
        socket.setTimeout(0).setNoDelay(true);
        if (first.length > 0) socket.unshift(first);
        resolve(socket);
      });
      call.once("response", (response) => {
        response.resume();
        reject(fault(`its node answers ${String(response.statusCode)}`));
      });
      call.once("timeout", () => call.destroy(new Error("no answer")));
      call.once("error", (error) => reject(fault(describeError(error))));
      call.end();
    });
  }
}
