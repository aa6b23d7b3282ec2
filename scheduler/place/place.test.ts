import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Pod } from "@shallop/sdk/api";
import { type Placement, placePod, placePods } from "./bind.ts";
import { demandOf, nothingTaken, withDefaultRequests } from "./demand.ts";
import { type RefusalCode, refusalSentence, refuseHome, refusePod, type Workload } from "./filter.ts";
import { chooseHomes, homesWanted, homeTriesMax } from "./homes.ts";
import { type NodeView, type PlacedPod, placedPod } from "./node-view.ts";
import { rendezvousOrder } from "./rendezvous.ts";

const gib = 2 ** 30;
const node = (name: string, more: Partial<NodeView> = {}): NodeView => ({
  name,
  ready: true,
  unschedulable: false,
  taints: [],
  labels: {},
  features: { native: true },
  allocatable: { cpu: 2, memoryBytes: 4 * gib, pods: 110 },
  taken: nothingTaken,
  pods: [],
  ...more,
});
const workload = (more: Partial<Workload> = {}): Workload => ({
  revision: "default/hello-00001",
  demand: { cpu: 0.1, memoryBytes: gib },
  wish: "any",
  prepared: new Set(),
  preparing: new Set(),
  unusable: new Map(),
  ...more,
});
const podWith = (spec: Partial<Pod["spec"]>, labels: Record<string, string> = {}): PlacedPod =>
  placedPod({
    metadata: {
      name: "p",
      namespace: "default",
      uid: "",
      resourceVersion: "",
      creationTimestamp: "",
      generation: 1,
      labels,
    },
    spec: { containers: [], ...spec },
  });
const onPort = (ip: string, port: number): PlacedPod => ({
  ...podWith({}),
  hostPorts: [{ protocol: "TCP", ip, port }],
});
const dbTaint = { key: "dedicated", value: "db", effect: "NoSchedule" };
const boundTo = (placement: Placement): string | undefined => (placement.kind === "bound" ? placement.node : undefined);

describe("filter", () => {
  const cases: {
    name: string;
    node: Partial<NodeView>;
    workload?: Partial<Workload>;
    code: RefusalCode | undefined;
  }[] = [
    { name: "an empty node fits", node: {}, code: undefined },
    { name: "a node that is not ready", node: { ready: false }, code: "NOT_READY" },
    { name: "a cordoned node", node: { unschedulable: true }, code: "UNSCHEDULABLE" },
    { name: "a tainted node", node: { taints: [dbTaint] }, code: "TAINTED" },
    { name: "a taint that only weighs", node: { taints: [{ key: "k", effect: "PreferNoSchedule" }] }, code: undefined },
    {
      name: "native wanted, none possible",
      node: { features: { native: false } },
      workload: { wish: "native" },
      code: "NO_NATIVE",
    },
    { name: "native impossible, but not asked for", node: { features: { native: false } }, code: undefined },
    {
      name: "the image cannot run there",
      node: {},
      workload: { unusable: new Map([["a", "no variant"]]) },
      code: "IMAGE_UNUSABLE",
    },
    {
      name: "a port of the node that another pod has",
      node: { pods: [onPort("10.0.0.1", 80)] },
      workload: { pod: onPort("0.0.0.0", 80) },
      code: "PORT_TAKEN",
    },
    {
      name: "the same port at another address of the node",
      node: { pods: [onPort("10.0.0.1", 80)] },
      workload: { pod: onPort("10.0.0.2", 80) },
      code: undefined,
    },
    { name: "one pod below the limit", node: { taken: { ...nothingTaken, pods: 109 } }, code: undefined },
    { name: "the limit of pods", node: { taken: { ...nothingTaken, pods: 110 } }, code: "TOO_MANY_PODS" },
    { name: "cpu to the last millicore", node: { taken: { ...nothingTaken, cpu: 1.9 } }, code: undefined },
    { name: "no cpu", node: { taken: { ...nothingTaken, cpu: 1.901 } }, code: "NO_CPU" },
    { name: "memory to the last byte", node: { taken: { ...nothingTaken, memoryBytes: 3 * gib } }, code: undefined },
    { name: "no memory", node: { taken: { ...nothingTaken, memoryBytes: 3 * gib + 1 } }, code: "NO_MEMORY" },
  ];
  test.each(cases)("refusePod: $name", (row) => {
    expect(refusePod(node("a", row.node), workload(row.workload))?.code).toBe(row.code);
  });

  test("ten tenths of a core fit one core", () => {
    let taken = nothingTaken;
    for (let count = 0; count < 9; count++) taken = { ...taken, cpu: taken.cpu + 0.1 };
    expect(refusePod(node("a", { taken, allocatable: { cpu: 1, memoryBytes: 4 * gib, pods: 9 } }), workload())).toBe(
      undefined,
    );
  });

  test("a full node can be a home, one that is too small cannot", () => {
    expect(refuseHome(node("a", { taken: { cpu: 2, memoryBytes: 4 * gib, pods: 110 } }), workload())).toBe(undefined);
    const small = node("a", { allocatable: { cpu: 2, memoryBytes: gib - 1, pods: 110 } });
    expect(refuseHome(small, workload())?.code).toBe("NO_MEMORY");
  });

  test("the sentence counts the reasons and names the nodes", () => {
    const refusals = [
      node("a", { ready: false }),
      node("b", { ready: false }),
      node("c", { unschedulable: true }),
    ].flatMap((view) => refusePod(view, workload()) ?? []);
    expect(refusalSentence(refusals)).toBe(
      "0/3 nodes are available: 2 not ready, 1 cordoned (a: the node is not ready; b: the node is not ready; " +
        "c: the node is cordoned (spec.unschedulable))",
    );
    expect(refusalSentence([])).toContain("no node has joined");
  });
});

