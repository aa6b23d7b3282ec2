import { annotation, type Pod, type Revision } from "@shallop/sdk/api";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hoursAgo, pod, ready, revision, wallMs } from "../plans.fixture.ts";
import { newPod } from "./new-pod.ts";
import { createMax, planPods } from "./plan.ts";
import { countPods, crashOf, podState, type PodState } from "./pods.ts";
import { heldMs, withEnded } from "./replacement-backoff.ts";
import { planStatus, type StatusWorld } from "./status.ts";

const states = (text: string): { pod: Pod; state: PodState }[] =>
  text
    .split(" ")
    .filter((word) => word !== "")
    .map((state, index) => ({
      pod: pod(`p${String(index)}`, { creationTimestamp: hoursAgo(10 - index) }),
      state: state as PodState,
    }));

describe("planPods", () => {
  const rows: {
    name: string;
    pods: string;
    want: number;
    expected?: number;
    held?: boolean;
    create?: number;
    remove?: string[];
  }[] = [
    { name: "nothing wanted, nothing there", pods: "", want: 0 },
    { name: "starts what is missing", pods: "", want: 3, create: 3 },
    { name: "counts what is starting", pods: "ready starting", want: 3, create: 1 },
    { name: "enough", pods: "ready ready", want: 2 },
    { name: "the youngest goes", pods: "ready ready ready", want: 2, remove: ["p2 surplus"] },
    { name: "one that is not ready goes before", pods: "starting ready ready", want: 2, remove: ["p0 surplus"] },
    { name: "all go", pods: "ready starting", want: 0, remove: ["p1 surplus", "p0 surplus"] },
    { name: "what is on its way out does not count, and goes by itself", pods: "deleting ready", want: 2, create: 1 },
    { name: "what has ended is replaced", pods: "ended ready", want: 2, create: 1, remove: ["p0 ended"] },
    { name: "but not at once", pods: "ended ready", want: 2, held: true, remove: ["p0 ended"] },
    { name: "what a node brings up by itself is not started twice", pods: "", want: 3, expected: 1, create: 2 },
    { name: "a lost pod is replaced and kept until others serve", pods: "lost starting", want: 2, create: 1 },
    { name: "and goes when they do", pods: "lost ready ready", want: 2, remove: ["p0 lost"] },
    { name: "a lost pod goes when none is wanted", pods: "lost", want: 0, remove: ["p0 lost"] },
    { name: "no more at once than can be written", pods: "", want: 1000, create: createMax },
  ];
  test.each(rows)("$name", ({ pods, want, expected = 0, held = false, create = 0, remove = [] }) => {
    const plan = planPods({ pods: states(pods), want, expected, isHeld: held });
    expect(plan.create).toBe(create);
    expect(plan.remove.map(({ pod, why }) => `${pod.metadata.name} ${why}`).sort((a, b) => (a < b ? 1 : -1))).toEqual(
      remove.toSorted((a, b) => (a < b ? 1 : -1)),
    );
  });

  test("an activated pod is kept before others, the newest activation longest", () => {
    const activated = (name: string, at: string): { pod: Pod; state: PodState } => ({
      pod: pod(name, { creationTimestamp: hoursAgo(1), annotations: { [annotation.activatedAt]: at } }),
      state: "ready",
    });
    const pods = [activated("late", hoursAgo(1)), ...states("ready"), activated("early", hoursAgo(2))];
    const removed = (want: number): string[] =>
      planPods({ pods, want, expected: 0, isHeld: false }).remove.map(({ pod }) => pod.metadata.name);
    expect(removed(2)).toEqual(["p0"]);
    expect(removed(1)).toEqual(["p0", "early"]);
  });

  test("an activated pod that was recorded a moment ago is as good as ready; one that has crashed since is not", () => {
    const meta = { creationTimestamp: hoursAgo(0), annotations: { [annotation.activatedAt]: hoursAgo(0) } };
    const recorded = pod("new", meta);
    const crashed = pod("new", meta, {
      containerStatuses: [
        { name: "c", image: "", imageID: "", ready: false, restartCount: 1, state: { waiting: { reason: "Crash" } } },
      ],
    });
    const removed = (activated: Pod): string[] =>
      planPods({
        pods: [...states("ready ready"), { pod: activated, state: "starting" }],
        want: 2,
        expected: 0,
        isHeld: false,
      }).remove.map(({ pod }) => pod.metadata.name);
    expect(removed(recorded)).toEqual(["p1"]);
    expect(removed(crashed)).toEqual(["new"]);
  });

  test("repeated, it comes to rest at what is wanted, and never removes a ready pod that is needed", () => {
    const one = fc.constantFrom<PodState>("ready", "starting", "lost", "ended", "deleting");
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), fc.integer({ min: 0, max: 8 }), (all, want) => {
        const pods = states(all.join(" "));
        const plan = planPods({ pods, want, expected: 0, isHeld: false });
        const removed = new Set(plan.remove.map(({ pod }) => pod.metadata.name));
        const left = pods.filter(
          ({ pod, state }) => !removed.has(pod.metadata.name) && (state === "ready" || state === "starting"),
        );
        expect(left.length + plan.create).toBe(want);
        const readyBefore = pods.filter(({ state }) => state === "ready").length;
        const readyLeft = left.filter(({ state }) => state === "ready").length;
        expect(readyLeft).toBe(Math.min(readyBefore, want));
      }),
    );
  });
});

