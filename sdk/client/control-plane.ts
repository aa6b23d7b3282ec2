import { ApiFault } from "../api/fault.ts";
import { isJsonObject } from "../api/json.ts";
import type { LogForm } from "../wire/agent.ts";
import type { Explanation, LoadAnswer, LoadReport, RequestStory, RequestTrace, RevisionRate } from "../wire/control.ts";
import type { RawClient } from "./client.ts";
import { query, segment } from "./paths.ts";

/** What of a log is wanted; as in `kubectl logs`. */
export interface LogSelection {
  /** Go on with what is written from now on. */
  readonly follow?: boolean;
  /** Begin with the last so many lines. */
  readonly tailLines?: number;
  /** `text` unless it says otherwise. */
  readonly format?: LogForm;
}

export interface PodLogSelection extends LogSelection {
  readonly container?: string;
  readonly timestamps?: boolean;
  readonly previous?: boolean;
  /** RFC 3339: lines from then on. */
  readonly sinceTime?: string;
}

/**
 * Tells the autoscaler what goes through a gateway. @returns the gateways that live; undefined: a control plane of an earlier release
 * does not say. @throws ApiFault
 */
export async function postLoadReport(
  client: RawClient,
  report: LoadReport,
  signal?: AbortSignal,
): Promise<LoadAnswer | undefined> {
  const answer = await client.request("POST", "/shallop/v1/load", {
    body: report,
    ...(signal === undefined ? {} : { signal }),
  });
  return isLoadAnswer(answer) ? answer : undefined;
}

function isLoadAnswer(value: unknown): value is LoadAnswer {
  if (!isJsonObject(value) || !Array.isArray(value["gateways"])) return false;
  return value["gateways"].every(
    (gateway) =>
      isJsonObject(gateway) &&
      typeof gateway["name"] === "string" &&
      (gateway["peerAddress"] === undefined || typeof gateway["peerAddress"] === "string"),
  );
}

/** Tells of requests that failed. @throws ApiFault */
export async function postStories(
  client: RawClient,
  stories: readonly RequestStory[],
  signal?: AbortSignal,
): Promise<void> {
  await client.request("POST", "/shallop/v1/stories", {
    body: { stories },
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Tells of requests that were traced. @throws ApiFault */
export async function postTraces(
  client: RawClient,
  traces: readonly RequestTrace[],
  signal?: AbortSignal,
): Promise<void> {
  await client.request("POST", "/shallop/v1/traces", {
    body: { traces },
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Requests by their id, or by that of their trace. @throws ApiFault NotFound, … */
export const requestTraces = (client: RawClient, id: string): Promise<readonly RequestTrace[]> =>
  readTraces(client, `/shallop/v1/traces/${segment(id, "trace id")}`);

/** The newest of a service, the newest first. @throws ApiFault Forbidden, … */
export function serviceTraces(
  client: RawClient,
  namespace: string,
  service: string,
  limit: number,
): Promise<readonly RequestTrace[]> {
  const path = `/shallop/v1/namespaces/${segment(namespace, "namespace")}/services/${segment(service, "name")}/traces`;
  return readTraces(client, `${path}?limit=${String(limit)}`);
}

async function readTraces(client: RawClient, path: string): Promise<readonly RequestTrace[]> {
  const answer = await client.request("GET", path);
  if (!isJsonObject(answer) || !Array.isArray(answer["traces"]))
    throw new ApiFault("InternalError", "the API server answered something that are no traces");
  return answer["traces"] as readonly RequestTrace[];
}

/** What goes through the gateways, the busiest revision first. `namespace`: undefined is all. @throws ApiFault Forbidden, … */
export async function requestRates(client: RawClient, namespace?: string): Promise<readonly RevisionRate[]> {
  const selection = namespace === undefined ? "" : `?namespace=${segment(namespace, "namespace")}`;
  const answer = await client.request("GET", `/shallop/v1/rates${selection}`);
  if (!isJsonObject(answer) || !Array.isArray(answer["rates"]))
    throw new ApiFault("InternalError", "the API server answered something that are no rates");
  return answer["rates"] as readonly RevisionRate[];
}

/** What became of a request that failed. @throws ApiFault NotFound, … */
export async function requestStory(client: RawClient, id: string): Promise<RequestStory> {
  const answer = await client.request("GET", `/shallop/v1/requests/${segment(id, "request id")}`);
  if (!isJsonObject(answer) || typeof answer["id"] !== "string" || !Array.isArray(answer["attempts"]))
    throw new ApiFault("InternalError", "the API server answered something that is no story of a request");
  return answer as unknown as RequestStory;
}

/**
 * Why a service has as many pods as it has.
 * @param whatIf settings of the autoscaler to replay the last hour with, `max-scale=20,target=50`
 * @throws ApiFault NotFound, BadRequest, …
 */
export async function explainService(
  client: RawClient,
  service: { readonly namespace: string; readonly name: string },
  whatIf?: string,
): Promise<Explanation> {
  const path = `${servicePath(service)}/explain${query(whatIf === undefined ? {} : { whatIf })}`;
  const answer = await client.request("GET", path);
  if (!isExplanation(answer)) throw new ApiFault("InternalError", "the API server answered something unexplained");
  return answer;
}

/** Log of all pods that a service has had, as text that ends anywhere in a line. @throws ApiFault */
export function serviceLogs(
  client: RawClient,
  service: { readonly namespace: string; readonly name: string },
  selection: LogSelection,
  signal?: AbortSignal,
): AsyncIterable<string> {
  return client.text(`${servicePath(service)}/logs${query({ ...selection })}`, signal);
}

/** Log of one pod, as text that ends anywhere in a line. @throws ApiFault */
export function podLogs(
  client: RawClient,
  pod: { readonly namespace: string; readonly name: string },
  selection: PodLogSelection,
  signal?: AbortSignal,
): AsyncIterable<string> {
  const path = `/api/v1/namespaces/${segment(pod.namespace, "namespace")}/pods/${segment(pod.name, "pod")}/log`;
  return client.text(path + query({ ...selection }), signal);
}

const servicePath = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `/shallop/v1/namespaces/${segment(namespace, "namespace")}/services/${segment(name, "service")}`;

function isExplanation(value: unknown): value is Explanation {
  if (!isJsonObject(value) || typeof value["service"] !== "string" || !Array.isArray(value["revisions"])) return false;
  return value["revisions"].every(
    (revision) =>
      isJsonObject(revision) &&
      typeof revision["revision"] === "string" &&
      Array.isArray(revision["decisions"]) &&
      Array.isArray(revision["placements"]) &&
      Array.isArray(revision["variants"]),
  );
}
