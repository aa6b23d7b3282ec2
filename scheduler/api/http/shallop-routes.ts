import { ApiFault, isJsonObject, type Json, listAt, numberAt, textAt } from "@shallop/sdk/api";
import type { Explanation, LoadAnswer, LoadReport, RevisionLoad } from "@shallop/sdk/wire";
import type { Clock } from "@shallop/sdk/internal";
import { badRequest } from "../faults.ts";
import { gatewayUserName, mastersGroup, type User } from "../user.ts";
import type { GatewayDirectory } from "./gateway-directory.ts";
import { readObject } from "./request-body.ts";

/** Takes load reports; the autoscaler is one. */
export interface LoadSink {
  report(report: LoadReport): void;
}

/** Knows why a service has as many pods as it has; the autoscaler does. */
export interface Explainer {
  /** `settings` of the autoscaler to replay the last hour with. @throws ApiFault NotFound, BadRequest */
  explain(namespace: string, service: string, settings?: string): Explanation | Promise<Explanation>;
}

// A gateway reports the revisions that have requests; a cluster has some thousand.
const revisionsMax = 10_000;

export interface LoadReceiver {
  readonly sink: LoadSink;
  readonly gateways: GatewayDirectory;
  readonly clock: Clock;
}

/** POST /shallop/v1/load. @throws ApiFault Forbidden, BadRequest */
export async function receiveLoad(
  request: Request,
  user: User,
  { sink, gateways, clock }: LoadReceiver,
): Promise<Response> {
  if (user.name !== gatewayUserName && !user.groups.includes(mastersGroup)) {
    throw new ApiFault("Forbidden", `forbidden: User "${user.name}" cannot post path "/shallop/v1/load"`);
  }
  const { value } = await readObject(request, clock);
  const report = parseLoadReport(value);
  sink.report(report);
  return Response.json({ gateways: gateways.report(report, clock.nowMs()) } satisfies LoadAnswer);
}

/** @throws ApiFault BadRequest */
function parseLoadReport(body: Json): LoadReport {
  const gateway = textAt(body, "gateway") ?? "";
  const revisions = listAt(body, "revisions");
  if (!isJsonObject(body) || gateway === "" || gateway.length > 253) throw badRequest("gateway: Required value");
  if (revisions.length > revisionsMax) throw badRequest(`revisions: at most ${revisionsMax}`);
  const peerAddress = textAt(body, "peerAddress");
  if (peerAddress !== undefined && !/^[0-9A-Za-z.:[\]-]{1,260}:[0-9]{1,5}$/.test(peerAddress))
    throw badRequest("peerAddress: must be HOST:PORT");
  return {
    gateway,
    ...(peerAddress === undefined ? {} : { peerAddress }),
    ...(body["isLeaving"] === true ? { isLeaving: true } : {}),
    revisions: revisions.map(parseRevisionLoad),
  };
}

function parseRevisionLoad(load: Json, index: number): RevisionLoad {
  const name = (field: string): string => {
    const text = textAt(load, field) ?? "";
    if (text === "" || text.length > 253) throw badRequest(`revisions[${index}].${field}: Required value`);
    return text;
  };
  const amount = (field: string): number => {
    const value = numberAt(load, field);
    if (value === undefined || !Number.isFinite(value) || value < 0) {
      throw badRequest(`revisions[${index}].${field}: must be a number, at least 0`);
    }
    return value;
  };
  return {
    namespace: name("namespace"),
    revision: name("revision"),
    averageConcurrency: amount("averageConcurrency"),
    requestCount: amount("requestCount"),
    // Gateways of an earlier release do not say it.
    ...(numberAt(load, "failureCount") === undefined ? {} : { failureCount: amount("failureCount") }),
    ...(listAt(load, "latencies").length === 0 ? {} : { latencies: latenciesOf(load) }),
    periodMs: amount("periodMs"),
    waiting: amount("waiting"),
  };
}

// As many buckets as a gateway has.
const latenciesMax = 100;

/** Gateways of an earlier release do not say it; what is no pair of numbers is left out. */
const latenciesOf = (load: Json): NonNullable<RevisionLoad["latencies"]> =>
  listAt(load, "latencies")
    .slice(0, latenciesMax)
    .flatMap((pair) => {
      const [upToMs, count] = Array.isArray(pair) ? pair : [];
      return isAmount(upToMs) && isAmount(count) ? [[upToMs, count] as const] : [];
    });

const isAmount = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0;