describe("pods", () => {
  const rows: { name: string; pod: Pod; node?: "ready" | "away" | "lost"; state: PodState }[] = [
    { name: "ready", pod: pod("p", {}, { conditions: ready("True") }), state: "ready" },
    { name: "starting", pod: pod("p"), state: "starting" },
    { name: "ended", pod: pod("p", {}, { phase: "Failed" }), state: "ended" },
    { name: "deleting", pod: pod("p", { deletionTimestamp: "now" }, { conditions: ready("True") }), state: "deleting" },
    { name: "its node is away", pod: pod("p", {}, { conditions: ready("False") }), node: "away", state: "starting" },
    { name: "its node is lost", pod: pod("p", {}, { conditions: ready("False") }), node: "lost", state: "lost" },
  ];
  test.each(rows)("podState: $name", ({ pod, node = "ready", state }) => {
    expect(podState(pod, () => node)).toBe(state);
  });

  test("the newest activation is the mark", () => {
    const at = (name: string, time: string) =>
      pod(name, { annotations: { [annotation.activatedAt]: time } }, { conditions: ready("True") });
    const pods = [at("a", "2026-01-01T00:00:02.000000Z"), at("b", "2026-01-01T00:00:10.000000Z"), pod("c")];
    const counts = countPods(pods, (one) => podState(one, () => "ready"));
    expect(counts).toEqual({ pods: 3, ready: 2, activation: "2026-01-01T00:00:10.000000Z", activated: 2 });
  });

  test("a crash is told with its last run", () => {
    const crashed = pod(
      "p",
      {},
      {
        containerStatuses: [
          {
            name: "user-container",
            image: "",
            imageID: "",
            ready: false,
            restartCount: 3,
            state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 40s" } },
            lastState: { terminated: { exitCode: 1, reason: "Error", message: "boom" } },
          },
        ],
      },
    );
    expect(crashOf(crashed)).toEqual({
      reason: "CrashLoopBackOff",
      message: "back-off 40s; the last run ended with exit code 1 (Error): boom",
    });
    expect(crashOf(pod("p"))).toBe(undefined);
  });
});

