import { authorize } from "../authorize.ts";
import { badRequest } from "../faults.ts";
import type { Machinery, ObjectTarget } from "../machinery.ts";
import type { PodLogs } from "../pod-logs.ts";
import { existing } from "../read.ts";
import { agentOf, containerOf } from "./pod-agent.ts";
import { booleanParameter, formatParameter, integerParameter } from "./query.ts";
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

/** Only what is known, and has the right form, goes on to the agent; `format` is ours (agent/log-query). @throws ApiFault BadRequest */
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
  passed.set("format", formatParameter(query));
  return passed;
}
