import { ApiFault, kindOf, label, revisions, services, textAt } from "@shallop/sdk/api";
import { assert, describeError, type Random } from "@shallop/sdk/internal";
import type { Metrics } from "@shallop/sdk/internal/telemetry";
import { Hono } from "hono";
import type { AgentLink } from "../agent-link.ts";
import { authorize } from "../authorize.ts";
import { serverVersion } from "../discovery.ts";
import { badRequest } from "../faults.ts";
import { joinNode, type JoinSettings } from "../join.ts";
import type { Machinery, Target } from "../machinery.ts";
import type { PodLogs } from "../pod-logs.ts";
import { serviceLogs } from "../service-logs.ts";
import type { Authenticator, User } from "../user.ts";
import { discoveryResponse } from "./discovery-routes.ts";
import { isMetrics, metricsResponse } from "./metrics-routes.ts";
import { bearerToken, identified } from "./identify.ts";
import { podLogResponse } from "./pod-log-routes.ts";
import { isStreamSubresource } from "./pod-stream-proxy.ts";
import { booleanParameter, formatParameter, integerParameter } from "./query.ts";
import { type BuiltinRegistry, proxyRegistry } from "./registry-proxy.ts";
import { readObject } from "./request-body.ts";
import { ResourceRoutes } from "./resource-routes.ts";
import { GatewayDirectory } from "./gateway-directory.ts";
import { type Explainer, type LoadSink, receiveLoad } from "./shallop-routes.ts";
import {
  metricsText,
  nodeHealthText,
  nodeMetricsText,
  nodeResourceText,
  nodeSummaryResponse,
} from "./prometheus-routes.ts";
import { RequestMetrics } from "./request-metrics.ts";
import { RequestRates } from "./request-rates.ts";
import { RequestStories } from "./request-stories.ts";
import { RequestTraces } from "./request-traces.ts";
import { faultResponse } from "./status.ts";
import { streamResponse } from "./stream-response.ts";
import { parseTarget } from "./target.ts";
import { WatchStreams } from "./watch-stream.ts";

export interface AppParts {
  readonly machinery: Machinery;
  readonly authenticator: Authenticator;
  readonly join: JoinSettings;
  readonly podLogs: PodLogs;
  readonly link: AgentLink;
  readonly loads: LoadSink;
  readonly explainer: Explainer;
  /** `http://127.0.0.1:5000`; undefined: `/v2/` is not served. */
  readonly registry: BuiltinRegistry | undefined;
  readonly random: Random;
  readonly metrics: Metrics;
  /** Ends every stream. */
  readonly closing: AbortSignal;
}

interface Context {
  readonly Variables: { user: User; auditId: string };
}

const plainText = (text: string, status = 200): Response =>
  new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });

/** Everything that the API server answers, from a Request to a Response. */
export function createApp(parts: AppParts): Hono<Context> {
  const { machinery } = parts;
  const app = new Hono<Context>();
  app.onError((error, context) => {
    if (error instanceof ApiFault) return faultResponse(error);
    const auditId = context.get("auditId");
    machinery.log.error("a request failed", error, { auditId, method: context.req.method, path: context.req.path });
    return faultResponse(
      new ApiFault("InternalError", `Internal error occurred (request ${auditId}): ${describeError(error)}`),
    );
  });
  app.notFound(() => plainText("404 page not found\n", 404));
  app.use(async (context, next) => {
    const auditId = parts.random.uuid();
    context.set("auditId", auditId);
    await next();
    context.res.headers.set("audit-id", auditId);
    context.res.headers.set("cache-control", "no-cache, private");
  });
  addOpenRoutes(app, parts);
  app.use(async (context, next) => {
    context.set("user", identified(parts.authenticator, bearerToken(context.req.header("authorization"))));
    await next();
  });
  addShallopRoutes(app, parts);
  addKubernetesRoutes(app, parts);
  return app;
}

/** What anybody may ask. */
function addOpenRoutes(app: Hono<Context>, parts: AppParts): void {
  for (const path of ["/healthz", "/livez", "/readyz"]) app.get(path, () => plainText("ok"));
  app.get("/version", () => Response.json(serverVersion));
  app.get(
    "/cacerts",
    () => new Response(parts.join.authority.certificate, { headers: { "content-type": "application/x-pem-file" } }),
  );
  // A join token is no user's; the handler checks it.
  app.post("/shallop/v1/join", async (context) => {
    const { value } = await readObject(context.req.raw, parts.machinery.clock);
    return Response.json(await joinNode(parts.join, bearerToken(context.req.header("authorization")), value), {
      status: 201,
    });
  });
}