describe("replacement", () => {
  const ended = (...uids: string[]) => uids.map((uid) => ({ uid, reason: "OutOfMemory" }));
  test("10 s, doubling to 5 min, the same pod only once, forgotten after 10 min", () => {
    let backoff = withEnded(undefined, ended("a"), 0);
    expect(heldMs(backoff, 0)).toBe(10_000);
    backoff = withEnded(backoff, ended("a"), 4000);
    expect(heldMs(backoff, 4000)).toBe(6000);
    backoff = withEnded(backoff, ended("b", "c"), 20_000);
    expect(heldMs(backoff, 20_000)).toBe(20_000);
    const lastMs = (): number => backoff?.lastMs ?? 0;
    for (let index = 0; index < 10; index++)
      backoff = withEnded(backoff, ended(`d${String(index)}`), lastMs() + heldMs(backoff, lastMs()));
    expect(heldMs(backoff, lastMs())).toBe(300_000);
    expect(withEnded(backoff, [], lastMs() + 600_000)).toBe(backoff);
    expect(withEnded(backoff, [], lastMs() + 600_001)).toBe(undefined);
    const muchLater = lastMs() + 700_000;
    expect(heldMs(withEnded(backoff, ended("z"), muchLater), muchLater)).toBe(10_000);
  });

  test("pods of a node that stops, told of one after the other, are one failure", () => {
    let backoff: ReturnType<typeof withEnded>;
    for (const [uid, atMs] of [
      ["a", 0],
      ["b", 1000],
      ["c", 3000],
      ["d", 9000],
    ] as const)
      backoff = withEnded(backoff, ended(uid), atMs);
    expect(backoff).toMatchObject({ failures: 1, lastMs: 0 });
    expect([heldMs(backoff, 9_999), heldMs(backoff, 10_000)]).toEqual([1, 0]);
  });
});

describe("planStatus", () => {
  const homes = { nodes: ["a", "b"], sentence: "homes are a, b", refusals: [] };
  const world = (more: Partial<StatusWorld> = {}): StatusWorld => ({
    revision: revision(1),
    resolution: { phase: "resolved", containerStatuses: [{ name: "user-container", imageDigest: "r/hello@sha256:1" }] },
    homes,
    nodeExists: () => true,
    want: 1,
    ready: 0,
    initialScale: 1,
    scaling: { maxScale: 0 },
    activity: "activating",
    crash: undefined,
    unplaceable: undefined,
    refusedMs: 0,
    ageMs: 1000,
    deadlineMs: 600_000,
    wallMs,
    ...more,
  });
  const prepared: Revision["status"] = { preparedNodes: [{ node: "a", variant: "wasm", reason: "" }] };
  const refused = (code: string): Revision["status"] => ({
    failedNodes: ["a", "b"].map((node) => ({ node, code, message: "it cannot" })),
  });
  const initialized: Revision["status"] = {
    ...prepared,
    conditions: [{ type: "ScaleTargetInitialized", status: "True" }],
  };
  const rows: { name: string; world: Partial<StatusWorld>; ready: string; active?: string }[] = [
    {
      name: "the image is being resolved",
      world: { resolution: { phase: "pending" } },
      ready: "Unknown ResolvingDigests",
    },
    {
      name: "the image is not there",
      world: { resolution: { phase: "failed", code: "", message: "push it", retryAtMs: 0 } },
      ready: "False ContainerMissing",
    },
    { name: "no node fits", world: { homes: { ...homes, nodes: [] } }, ready: "Unknown Deploying" },
    { name: "it is being prepared", world: {}, ready: "Unknown Deploying" },
    {
      name: "no home can run it",
      world: { revision: revision(1, refused("NO_USABLE_VARIANT")) },
      ready: "False NoUsableVariant",
    },
    {
      name: "the way to the image is broken",
      world: { revision: revision(1, refused("REGISTRY_UNREACHABLE")) },
      ready: "Unknown Preparing",
    },
    {
      name: "the way to the image stays broken",
      world: { revision: revision(1, refused("REGISTRY_UNREACHABLE")), refusedMs: 3_000 },
      ready: "False RegistryUnreachable",
    },
    {
      name: "the way to the image stays broken, after a restart of the control plane",
      world: {
        revision: revision(1, {
          ...refused("REGISTRY_UNREACHABLE"),
          conditions: [{ type: "ContainerHealthy", status: "False", reason: "RegistryUnreachable" }],
        }),
      },
      ready: "False RegistryUnreachable",
    },
    {
      name: "one home has the image, whatever the other says",
      world: { revision: revision(1, { ...refused("REGISTRY_UNREACHABLE"), ...prepared }), refusedMs: 3_000 },
      ready: "Unknown Deploying",
    },
    { name: "it is prepared", world: { revision: revision(1, prepared) }, ready: "Unknown Deploying" },
    {
      name: "a pod is ready",
      world: { revision: revision(1, prepared), ready: 1, activity: "active" },
      ready: "True",
      active: "True",
    },
    {
      name: "some of its initial pods are ready",
      world: { revision: revision(1, prepared), ready: 1, initialScale: 3 },
      ready: "Unknown Deploying",
    },
    {
      name: "its pod crashes",
      world: { revision: revision(1, prepared), crash: { reason: "CrashLoopBackOff", message: "boom" } },
      ready: "False CrashLoopBackOff",
    },
    {
      name: "it has taken too long",
      world: { revision: revision(1, prepared), ageMs: 600_001 },
      ready: "False ProgressDeadlineExceeded",
    },
    {
      name: "at zero",
      world: { revision: revision(1, initialized), want: 0, activity: "inactive" },
      ready: "True",
      active: "False NoTraffic",
    },
    { name: "from zero", world: { revision: revision(1, initialized) }, ready: "True", active: "Unknown Queued" },
    {
      name: "later it crashes",
      world: { revision: revision(1, initialized), crash: { reason: "CrashLoopBackOff", message: "boom" } },
      ready: "False CrashLoopBackOff",
    },
    {
      name: "it was given up",
      world: { revision: revision(1, prepared), want: 0, activity: "inactive", ageMs: 700_000 },
      ready: "False ProgressDeadlineExceeded",
      active: "False TimedOut",
    },
  ];
  test.each(rows)("$name", ({ world: more, ready: expected, active }) => {
    const { status } = planStatus(world(more));
    const words = (type: string): string => {
      const condition = status.conditions?.find((one) => one.type === type);
      return [condition?.status, condition?.reason].filter((word) => word !== undefined).join(" ");
    };
    expect(words("Ready")).toBe(expected);
    if (active !== undefined) expect(words("Active")).toBe(active);
  });

  test("what nodes say that are gone is dropped, the rest is theirs", () => {
    const { status } = planStatus(world({ revision: revision(1, prepared), nodeExists: () => false }));
    expect(status.preparedNodes).toEqual([]);
    expect(status.homeNodes).toEqual(["a", "b"]);
  });
});

