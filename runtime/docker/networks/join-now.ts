import { join } from "node:path";
import { annotation, pods } from "@shallop/sdk/api";
import type { HttpsClient } from "@shallop/sdk/client";
import type { Clock } from "@shallop/sdk/internal";
import { readLaunch } from "../../sandbox/launch-record.ts";
import { podFiles, podKey } from "../../sandbox/pod-files.ts";
import { hasProgram } from "../containers/container-state.ts";
import type { DockerContainer } from "../containers/containers.ts";
import { dockerNamespace, networksOf } from "../containers/pod-spec.ts";

export interface JoinParts {
  readonly client: HttpsClient;
  /** Of the node agent: `DATA/node`. */
  readonly nodeDirectory: string;
  readonly clock: Clock;
}

/** From the pod's annotation to the node's packet filter it takes some dozen milliseconds. */
const lookEachMs = 20;
const joinMsMax = 10_000;

/**
 * Has the node put a container that runs into the networks of its record. Resolves when it has; one that is slow is not waited
 * for longer than some seconds, for it will. Of a component nothing is waited for.
 */
export async function joinNow(
  { client, nodeDirectory, clock }: JoinParts,
  { record, pod, state }: DockerContainer,
  signal: AbortSignal,
): Promise<void> {
  if (pod === undefined || !hasProgram(state)) return;
  const { namespace = dockerNamespace, name, uid } = pod.metadata;
  const wanted = networksOf(record)[annotation.networks];
  const annotations = { [annotation.networks]: wanted ?? null };
  await client.patch(pods, { namespace, name }, { type: "merge", body: { metadata: { uid, annotations } } }, signal);
  const files = podFiles(join(nodeDirectory, "native/pods"), podKey(uid));
  const names = Object.keys(JSON.parse(wanted ?? "{}") as object).map((network) => `${namespace}/${network}`);
  const endMs = clock.nowMs() + joinMsMax;
  while (clock.nowMs() < endMs) {
    const launch = (await readLaunch(files))?.launch;
    if (launch === undefined) return;
    const joined = (launch.plan.networks ?? []).map(({ network }) => network);
    if (joined.length === names.length && names.every((network) => joined.includes(network))) return;
    await clock.sleep(lookEachMs, signal);
  }
}