describe("score and bind", () => {
  const cases: {
    name: string;
    nodes: NodeView[];
    workload?: Partial<Workload>;
    pods?: [string, number][];
    to: string | undefined;
  }[] = [
    { name: "no node", nodes: [], to: undefined },
    {
      name: "the emptier one",
      nodes: [node("a", { taken: { cpu: 1, memoryBytes: gib, pods: 3 } }), node("b")],
      to: "b",
    },
    {
      name: "the prepared one, though it is fuller",
      nodes: [node("a", { taken: { cpu: 1, memoryBytes: gib, pods: 3 } }), node("b")],
      workload: { prepared: new Set(["a"]) },
      to: "a",
    },
    {
      name: "of two prepared ones that without a pod of the revision",
      nodes: [node("a"), node("b", { taken: { cpu: 1, memoryBytes: gib, pods: 3 } })],
      workload: { prepared: new Set(["a", "b"]) },
      pods: [["a", 1]],
      to: "b",
    },
    {
      name: "another one when the prepared one is full",
      nodes: [node("a", { taken: { cpu: 2, memoryBytes: 0, pods: 3 } }), node("b")],
      workload: { prepared: new Set(["a"]) },
      to: "b",
    },
  ];
  test.each(cases)("placePod: $name", ({ nodes, workload: more, pods = [], to }) => {
    expect(boundTo(placePod(workload(more), nodes, new Map(pods)))).toBe(to);
  });

  test("a placement says why there, and why not elsewhere", () => {
    const placement = placePod(
      workload({ prepared: new Set(["a"]) }),
      [node("a"), node("b", { ready: false })],
      new Map(),
    );
    expect(placement.sentence).toBe(
      "a has 585 points (image prepared 100×3, spread 100×2, free 85×1), the only node that fits; refused b: the node is not ready",
    );
    expect(placement.refusals).toEqual([{ node: "b", code: "NOT_READY", sentence: "the node is not ready" }]);
  });

  test("pods of one revision are spread over its homes", () => {
    const placements = placePods(workload({ prepared: new Set(["a", "b"]) }), [node("a"), node("b"), node("c")], {
      count: 4,
      podsByNode: new Map(),
    });
    expect(placements.map(boundTo)).toEqual(expect.arrayContaining(["a", "b"]));
    expect(placements.filter((placement) => boundTo(placement) === "a")).toHaveLength(2);
    expect(placements.filter((placement) => boundTo(placement) === "b")).toHaveLength(2);
  });

  const spreads: { name: string; count: number; preparing: string[]; taken?: NodeView["taken"]; pods: string[] }[] = [
    { name: "one goes where the image is", count: 1, preparing: ["b"], pods: ["a"] },
    {
      name: "one goes where the image is, though it is fuller",
      count: 1,
      preparing: ["b"],
      taken: { cpu: 1.5, memoryBytes: 2 * gib, pods: 9 },
      pods: ["a"],
    },
    { name: "two are spread", count: 2, preparing: ["b"], pods: ["a", "b"] },
    { name: "the third goes where it starts at once", count: 3, preparing: ["b"], pods: ["a", "a", "b"] },
    { name: "four are spread evenly", count: 4, preparing: ["b"], pods: ["a", "a", "b", "b"] },
    { name: "a home that is not coming up gets none", count: 2, preparing: [], pods: ["a", "a"] },
  ];
  test.each(spreads)("a new revision with one home prepared of two: $name", ({ count, preparing, taken, pods }) => {
    const nodes = [node("a", taken === undefined ? {} : { taken }), node("b")];
    const demand = { cpu: 0.1, memoryBytes: gib / 10 };
    const placements = placePods(workload({ demand, prepared: new Set(["a"]), preparing: new Set(preparing) }), nodes, {
      count,
      podsByNode: new Map(),
    });
    expect(placements.map((placement) => boundTo(placement) ?? "-").sort((a, b) => (a < b ? -1 : 1))).toEqual(pods);
  });

  const arbitraryNodes = fc.uniqueArray(
    fc.record({
      name: fc.stringMatching(/^[a-z]{1,8}$/),
      ready: fc.boolean(),
      cpu: fc.integer({ min: 0, max: 4 }),
      memoryGib: fc.integer({ min: 0, max: 8 }),
      pods: fc.integer({ min: 0, max: 12 }),
    }),
    { selector: ({ name }) => name, maxLength: 8 },
  );

  test("never over capacity, never on a node that refuses, and all are placed that fit", () => {
    fc.assert(
      fc.property(arbitraryNodes, fc.integer({ min: 0, max: 60 }), (specs, count) => {
        const nodes = specs.map(({ name, ready, cpu, memoryGib, pods }) =>
          node(name, { ready, allocatable: { cpu, memoryBytes: memoryGib * gib, pods } }),
        );
        const demand = { cpu: 0.5, memoryBytes: gib };
        const placements = placePods(workload({ demand }), nodes, { count, podsByNode: new Map() });
        const room = nodes.map(({ name, ready, allocatable }) => ({
          name,
          most: ready ? Math.min(allocatable.pods, allocatable.cpu / 0.5, allocatable.memoryBytes / gib) : 0,
        }));
        for (const { name, most } of room) {
          expect(placements.filter((placement) => boundTo(placement) === name).length).toBeLessThanOrEqual(most);
        }
        const placed = placements.filter(({ kind }) => kind === "bound").length;
        expect(placed).toBe(
          Math.min(
            count,
            room.reduce((sum, { most }) => sum + most, 0),
          ),
        );
      }),
    );
  });
});

