import { annotation, type NodeFeatures, nodes as nodeResource } from "../../api/index.ts";
import { connect, type ConnectionFlags, type Context } from "../context.ts";

export interface NodeSummary {
  readonly name: string;
  readonly ready: string;
  readonly native: string;
  readonly address: string;
  /** What the machine lacks, in sentences. */
  readonly missing: readonly string[];
}

export async function listNodes(context: Context, flags: ConnectionFlags): Promise<readonly NodeSummary[]> {
  const client = await connect(context, flags);
  try {
    const { items } = await client.list(nodeResource);
    return items.map((node) => {
      const features = featuresOf(node.metadata.annotations?.[annotation.features]);
      const lacks = features?.nativeMissing;
      return {
        name: node.metadata.name,
        ready: node.status?.conditions?.find(({ type }) => type === "Ready")?.status ?? "Unknown",
        native: features?.native === true ? "yes" : "no",
        address: node.metadata.annotations?.[annotation.agentAddress] ?? "-",
        missing: [...(lacks === undefined ? [] : [lacks]), ...(features?.missing ?? [])],
      };
    });
  } finally {
    client.close();
  }
}

function featuresOf(text: string | undefined): NodeFeatures | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as NodeFeatures;
  } catch {
    return undefined;
  }
}
