import { annotation, label } from "@shallop/sdk/api";
import { describe, expect, test } from "vitest";
import { configuration, hoursAgo, meta, ready, revision, wallMs } from "../plans.fixture.ts";
import { collectRules, planCollection } from "./collect.ts";
import { type ConfigurationWorld, planConfiguration } from "./plan.ts";

const up = { conditions: ready("True") };

interface Row {
  readonly name: string;
  readonly configuration?: Parameters<typeof configuration>[0];
  readonly revisions?: readonly ReturnType<typeof revision>[];
  readonly others?: readonly ReturnType<typeof revision>[];
  readonly creates?: string;
  readonly created: string | undefined;
  readonly latestReady: string | undefined;
  readonly ready: string;
}
const second = { metadata: meta("hello", { generation: 2 }) };
const rows: Row[] = [
  {
    name: "the first",
    creates: "hello-00001",
    created: "hello-00001",
    latestReady: undefined,
    ready: "Unknown RevisionPending",
  },
  {
    name: "it is there",
    revisions: [revision(1)],
    created: "hello-00001",
    latestReady: undefined,
    ready: "Unknown RevisionPending",
  },
  {
    name: "it is ready",
    revisions: [revision(1, up)],
    created: "hello-00001",
    latestReady: "hello-00001",
    ready: "True",
  },
  {
    name: "it failed",
    revisions: [revision(1, { conditions: ready("False", "no image") })],
    created: "hello-00001",
    latestReady: undefined,
    ready: "False RevisionFailed",
  },
  {
    name: "the second, while the first serves",
    configuration: { ...second, status: { latestReadyRevisionName: "hello-00001" } },
    revisions: [revision(1, up)],
    creates: "hello-00002",
    created: "hello-00002",
    latestReady: "hello-00001",
    ready: "Unknown RevisionPending",
  },
  {
    name: "the second is ready",
    configuration: { ...second, status: { latestReadyRevisionName: "hello-00001" } },
    revisions: [revision(1, up), revision(2, up)],
    created: "hello-00002",
    latestReady: "hello-00002",
    ready: "True",
  },
  {
    name: "the latest ready one stays the latest, though it is not ready now",
    configuration: { ...second, status: { latestReadyRevisionName: "hello-00002" } },
    revisions: [revision(1, up), revision(2, { conditions: ready("False", "crash") })],
    created: "hello-00002",
    latestReady: "hello-00002",
    ready: "False RevisionFailed",
  },
  {
    name: "a name of its own",
    configuration: {
      spec: { template: { metadata: { name: "hello-blue" }, spec: { containers: [{ image: "hello:1" }] } } },
    },
    creates: "hello-blue",
    created: "hello-blue",
    latestReady: undefined,
    ready: "Unknown RevisionPending",
  },
  {
    name: "a name that another one's revision has",
    others: [revision(1, {}, { ownerReferences: [] })],
    created: undefined,
    latestReady: undefined,
    ready: "False RevisionFailed",
  },
];

function worldOf(row: Row): ConfigurationWorld {
  const all = [...(row.revisions ?? []), ...(row.others ?? [])];
  return {
    configuration: configuration(row.configuration),
    revisions: row.revisions ?? [],
    revision: (name) => all.find(({ metadata }) => metadata.name === name),
    wallMs,
  };
}

test.each(rows)("planConfiguration: $name", (row) => {
  const { create, status } = planConfiguration(worldOf(row));
  expect(create?.metadata.name).toBe(row.creates);
  expect(status.latestCreatedRevisionName).toBe(row.created);
  expect(status.latestReadyRevisionName).toBe(row.latestReady);
  const condition = status.conditions?.find(({ type }) => type === "Ready");
  expect([condition?.status, condition?.reason].filter((word) => word !== undefined).join(" ")).toBe(row.ready);
});

test("why a revision failed is told in one sentence, whether or not it ends as one", () => {
  const told = (message: string): string | undefined => {
    const revisions = [revision(1, { conditions: [{ type: "Ready", status: "False", message }] })];
    const { status } = planConfiguration(worldOf({ ...rows[0]!, revisions }));
    return status.conditions?.find(({ type }) => type === "Ready")?.message;
  };
  expect(told("no image")).toBe('Revision "hello-00001" failed with message: no image.');
  expect(told("It has no image.")).toBe('Revision "hello-00001" failed with message: It has no image.');
});

test("a revision has the template's labels and annotations, and Knative's own", () => {
  const { create } = planConfiguration(
    worldOf({
      ...rows[0]!,
      configuration: {
        metadata: meta("hello", {
          labels: { [label.service]: "hello", team: "a" },
          annotations: { [annotation.creator]: "ann", [annotation.lastModifier]: "bob", note: "c" },
        }),
        spec: {
          template: {
            metadata: { labels: { tier: "web" }, annotations: { "autoscaling.knative.dev/min-scale": "1" } },
            spec: { containers: [{ image: "hello:1" }] },
          },
        },
      },
    }),
  );
  expect(create?.metadata.labels).toEqual({
    tier: "web",
    [label.service]: "hello",
    [label.configuration]: "hello",
    [label.configurationUid]: "uid-of-hello",
    [label.configurationGeneration]: "1",
    [label.routingState]: "pending",
  });
  expect(create?.metadata.annotations).toEqual({
    "autoscaling.knative.dev/min-scale": "1",
    [annotation.creator]: "bob",
  });
});

describe("collection", () => {
  const old = (generation: number, more: Parameters<typeof revision>[2] = {}) =>
    revision(generation, up, { creationTimestamp: hoursAgo(49 + 1000 - generation), ...more });
  const many = (count: number) => Array.from({ length: count }, (_, index) => old(index + 1));
  const names = (all: readonly ReturnType<typeof revision>[]): string[] =>
    planCollection(configuration({ status: { latestReadyRevisionName: "hello-09999" } }), all, wallMs).map(
      ({ metadata }) => metadata.name,
    );

  test("twenty stay whatever their age", () => {
    expect(names(many(collectRules.idleMin))).toEqual([]);
    expect(names(many(collectRules.idleMin + 2))).toEqual(["hello-00001", "hello-00002"]);
  });
  test("what was made within two days, or served within 15 hours, stays", () => {
    const young = revision(1, up, { creationTimestamp: hoursAgo(47) });
    const served = old(2, { annotations: { [annotation.routingStateModified]: hoursAgo(14) } });
    expect(names([...many(25).slice(2), young, served])).not.toContain("hello-00001");
    expect(names([...many(25).slice(2), young, served])).not.toContain("hello-00002");
  });
  test("what a route names, the latest ones, and what is marked, stay for ever", () => {
    const kept = [
      old(1, { labels: { [label.routingState]: "active" } }),
      old(2, { annotations: { [annotation.noGc]: "true" } }),
      { ...old(3), metadata: { ...old(3).metadata, name: "hello-09999" } },
    ];
    expect(names([...kept, ...many(23).slice(3)])).toEqual([]);
  });
  test("more than a thousand are too many, whatever their age", () => {
    const young = Array.from({ length: collectRules.idleMax + 1 }, (_, index) =>
      revision(index + 1, up, { creationTimestamp: hoursAgo(40 - index / 1000) }),
    );
    expect(names(young)).toEqual(["hello-00001"]);
  });
});
