import { label } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { configuration, meta, ready, revision, route, wallMs } from "../plans.fixture.ts";
import { planRoute, planRoutingState, type RouteWorld } from "./plan.ts";

const up = { conditions: ready("True") };
const latest = (name: string) =>
  configuration({ status: { latestReadyRevisionName: name, conditions: ready("True") } });

interface Row {
  readonly name: string;
  readonly route?: Parameters<typeof route>[0];
  readonly configurations?: readonly ReturnType<typeof configuration>[];
  readonly revisions?: readonly ReturnType<typeof revision>[];
  /** `revision:percent` of the status. */
  readonly traffic: readonly string[] | undefined;
  readonly ready: string;
}
const rows: Row[] = [
  {
    name: "the latest ready revision",
    configurations: [latest("hello-00002")],
    revisions: [revision(1, up), revision(2, up)],
    traffic: ["hello-00002:100"],
    ready: "True",
  },
  { name: "no configuration", traffic: undefined, ready: "False ConfigurationMissing" },
  { name: "no revision yet", configurations: [configuration()], traffic: undefined, ready: "Unknown RevisionMissing" },
  {
    name: "the first revision failed",
    configurations: [configuration({ status: { conditions: ready("False", "no image") } })],
    traffic: undefined,
    ready: "False RevisionMissing",
  },
  {
    name: "by name",
    route: { spec: { traffic: [{ revisionName: "hello-00001", percent: 100 }] } },
    revisions: [revision(1, up)],
    traffic: ["hello-00001:100"],
    ready: "True",
  },
  {
    name: "by a name that is not there: requests go where they went",
    route: {
      spec: { traffic: [{ revisionName: "hello-00009", percent: 100 }] },
      status: { traffic: [{ revisionName: "hello-00001", percent: 100 }] },
    },
    revisions: [revision(1, up)],
    traffic: ["hello-00001:100"],
    ready: "False RevisionMissing",
  },
  {
    name: "by the name of one that is not ready yet",
    route: {
      spec: { traffic: [{ revisionName: "hello-00002", percent: 100 }] },
      status: { traffic: [{ revisionName: "hello-00001", percent: 100 }] },
    },
    revisions: [revision(1, up), revision(2)],
    traffic: ["hello-00001:100"],
    ready: "Unknown RevisionMissing",
  },
  {
    name: "one that has traffic keeps it, though it is not ready now",
    route: {
      spec: { traffic: [{ revisionName: "hello-00001", percent: 100 }] },
      status: { traffic: [{ revisionName: "hello-00001", percent: 100 }] },
    },
    revisions: [revision(1, { conditions: ready("False", "crash") })],
    traffic: ["hello-00001:100"],
    ready: "True",
  },
  {
    name: "split",
    route: {
      spec: {
        traffic: [
          { revisionName: "hello-00001", percent: 90 },
          { configurationName: "hello", latestRevision: true, percent: 10 },
        ],
      },
    },
    configurations: [latest("hello-00002")],
    revisions: [revision(1, up), revision(2, up)],
    traffic: ["hello-00001:90", "hello-00002:10"],
    ready: "True",
  },
];

function worldOf(row: Row, gatewayPort = 8080): RouteWorld {
  return {
    route: route(row.route),
    addresses: { domain: "localhost", gatewayPort, gatewayHost: "127.0.0.1" },
    wallMs,
    configuration: (name) => row.configurations?.find(({ metadata }) => metadata.name === name),
    revision: (name) => row.revisions?.find(({ metadata }) => metadata.name === name),
  };
}

test.each(rows)("planRoute: $name", (row) => {
  const status = planRoute(worldOf(row));
  expect(status.traffic?.map(({ revisionName = "", percent = 0 }) => `${revisionName}:${String(percent)}`)).toEqual(
    row.traffic,
  );
  const condition = status.conditions?.find(({ type }) => type === "Ready");
  expect([condition?.status, condition?.reason].filter((word) => word !== undefined).join(" ")).toBe(row.ready);
  expect(status.url).toBe("http://hello.default.localhost:8080");
});

test("tags have addresses of their own, and port 80 is left out", () => {
  const row: Row = {
    name: "",
    route: { spec: { traffic: [{ revisionName: "hello-00001", percent: 100, tag: "old" }] } },
    revisions: [revision(1, up)],
    traffic: [],
    ready: "",
  };
  const status = planRoute(worldOf(row, 80));
  expect(status.traffic?.[0]?.url).toBe("http://old-hello.default.localhost");
  expect(status.url).toBe("http://hello.default.localhost");
});

const naming = (name: string) =>
  route({ metadata: meta("r"), status: { traffic: [{ revisionName: name, percent: 100 }] } });
const states: {
  name: string;
  before: string | undefined;
  routes: ReturnType<typeof naming>[];
  after: string | undefined;
}[] = [
  { name: "a new one waits", before: undefined, routes: [], after: "pending" },
  { name: "one that waits goes on waiting", before: "pending", routes: [], after: undefined },
  { name: "named by a route", before: "pending", routes: [naming("hello-00001")], after: "active" },
  { name: "no longer named", before: "active", routes: [naming("hello-00002")], after: "reserve" },
  {
    name: "named by a route that is on its way out",
    before: "active",
    routes: [{ ...naming("hello-00001"), metadata: meta("r", { deletionTimestamp: "now" }) }],
    after: "reserve",
  },
];
test.each(states)("planRoutingState: $name", ({ before, routes, after }) => {
  const labels = before === undefined ? {} : { [label.routingState]: before };
  const plan = planRoutingState(revision(1, {}, { labels }), routes, wallMs);
  expect(plan?.labels[label.routingState]).toBe(after);
});