describe("homes", () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z0-9-]{1,12}$/), { minLength: 1, maxLength: 20 });

  test("losing a node moves only what was on it; a new node takes only what it now comes first for", () => {
    fc.assert(
      fc.property(names, fc.string(), fc.nat(), (nodes, key, at) => {
        const lost = nodes[at % nodes.length];
        const before = rendezvousOrder(key, nodes);
        const after = rendezvousOrder(
          key,
          nodes.filter((name) => name !== lost),
        );
        expect(after).toEqual(before.filter((name) => name !== lost));
      }),
    );
  });

  test("the order does not depend on the order of the nodes", () => {
    fc.assert(
      fc.property(names, fc.string(), (nodes, key) => {
        expect(rendezvousOrder(key, nodes.toReversed())).toEqual(rendezvousOrder(key, nodes));
      }),
    );
  });

  test("a thousand revisions spread evenly over ten nodes", () => {
    const nodes = Array.from({ length: 10 }, (_, index) => `node-${String(index)}`);
    const counts = new Map<string, number>();
    for (let index = 0; index < 1000; index++) {
      const [first = ""] = rendezvousOrder(`default/hello-${String(index).padStart(5, "0")}`, nodes);
      counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    // 100 each; four standard deviations of a fair draw are 38.
    for (const name of nodes) expect(Math.abs((counts.get(name) ?? 0) - 100)).toBeLessThan(38);
  });

  test("two homes of those that fit; one that is lost is replaced and the other stays", () => {
    const nodes = ["a", "b", "c", "d"].map((name) => node(name));
    const { nodes: homes } = chooseHomes(workload(), nodes, []);
    expect(homes).toHaveLength(homesWanted);
    const without = nodes.map((view) => (view.name === homes[0] ? { ...view, ready: false } : view));
    const next = chooseHomes(workload(), without, homes).nodes;
    expect(next).toHaveLength(homesWanted);
    expect(next).toContain(homes[1]);
    expect(next).not.toContain(homes[0]);
  });

  test("homes stay while no other node fits, and go with their Node object", () => {
    expect(chooseHomes(workload(), [node("a", { ready: false })], ["a"]).nodes).toEqual(["a"]);
    expect(chooseHomes(workload(), [], ["a"]).nodes).toEqual([]);
    expect(chooseHomes(workload(), [node("a", { ready: false })], []).nodes).toEqual([]);
  });

  test("a node where the image cannot run stays in the list, and another one is asked beside it", () => {
    const nodes = ["a", "b", "c"].map((name) => node(name));
    const [first = "", second = "", third = ""] = rendezvousOrder(workload().revision, ["a", "b", "c"]);
    const unusable = new Map([[first, "no native variant for amd64"]]);
    const homes = chooseHomes(workload({ unusable }), nodes, [first, second]);
    expect(homes.nodes).toEqual([first, second, third]);
    expect(homes.refusals.map(({ code }) => code)).toEqual(["IMAGE_UNUSABLE"]);
  });

  test("an image that runs nowhere is not pulled by every node", () => {
    const nodes = Array.from({ length: 30 }, (_, index) => node(`n${String(index)}`));
    const unusable = new Map(nodes.map(({ name }) => [name, "not a component"]));
    expect(chooseHomes(workload({ unusable }), nodes, []).nodes).toHaveLength(homeTriesMax);
  });
});