test("newPod: bound, owned, with the platform's environment and the resolved image", () => {
  const made = newPod(
    {
      ...revision(
        1,
        { containerStatuses: [{ name: "user-container", imageDigest: "r/hello@sha256:1" }] },
        { annotations: { note: "x" } },
      ),
      spec: {
        containers: [
          {
            name: "user-container",
            image: "hello:1",
            env: [
              { name: "PORT", value: "1" },
              { name: "A", value: "b" },
            ],
            ports: [{ containerPort: 3000 }],
          },
        ],
      },
    },
    { node: "a", suffix: "xyz", reason: "the only node" },
  );
  expect(made.metadata).toMatchObject({
    name: "hello-00001-xyz",
    annotations: { note: "x", [annotation.placementReason]: "the only node" },
    ownerReferences: [{ kind: "Revision", name: "hello-00001", controller: true }],
  });
  expect(made.spec.nodeName).toBe("a");
  expect(made.spec.containers).toEqual([
    {
      name: "user-container",
      image: "r/hello@sha256:1",
      env: [
        { name: "A", value: "b" },
        { name: "K_SERVICE", value: "" },
        { name: "K_CONFIGURATION", value: "hello" },
        { name: "K_REVISION", value: "hello-00001" },
        { name: "PORT", value: "3000" },
      ],
      ports: [{ name: "user-port", containerPort: 3000, protocol: "TCP" }],
      resources: { requests: { cpu: "10m", memory: "32Mi" } },
    },
  ]);
});