function addShallopRoutes(app: Hono<Context>, parts: AppParts): void {
  const { machinery } = parts;
  const stories = new RequestStories();
  app.post("/shallop/v1/stories", (context) => stories.receive(context.req.raw, context.get("user"), machinery.clock));
  addTraceRoutes(app, parts);
  app.get("/shallop/v1/requests/:id", (context) => {
    const story = stories.get(context.req.param("id"));
    authorize({ user: context.get("user"), verb: "get", ...serviceTarget(story.namespace, story.revision) });
    return Response.json(story);
  });
  const rates = new RequestRates();
  const loads: LoadSink = {
    report: (report) => {
      rates.report(report, machinery.clock.nowMs());
      parts.loads.report(report);
    },
  };
  const received = { sink: loads, gateways: new GatewayDirectory(), clock: machinery.clock };
  app.post("/shallop/v1/load", (context) => receiveLoad(context.req.raw, context.get("user"), received));
  app.get("/shallop/v1/rates", (context) => {
    const namespace = context.req.query("namespace");
    authorize({ user: context.get("user"), verb: "list", ...servicesTarget(namespace) });
    return Response.json({ rates: rates.now(machinery.clock.nowMs(), namespace) });
  });
  app.get("/shallop/v1/namespaces/:namespace/services/:name/explain", async (context) => {
    const { namespace, name } = context.req.param();
    const target = serviceTarget(namespace, name);
    authorize({ user: context.get("user"), verb: "get", ...target });
    const whatIf = context.req.query("whatIf");
    return Response.json(await parts.explainer.explain(namespace, name, whatIf));
  });
  app.get("/shallop/v1/namespaces/:namespace/services/:name/logs", (context) => {
    const { namespace, name } = context.req.param();
    authorize({ user: context.get("user"), verb: "get", ...serviceTarget(namespace, name), subresource: "log" });
    const query = new URL(context.req.url).searchParams;
    const gone = new AbortController();
    const signal = AbortSignal.any([parts.closing, context.req.raw.signal, gone.signal]);
    const lines = serviceLogs(
      machinery,
      parts.podLogs,
      {
        namespace,
        service: name,
        follow: booleanParameter(query, "follow") ?? false,
        tailLines: integerParameter(query, "tailLines"),
        timestamps: booleanParameter(query, "timestamps") ?? false,
        prefix: booleanParameter(query, "prefix") ?? false,
        form: formatParameter(query),
      },
      signal,
    );
    return streamResponse(lines, gone);
  });
  app.all("/v2/*", (context) => {
    if (parts.registry === undefined) return plainText("404 page not found\n", 404);
    return proxyRegistry(context.req.raw, context.get("user"), parts.registry);
  });
}

function addTraceRoutes(app: Hono<Context>, { machinery }: AppParts): void {
  const traces = new RequestTraces();
  app.post("/shallop/v1/traces", (context) => traces.receive(context.req.raw, context.get("user"), machinery.clock));
  app.get("/shallop/v1/traces/:id", (context) => {
    const found = traces.get(context.req.param("id"));
    for (const { namespace, revision } of found) {
      authorize({ user: context.get("user"), verb: "get", ...serviceTarget(namespace, revision) });
    }
    return Response.json({ traces: found });
  });
  app.get("/shallop/v1/namespaces/:namespace/services/:name/traces", (context) => {
    const { namespace, name } = context.req.param();
    authorize({ user: context.get("user"), verb: "get", ...serviceTarget(namespace, name) });
    const limit = integerParameter(new URL(context.req.url).searchParams, "limit") ?? 10;
    const isOfService = ofService(machinery, namespace, name);
    const all = traces.newest((trace) => trace.namespace === namespace && isOfService(trace.revision), limit);
    return Response.json({ traces: all });
  });
}

function addKubernetesRoutes(app: Hono<Context>, parts: AppParts): void {
  const routes = new ResourceRoutes(parts.machinery, new WatchStreams(parts.machinery, parts.closing));
  const requests = new RequestMetrics(parts.metrics);
  app.get("/metrics", (context) => metricsText(parts.metrics, context.get("user")));
  app.get("/api/v1/nodes/:name/proxy/metrics", (context) =>
    nodeMetricsText(parts, context.req.param("name"), context.get("user")),
  );
  for (const [path, answer] of [
    ["stats/summary", nodeSummaryResponse],
    ["metrics/resource", nodeResourceText],
    ["healthz", nodeHealthText],
  ] as const)
    app.get(`/api/v1/nodes/:name/proxy/${path}`, (context) =>
      answer(parts, context.req.param("name") ?? "", { user: context.get("user"), signal: context.req.raw.signal }),
    );
  app.use(async (context, next) => {
    const startMs = parts.machinery.clock.nowMs();
    await next();
    const { pathname, searchParams: query } = new URL(context.req.url);
    const seconds = (parts.machinery.clock.nowMs() - startMs) / 1000;
    const { method } = context.req;
    requests.answered(parseTarget(pathname), { method, query }, { status: context.res.status, seconds });
  });
  app.all("*", (context) => {
    const { raw: request, path } = context.req;
    if (request.method === "GET" || request.method === "HEAD") {
      const document = discoveryResponse(request, path);
      if (document !== undefined) return document;
    }
    const { pathname, searchParams: query } = new URL(request.url);
    const target = parseTarget(pathname);
    if (target === undefined) return plainText("404 page not found\n", 404);
    const call = { request, query, user: context.get("user") };
    if (target.subresource === "log" && target.name !== undefined && request.method === "GET") {
      return podLogResponse(parts, { ...target, name: target.name }, call);
    }
    if (isMetrics(target) && request.method === "GET") return metricsResponse(parts, target, call);
    // Those that ask for another protocol never come here.
    if (isStreamSubresource(target.subresource)) throw badRequest("Upgrade request required");
    return routes.handle(target, call);
  });
}

/** Whether a revision is, or was, one of a service. */
function ofService(machinery: Machinery, namespace: string, service: string): (revision: string) => boolean {
  const kind = kindOf(revisions);
  assert(kind !== undefined, "revisions are served");
  return (name) => {
    const revision = machinery.objects.get(kind, namespace, name);
    if (revision === undefined) return name.replace(/-[0-9]{5}$/, "") === service;
    return textAt(revision, "metadata", "labels", label.service) === service;
  };
}

function servicesTarget(namespace: string | undefined): Target {
  const kind = kindOf(services);
  assert(kind !== undefined, "services are served");
  return { kind, namespace, name: undefined };
}

function serviceTarget(namespace: string, name: string): Target {
  const kind = kindOf(services);
  assert(kind !== undefined, "services are served");
  return { kind, namespace, name };
}