describe("demand", () => {
  const cases: { name: string; resources: object; cpu: number; memoryBytes: number }[] = [
    { name: "nothing said: the defaults", resources: {}, cpu: 0.01, memoryBytes: 32 * 2 ** 20 },
    {
      name: "requests",
      resources: { requests: { cpu: "250m", memory: "64Mi" } },
      cpu: 0.25,
      memoryBytes: 64 * 2 ** 20,
    },
    {
      name: "limits stand in for requests",
      resources: { limits: { cpu: 1, memory: "1Gi" } },
      cpu: 1,
      memoryBytes: gib,
    },
    {
      name: "requests win over limits",
      resources: { limits: { memory: "1Gi" }, requests: { memory: "16Mi" } },
      cpu: 0.01,
      memoryBytes: 16 * 2 ** 20,
    },
  ];
  test.each(cases)("$name", ({ resources, cpu, memoryBytes }) => {
    const container = withDefaultRequests({ image: "hello:1", resources });
    expect(demandOf({ containers: [container] })).toEqual({ cpu, memoryBytes });
  });
});

describe("what a pod asks of its node and of its neighbours", () => {
  const zone = (name: string, at: string, more: Partial<NodeView> = {}): NodeView =>
    node(name, { labels: { zone: at, "kubernetes.io/hostname": name }, ...more });
  const app = { matchLabels: { app: "x" } };
  const x = podWith({}, { app: "x" });
  const required = <Term>(term: Term) => ({ requiredDuringSchedulingIgnoredDuringExecution: [term] });
  const beside = { labelSelector: app, topologyKey: "zone" };
  const place = (
    spec: Partial<Pod["spec"]>,
    nodes: readonly NodeView[],
    labels: Record<string, string> = { app: "x" },
  ) => placePod(workload({ pod: podWith(spec, labels) }), nodes, new Map());
  const [a, b] = [zone("a", "1"), zone("b", "2")];
  const cases: { name: string; spec: Partial<Pod["spec"]>; nodes: readonly NodeView[]; at: string | undefined }[] = [
    { name: "nodeSelector", spec: { nodeSelector: { zone: "2" } }, nodes: [a, b], at: "b" },
    { name: "nodeSelector that nobody has", spec: { nodeSelector: { zone: "3" } }, nodes: [a, b], at: undefined },
    {
      name: "a term of node affinity, by operator",
      spec: {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [
                { matchExpressions: [{ key: "zone", operator: "Gt", values: ["1"] }] },
                { matchFields: [{ key: "metadata.name", operator: "In", values: ["nobody"] }] },
              ],
            },
          },
        },
      },
      nodes: [a, b],
      at: "b",
    },
    {
      name: "preferred node affinity",
      spec: {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 1, preference: { matchExpressions: [{ key: "zone", operator: "In", values: ["2"] }] } },
            ],
          },
        },
      },
      nodes: [a, b],
      at: "b",
    },
    {
      name: "affinity joins",
      spec: { affinity: { podAffinity: required(beside) } },
      nodes: [a, { ...b, pods: [x] }],
      at: "b",
    },
    {
      name: "the first of its kind joins nobody",
      spec: { affinity: { podAffinity: required(beside) } },
      nodes: [b],
      at: "b",
    },
    {
      name: "affinity to others that are nowhere",
      spec: { affinity: { podAffinity: required({ ...beside, labelSelector: { matchLabels: { app: "y" } } }) } },
      nodes: [a, b],
      at: undefined,
    },
    {
      name: "anti-affinity keeps away, in the whole zone",
      spec: { affinity: { podAntiAffinity: required(beside) } },
      nodes: [a, { ...b, pods: [x] }, zone("c", "2")],
      at: "a",
    },
    {
      name: "those there may mind, too",
      spec: {},
      nodes: [{ ...a, pods: [podWith({ affinity: { podAntiAffinity: required(beside) } })] }, b],
      at: "b",
    },
    {
      name: "spread over zones",
      spec: {
        topologySpreadConstraints: [
          { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule", labelSelector: app },
        ],
      },
      nodes: [{ ...a, pods: [x] }, { ...zone("c", "1") }, b],
      at: "b",
    },
    {
      name: "a taint that is tolerated",
      spec: { tolerations: [{ key: "dedicated", value: "db" }] },
      nodes: [{ ...a, taints: [dbTaint] }],
      at: "a",
    },
    {
      name: "of another value",
      spec: { tolerations: [{ key: "dedicated", value: "x" }] },
      nodes: [{ ...a, taints: [dbTaint] }],
      at: undefined,
    },
    {
      name: "all taints",
      spec: { tolerations: [{ operator: "Exists" }] },
      nodes: [{ ...a, taints: [dbTaint], unschedulable: true }],
      at: "a",
    },
  ];
  test.each(cases)("$name", ({ spec, nodes, at }) => {
    expect(boundTo(place(spec, nodes))).toBe(at);
  });

  test("the sentence is kube-scheduler's", () => {
    const { sentence } = place({ nodeSelector: { zone: "3" } }, [a, { ...b, taints: [dbTaint] }]);
    expect(sentence).toMatch(
      /^0\/2 nodes are available: 1 node\(s\) didn't match Pod's node affinity\/selector, 1 node\(s\) had untolerated taint/,
    );
  });
});
