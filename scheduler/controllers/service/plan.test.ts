import { routes, services, type Service } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { configuration, meta, ownedBy, ready, route, service, wallMs } from "../plans.fixture.ts";
import { planService, type ServiceWorld } from "./plan.ts";

const child = {
  ...ownedBy(services, "hello"),
  labels: { "serving.knative.dev/service": "hello", "serving.knative.dev/serviceUID": "uid-of-hello" },
};
const readyStatus = { observedGeneration: 1, conditions: ready("True") };
const ownConfiguration = (status = {}) =>
  configuration({
    metadata: meta("hello", child),
    status: {
      ...readyStatus,
      latestReadyRevisionName: "hello-00001",
      latestCreatedRevisionName: "hello-00001",
      ...status,
    },
  });
const assigned = [{ revisionName: "hello-00001", latestRevision: true, percent: 100 }];
const ownRoute = (status = {}) =>
  route({
    metadata: meta("hello", child),
    status: { ...readyStatus, url: "http://hello", traffic: assigned, ...status },
  });

/** What a Route says whose newest revision has failed. */
const takenBack = (canary: string) => ({
  conditions: [
    { type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" },
    { type: "Rollout", status: "False", reason: "RolledBack", lastTransitionTime: "2026-01-01T00:00:00Z" },
  ],
  traffic: [
    { latestRevision: true, revisionName: canary, percent: 0 },
    { latestRevision: false, revisionName: "hello-00001", percent: 100 },
  ],
});

interface Row {
  readonly name: string;
  readonly world: Partial<ServiceWorld>;
  readonly actions: readonly string[];
  /** `STATUS reason` of Ready. */
  readonly ready: string;
}
const rows: Row[] = [
  { name: "makes both", world: {}, actions: ["create-configuration", "create-route"], ready: "Unknown OutOfDate" },
  {
    name: "nothing to do",
    world: { configuration: ownConfiguration(), route: ownRoute() },
    actions: [],
    ready: "True",
  },
  {
    name: "the template changed",
    world: {
      service: service({
        spec: {
          template: { spec: { containers: [{ image: "hello:2" }] } },
          traffic: [{ latestRevision: true, percent: 100 }],
        },
      }),
      configuration: ownConfiguration(),
      route: ownRoute(),
    },
    actions: ["update-configuration"],
    ready: "Unknown OutOfDate",
  },
  {
    name: "the traffic changed",
    world: {
      service: service({ spec: { ...service().spec, traffic: [{ revisionName: "hello-00001", percent: 100 }] } }),
      configuration: ownConfiguration(),
      route: ownRoute(),
    },
    actions: ["update-route"],
    ready: "Unknown OutOfDate",
  },
  {
    name: "somebody else's Configuration has the name",
    world: { configuration: configuration(), route: ownRoute() },
    actions: [],
    ready: "False NotOwned",
  },
  {
    name: "somebody else's Route has the name",
    world: { configuration: ownConfiguration(), route: route() },
    actions: [],
    ready: "False NotOwned",
  },
  {
    name: "the Configuration has not been looked at since its change",
    world: { configuration: ownConfiguration({ observedGeneration: 0 }), route: ownRoute() },
    actions: [],
    ready: "Unknown OutOfDate",
  },
  {
    name: "the Configuration has failed",
    world: { configuration: ownConfiguration({ conditions: ready("False", "no image") }), route: ownRoute() },
    actions: [],
    ready: "False Because",
  },
  {
    name: "requests still go to the revision before",
    world: { configuration: ownConfiguration({ latestReadyRevisionName: "hello-00002" }), route: ownRoute() },
    actions: [],
    ready: "Unknown TrafficNotMigrated",
  },
  {
    name: "the newest revision was taken back",
    world: {
      configuration: ownConfiguration({ latestReadyRevisionName: "hello-00002" }),
      route: ownRoute(takenBack("hello-00002")),
    },
    actions: [],
    ready: "False RolledBack",
  },
  {
    name: "the revision before the newest was taken back",
    world: {
      configuration: ownConfiguration({ latestReadyRevisionName: "hello-00003" }),
      route: ownRoute(takenBack("hello-00002")),
    },
    actions: [],
    ready: "Unknown TrafficNotMigrated",
  },
  {
    name: "labels and annotations are passed on, kubectl's own note is not",
    world: {
      service: service({
        metadata: meta("hello", {
          labels: { team: "a" },
          annotations: { note: "b", "kubectl.kubernetes.io/last-applied-configuration": "{}" },
        }),
      }),
      configuration: ownConfiguration(),
      route: ownRoute(),
    },
    actions: ["update-configuration", "update-route"],
    ready: "True",
  },
];

const worldOf = (row: Row): ServiceWorld => ({
  service: service(),
  configuration: undefined,
  route: undefined,
  wallMs,
  ...row.world,
});

test.each(rows)("planService: $name", (row) => {
  const plan = planService(worldOf(row));
  expect(plan.actions.map(({ kind }) => kind)).toEqual(row.actions);
  const condition = plan.status.conditions?.find(({ type }) => type === "Ready");
  expect([condition?.status, condition?.reason].filter((word) => word !== undefined).join(" ")).toBe(row.ready);
  expect(plan.status.observedGeneration).toBe(1);
});

test("what the Service says no more, its Route does no more; what others have noted stays", () => {
  const annotations = { "rollout.shallop.dev/interval": "5s" };
  const said = service({ metadata: meta("hello", { annotations }) });
  const before = {
    ...annotations,
    "rollout.shallop.dev/steps": "5,25",
    "rollout.shallop.dev/state": "{}",
    "networking.knative.dev/http-protocol": "redirected",
    "serving.knative.dev/rollout-duration": "60s",
    note: "somebody's",
  };
  const route = ownRoute();
  const plan = planService({
    ...worldOf(rows[0]!),
    service: said,
    configuration: ownConfiguration(),
    route: { ...route, metadata: { ...route.metadata, annotations: before } },
  });
  const update = plan.actions.find(({ kind }) => kind === "update-route");
  expect(update?.object.metadata.annotations).toEqual({
    ...annotations,
    "rollout.shallop.dev/state": "{}",
    note: "somebody's",
  });
});

test("what is made carries what it inherits, and only that", () => {
  const annotations = { note: "b", "kubectl.kubernetes.io/last-applied-configuration": "{}" };
  const made: Service = service({ metadata: meta("hello", { labels: { team: "a" }, annotations }) });
  const [create, createRoute] = planService({ ...worldOf(rows[0]!), service: made }).actions;
  expect(create?.object.metadata).toEqual({
    name: "hello",
    namespace: "default",
    labels: { team: "a", "serving.knative.dev/service": "hello", "serving.knative.dev/serviceUID": "uid-of-hello" },
    annotations: { note: "b" },
    ...ownedBy(services, "hello"),
  });
  expect(createRoute?.object.kind).toBe(routes.kind);
});

test("a condition that stays keeps the time of its transition", () => {
  const world = worldOf(rows[1]!);
  const first = planService(world).status;
  const second = planService({ ...world, service: service({ status: first }), wallMs: wallMs + 60_000 }).status;
  expect(second).toEqual(first);
});
