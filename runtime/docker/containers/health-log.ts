import { request } from "node:http";
import { annotation, nodes } from "@shallop/sdk/api";
import type { HttpsClient } from "@shallop/sdk/client";
import type { ContainerChecks } from "@shallop/sdk/wire";
import { hasProgram } from "./container-state.ts";
import type { DockerContainer } from "./containers.ts";
import { imageHealthcheck } from "./healthcheck.ts";
import type { Machine } from "./pod-spec.ts";

interface HealthParts {
  readonly client: HttpsClient;
  readonly machine: Pick<Machine, "nodeName">;
}

// The agent answers out of its memory.
const answerMsMax = 2000;
// Five results of 4096 characters, in JSON.
const answerBytesMax = 256 * 1024;

/** What the checks of a container said lately. Undefined of one without, and while its node does not answer. */
export async function healthLog(
  { client, machine }: HealthParts,
  { record, pod, state }: DockerContainer,
  signal: AbortSignal,
): Promise<ContainerChecks | undefined> {
  if (pod === undefined || !hasProgram(state) || imageHealthcheck(record) === undefined) return undefined;
  const node = await client.get(nodes, undefined, machine.nodeName, signal).catch(() => undefined);
  const socketPath = node?.metadata.annotations?.[annotation.agentSocket];
  if (socketPath === undefined) return undefined;
  const text = await answerOf(socketPath, `/v1/pods/${pod.metadata.uid}/checks`).catch(() => "[]");
  // The agent's own words: of the same version, on this machine.
  return (JSON.parse(text) as readonly ContainerChecks[])[0];
}

function answerOf(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, agent: false, timeout: answerMsMax }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > answerBytesMax) call.destroy(new Error("the agent says too much"));
      });
      response.once("error", reject);
      response.once("end", () =>
        response.statusCode === 200 ? resolve(Buffer.concat(chunks).toString()) : reject(new Error("refused")),
      );
    });
    call.once("timeout", () => call.destroy(new Error("the agent does not answer")));
    call.once("error", reject);
    call.end();
  });
}
