import { annotation, ApiFault, dig, kindOf, listAt, nodes, textAt } from "@shallop/sdk/api";
import { assert } from "@shallop/sdk/internal";
import { authorize } from "../authorize.ts";
import { badRequest } from "../faults.ts";
import type { Machinery, ObjectTarget } from "../machinery.ts";
import type { StoredObject } from "../objects.ts";
import type { AgentAddress, PodLogs } from "../pod-logs.ts";
import { existing } from "../read.ts";
import { booleanParameter, integerParameter } from "./query.ts";
import type { ResourceRequest } from "./resource-routes.ts";
import { streamResponse } from "./stream-response.ts";

export interface PodLogParts {
  readonly machinery: Machinery;
  readonly podLogs: PodLogs;
  readonly closing: AbortSignal;
}

/** GET …/pods/{name}/log: streamed from the agent of the pod's node. @throws ApiFault */
export async function podLogResponse(
  { machinery, podLogs, closing }: PodLogParts,
  target: ObjectTarget,
  { request, query, user }: ResourceRequest,
): Promise<Response> {
  authorize({ user, verb: "get", ...target });
  const pod = existing(machinery, target);
  const container = containerOf(pod, query.get("container"));
  const agent = agentOf(machinery, pod);
  const gone = new AbortController();
  const signal = AbortSignal.any([closing, request.signal, gone.signal]);
  const log = { namespace: target.namespace ?? "", pod: target.name, container, query: logQuery(query) };
  return streamResponse(await podLogs.container(agent, log, signal), gone);
}

/** The container that is meant, when there is a choice. @throws ApiFault BadRequest */
function containerOf(pod: StoredObject, asked: string | null): string {
  const names = listAt(pod, "spec", "containers").map((container) => textAt(container, "name") ?? "");
  const { name } = pod.metadata;
  if (asked !== null && asked !== "") {
    if (!names.includes(asked)) throw badRequest(`container ${asked} is not valid for pod ${name}`);
    return asked;
  }
  const [only] = names;
  if (names.length !== 1 || only === undefined) {
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(" ")}]`);
  }
  return only;
}

function agentOf(machinery: Machinery, pod: StoredObject): AgentAddress {
  const nodeName = textAt(pod, "spec", "nodeName");
  if (nodeName === undefined) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  const kind = kindOf(nodes);
  assert(kind !== undefined, "nodes are served");
  const node = machinery.objects.get(kind, undefined, nodeName);
  const address = textAt(node, "metadata", "annotations", annotation.agentAddress);
  if (address === undefined) {
    const why = dig(node, "metadata") === undefined ? "is not there any more" : "does not say where its agent is";
    throw new ApiFault(
      "ServiceUnavailable",
      `the log of pod ${pod.metadata.name} is on node ${nodeName}, which ${why}`,
    );
  }
  return { node: nodeName, address };
}

/** Only what is known, and has the right form, goes on to the agent. @throws ApiFault BadRequest */
function logQuery(query: URLSearchParams): URLSearchParams {
  const passed = new URLSearchParams();
  for (const name of ["follow", "previous", "timestamps"]) {
    if (booleanParameter(query, name) === true) passed.set(name, "true");
  }
  for (const name of ["tailLines", "sinceSeconds", "limitBytes"]) {
    const value = integerParameter(query, name);
    if (value !== undefined) passed.set(name, String(value));
  }
  const sinceTime = query.get("sinceTime");
  if (sinceTime !== null && sinceTime !== "") {
    if (Number.isNaN(Date.parse(sinceTime))) throw badRequest(`sinceTime "${sinceTime.slice(0, 50)}" is no time`);
    passed.set("sinceTime", sinceTime);
  }
  return passed;
}
