import { annotation, dig, type JsonObject, listAt, objectAt, parseQuantity, type Pod, pods } from "@shallop/sdk/api";
import type { HttpsClient } from "@shallop/sdk/client";
import { type Call, ok, type Reply } from "../http/call.ts";
import { DockerFault } from "../http/docker-fault.ts";
import type { Routes } from "../http/router.ts";
import { hasProgram, isActive } from "./container-state.ts";
import type { Containers, DockerContainer } from "./containers.ts";
import { parseCreateBody } from "./create-body.ts";
import { warningsOf } from "./create-warnings.ts";
import type { LocalCgroups } from "./local-cgroups.ts";
import {
  type Amounts,
  amountsOf,
  dockerAnnotation,
  dockerNamespace,
  type Machine,
  podContainer,
  shareAnnotations,
} from "./pod-spec.ts";
import { processWish } from "./process-wish.ts";
import { nativeProgram } from "./top.ts";

export interface UpdateParts {
  readonly containers: Containers;
  readonly client: HttpsClient;
  readonly cgroups: LocalCgroups;
  readonly nodeDirectory: string;
  readonly machine: Machine;
}

/** From the pod's new limits to the node's word that they hold. */
const resizeMsMax = 20_000;

/** `docker update`: memory, processors, and how it is started again. */
export function updateRoutes(parts: UpdateParts): Routes {
  return {
    "POST /containers/:id/update": async (call) => {
      const container = parts.containers.find(call.param("id"));
      const body = await call.body();
      return container.alone(() => update(parts, container, { body, call }));
    },
  };
}

async function update(
  parts: UpdateParts,
  container: DockerContainer,
  { body, call }: { readonly body: JsonObject; readonly call: Call },
): Promise<Reply> {
  const { record, pod, state } = container;
  const HostConfig = updatedHost(objectAt(record.body, "HostConfig"), body);
  const [before, wanted] = [parseCreateBody(record.body), parseCreateBody({ ...record.body, HostConfig })];
  const [had, has] = [amountsOf(before, parts.machine), amountsOf(wanted, parts.machine)];
  const isResized = had.limits.cpu !== has.limits.cpu || had.limits.memory !== has.limits.memory;
  const shares = shareAnnotations(wanted, parts.machine);
  if (isResized && isActive(state) && pod !== undefined) await resize(parts, container, { amounts: has, call });
  const changed = { ...record.body, HostConfig };
  await parts.containers.update(container, { body: changed });
  // Nothing of the process but its number can be other while it runs; the rest is as it was.
  const wish = { [annotation.process]: processWish(record, wanted)[annotation.process] ?? null };
  if (container.pod !== undefined)
    await noteRequest(parts, container.pod, { body: changed, annotations: { ...shares, ...wish } });
  parts.containers.tell(container, "update");
  return ok({ Warnings: warningsOf({ HostConfig: body }) });
}

/** What an update may say beside what it may change: unset, or it is refused rather than forgotten. */
const unsupported = [
  ...["CpuRealtimePeriod", "CpuRealtimeRuntime", "CpusetMems"],
  ...["KernelMemory", "KernelMemoryTCP"],
];

/** `HostConfig` with what an update says; 0 and empty are Docker's "not set". Pure. @throws DockerFault UNSUPPORTED, BAD_REQUEST */
export function updatedHost(host: JsonObject, body: JsonObject): JsonObject {
  const isSet = (name: string): boolean => {
    const value = dig(body, name);
    return value !== undefined && value !== null && value !== 0 && value !== "" && value !== false;
  };
  const strange = unsupported.find(isSet) ?? (listAt(body, "Devices").length > 0 ? "Devices" : undefined);
  if (strange !== undefined)
    throw new DockerFault(
      "UNSUPPORTED",
      `${strange}: an update can change --memory, --cpus, --cpu-shares, --cpuset-cpus, --blkio-weight, --pids-limit and --restart`,
    );
  const ways = [["NanoCpus"], ["CpuQuota", "CpuPeriod"]];
  const singles = ["Memory", "MemorySwap", "MemoryReservation", "PidsLimit"].map((name) => [name]);
  const names = [...singles, ["BlkioWeight"], ["CpuShares"], ["CpusetCpus"], ...ways].filter((group) =>
    group.some(isSet),
  );
  if (ways.every((group) => names.includes(group)))
    throw new DockerFault(
      "BAD_REQUEST",
      "Conflicting options: Nano CPUs cannot be updated as CPU Quota is set as well",
    );
  // Of the two ways to say how much of a processor it has, the last one counts.
  const other = ways.filter((group) => !names.includes(group) && ways.some((one) => names.includes(one)));
  const isNamed = typeof dig(body, "RestartPolicy", "Name") === "string" && dig(body, "RestartPolicy", "Name") !== "";
  return {
    ...host,
    ...Object.fromEntries(other.flat().map((name) => [name, 0])),
    ...Object.fromEntries(names.flat().map((name) => [name, dig(body, name) ?? 0])),
    ...(isNamed ? { RestartPolicy: objectAt(body, "RestartPolicy") } : {}),
  };
}

/** Gives what runs other limits; resolves when the node holds it to them. @throws DockerFault CONFLICT, FAILED */
async function resize(
  { client, cgroups, nodeDirectory }: UpdateParts,
  container: DockerContainer,
  { amounts, call }: { readonly amounts: Amounts; readonly call: Call },
): Promise<void> {
  if (!hasProgram(container.state))
    throw new DockerFault(
      "CONFLICT",
      `Container ${container.record.id} is restarting, wait until the container is running`,
    );
  const { pod } = await nativeProgram(container, nodeDirectory);
  const [cpu, memory] = [parseQuantity(amounts.limits.cpu) ?? 0, Number(amounts.limits.memory)];
  const used = (await cgroups.usage(pod)).memoryBytes;
  if (used > memory)
    throw new DockerFault("CONFLICT", `the container uses ${String(used)} bytes of memory, more than it would have`);
  const { namespace = dockerNamespace, name, uid } = pod.metadata;
  // A list is replaced as a whole by a merge; the server takes nothing but the resources out of this one.
  const containers = pod.spec.containers.map((one) =>
    one.name === podContainer ? { ...one, resources: amounts } : one,
  );
  const body = { metadata: { uid }, spec: { containers } };
  await client.patch(pods, { namespace, name, subresource: "resize" }, { type: "merge", body }, call.signal);
  const holds = ({ pod: now }: DockerContainer): boolean => {
    const limits = now?.status?.containerStatuses?.[0]?.resources?.limits ?? {};
    return parseQuantity(limits["memory"] ?? "") === memory && parseQuantity(limits["cpu"] ?? "") === cpu;
  };
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(resizeMsMax)]);
  await container
    .until((one) => one.pod === undefined || holds(one), signal)
    .catch((error: unknown) => {
      if (call.signal.aborted) throw error;
      const why = `kubectl describe pod ${name} -n ${namespace} tells why`;
      throw new DockerFault("FAILED", `the node did not change the container's limits in time: ${why}`);
    });
}

/** The pod tells what was asked for, word for word, and its node gives it its shares. */
async function noteRequest(
  { client }: UpdateParts,
  { metadata }: Pod,
  { body, annotations: asked }: { readonly body: JsonObject; readonly annotations: Record<string, string | null> },
): Promise<void> {
  const { namespace = dockerNamespace, name, uid } = metadata;
  const annotations = { [dockerAnnotation.create]: JSON.stringify(body), ...asked };
  await client.patch(pods, { namespace, name }, { type: "merge", body: { metadata: { uid, annotations } } });
}
