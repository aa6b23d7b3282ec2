import { annotation, type Pod, pods } from "@shallop/sdk/api";
import type { HttpsClient } from "@shallop/sdk/client";
import type { Clock } from "@shallop/sdk/internal";
import { noContent } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import type { Routes } from "../http/router.ts";
import type { Containers, DockerContainer } from "./containers.ts";
import type { LocalCgroups } from "./local-cgroups.ts";
import { localProcess } from "./local-process.ts";
import { dockerNamespace } from "./pod-spec.ts";

export interface PauseParts {
  readonly client: HttpsClient;
  readonly cgroups: LocalCgroups;
  /** Of the node agent: `DATA/node`. */
  readonly nodeDirectory: string;
  readonly clock: Clock;
}

/** From the pod's annotation to the kernel's word: milliseconds, more when a disk hangs or the machine is busy. */
const pauseMsMax = 20_000;
const lookEachMs = 20;

/** `docker pause` and `unpause`. */
export function pauseRoutes(parts: PauseParts & { readonly containers: Containers }): Routes {
  return {
    "POST /containers/:id/pause": async (call) => {
      await pause(parts, parts.containers.find(call.param("id")));
      return noContent;
    },
    "POST /containers/:id/unpause": async (call) => {
      await unpause(parts, parts.containers.find(call.param("id")));
      return noContent;
    },
  };
}

const pause = (parts: PauseParts, container: DockerContainer): Promise<void> =>
  container.alone(async () => {
    const { record, state, pod } = container;
    if (state.name === "paused") throw new DockerFault("CONFLICT", `Container ${record.id} is already paused`);
    if (state.name !== "running" || pod === undefined)
      throw new DockerFault("CONFLICT", `Container ${record.id} is not running`);
    if ((await localProcess(parts.nodeDirectory, pod)) === undefined)
      throw new DockerFault("UNSUPPORTED", `Container ${record.id} runs a component: components cannot be paused`);
    try {
      await setPaused(parts, container, true);
    } catch (error) {
      // Half paused is not a state: it is told that it failed, so it goes on.
      await annotate(parts, pod, false);
      throw error;
    }
  });

const unpause = (parts: PauseParts, container: DockerContainer): Promise<void> =>
  container.alone(async () => {
    const { record, state } = container;
    if (state.name !== "paused") throw new DockerFault("CONFLICT", `Container ${record.id} is not paused`);
    await setPaused(parts, container, false);
  });

/**
 * Has the node stop a container's processes where they are, or let them go on; resolves when the kernel has done so. For
 * callers whose turn with the container it is. @throws DockerFault FAILED when the node did not do it in time
 */
export async function setPaused(parts: PauseParts, container: DockerContainer, paused: boolean): Promise<void> {
  const { cgroups, clock } = parts;
  const { pod } = container;
  if (pod === undefined) return;
  await annotate(parts, pod, paused);
  const name = paused ? "paused" : "running";
  const endMs = clock.nowMs() + pauseMsMax;
  while (container.pod?.metadata.uid === pod.metadata.uid) {
    if (container.state.name === name && (await cgroups.isFrozen(pod)) === paused) return;
    if (clock.nowMs() > endMs) {
      const why = `kubectl describe pod ${pod.metadata.name} -n ${dockerNamespace} tells why`;
      throw new DockerFault("FAILED", `the node did not make the container ${name} in time: ${why}`);
    }
    await clock.sleep(lookEachMs);
  }
}

async function annotate({ client }: PauseParts, { metadata }: Pod, paused: boolean): Promise<void> {
  const { namespace = dockerNamespace, name, uid } = metadata;
  const annotations = { [annotation.paused]: paused ? "true" : null };
  await client.patch(pods, { namespace, name }, { type: "merge", body: { metadata: { uid, annotations } } });
}
