import { ApiFault } from "@shallop/sdk/api";
import type { NodeUsage } from "@shallop/sdk/wire";
import type { AgentAddress, AgentLink } from "./agent-link.ts";

/** A thousand pods of ten containers each. */
const usageBytesMax = 4 << 20;

/** What nodes and their pods use, asked of the agents. Those that do not answer are left out. */
export async function nodeUsages(
  link: AgentLink,
  agents: readonly AgentAddress[],
  signal: AbortSignal,
): Promise<readonly { readonly node: string; readonly usage: NodeUsage }[]> {
  const asked = agents.map(async (agent) => {
    try {
      return [{ node: agent.node, usage: await nodeUsage(link, agent, signal) }];
    } catch (error) {
      if (error instanceof ApiFault) return [];
      throw error;
    }
  });
  return (await Promise.all(asked)).flat();
}

/** What one node and its pods use. @throws ApiFault ServiceUnavailable and others that `AgentLink.get` has */
export const nodeUsage = async (link: AgentLink, agent: AgentAddress, signal: AbortSignal): Promise<NodeUsage> =>
  readUsage(await link.get(agent, "/v1/usage", signal));

async function readUsage(body: AsyncIterable<Uint8Array>): Promise<NodeUsage> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > usageBytesMax) throw new ApiFault("InternalError", "an agent's answer is too large");
    chunks.push(chunk);
  }
  // Of an agent, whose certificate was checked, and of the same version.
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as NodeUsage;
}
