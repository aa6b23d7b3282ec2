import { annotation, ApiFault, dig, kindOf, listAt, nodes, textAt } from "@shallop/sdk/api";
import { assert } from "@shallop/sdk/internal";
import type { AgentAddress } from "../agent-link.ts";
import { badRequest } from "../faults.ts";
import type { Machinery } from "../machinery.ts";
import type { StoredObject } from "../objects.ts";

const containerLists = ["containers", "initContainers", "ephemeralContainers"];

/** The container that is meant, when there is a choice. @throws ApiFault BadRequest */
export function containerOf(pod: StoredObject, asked: string | null): string {
  const namesIn = (list: string): string[] =>
    listAt(pod, "spec", list).map((container) => textAt(container, "name") ?? "");
  const { name } = pod.metadata;
  if (asked !== null && asked !== "") {
    if (!containerLists.flatMap(namesIn).includes(asked)) {
      throw badRequest(`container ${asked} is not valid for pod ${name}`);
    }
    return asked;
  }
  const names = namesIn("containers");
  const [only] = names;
  if (names.length !== 1 || only === undefined) {
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(" ")}]`);
  }
  return only;
}

/** Where the agent is that has the pod. @throws ApiFault BadRequest, ServiceUnavailable */
export function agentOf(machinery: Machinery, pod: StoredObject): AgentAddress {
  const nodeName = textAt(pod, "spec", "nodeName");
  const { name } = pod.metadata;
  if (nodeName === undefined) throw badRequest(`pod ${name} does not have a host assigned`);
  const kind = kindOf(nodes);
  assert(kind !== undefined, "nodes are served");
  const node = machinery.objects.get(kind, undefined, nodeName);
  const address = textAt(node, "metadata", "annotations", annotation.agentAddress);
  if (address === undefined) {
    const why = dig(node, "metadata") === undefined ? "is not there any more" : "does not say where its agent is";
    throw new ApiFault("ServiceUnavailable", `pod ${name} is on node ${nodeName}, which ${why}`);
  }
  return { node: nodeName, address };
}
