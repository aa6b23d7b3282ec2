import { label, revisions, services } from "@shallop/sdk/api";
import { describe, expect, test } from "vitest";
import { digest, servingKinds, World } from "./control-plane.fake.ts";

describe("the whole way", () => {
  test("class hpa: out and back with the processor time that nodes tell of", async () => {
    await using world = await World.start(["a", "b"]);
    await world.deploy("hello", "hello:1", {
      "autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev",
      "autoscaling.knative.dev/window": "6s",
      "autoscaling.knative.dev/scale-down-delay": "6s",
    });
    await world.ready("hello");
    // 2.5 cores of pods that ask for one, 80 % of it used: four pods.
    world.cores = 2.5;
    await world.until("four pods", async () => (await world.podsOf("hello-00001")).length === 4, 30_000);
    const { decisions } = world.controllers.explain("default", "hello").revisions[0] ?? { decisions: [] };
    expect(decisions.some(({ formula }) => formula === "ceil(stable 250 / target 80) = 4")).toBe(true);
    world.cores = 0.1;
    await world.until("one pod", async () => (await world.podsOf("hello-00001")).length === 1, 60_000);
    await world.pass(20_000);
    expect(await world.podsOf("hello-00001")).toHaveLength(1);
  });

  test("deploy, ready, out with load, to zero, from zero, delete leaves nothing", async () => {
    await using world = await World.start(["a", "b", "c"]);
    await world.deploy("hello", "hello:1");
    await world.ready("hello");
    const service = await world.service("hello");
    expect(service.status).toMatchObject({
      url: "http://hello.default.localhost:8080",
      address: { url: "http://hello.default.localhost:8080" },
      latestCreatedRevisionName: "hello-00001",
      latestReadyRevisionName: "hello-00001",
      traffic: [{ revisionName: "hello-00001", latestRevision: true, percent: 100 }],
    });
    const revision = await world.client.get(revisions, "default", "hello-00001");
    expect(revision.status?.homeNodes).toHaveLength(2);
    expect(revision.status?.containerStatuses).toEqual([
      { name: "user-container", imageDigest: `127.0.0.1:5000/hello@${digest}` },
    ]);
    expect(revision.metadata.labels?.[label.routingState]).toBe("active");
    const [pod] = await world.podsOf("hello-00001");
    expect(revision.status?.homeNodes).toContain(pod?.spec.nodeName);
    expect(pod?.spec.containers[0]?.env).toEqual(
      expect.arrayContaining([
        { name: "K_SERVICE", value: "hello" },
        { name: "K_REVISION", value: "hello-00001" },
        { name: "PORT", value: "8080" },
      ]),
    );

    // 300 requests at once, 70 for each pod.
    await world.withLoad("hello-00001", 300, 10_000);
    expect(await world.podsOf("hello-00001")).toHaveLength(5);
    await world.until("zero pods", async () => (await world.podsOf("hello-00001")).length === 0, 200_000);
    expect((await world.condition("hello"))?.status).toBe("True");
    const atZero = await world.client.get(revisions, "default", "hello-00001");
    expect(atZero.status).toMatchObject({ actualReplicas: 0, desiredReplicas: 0 });

    // From zero: the node starts a pod by itself, and no second one is made beside it.
    const waiting = {
      namespace: "default",
      revision: "hello-00001",
      averageConcurrency: 1,
      requestCount: 1,
      periodMs: 10,
      waiting: 1,
    };
    world.controllers.report({ gateway: "gateway-1", revisions: [waiting] });
    await world.agent(atZero.status?.homeNodes?.[0] ?? "").activate("default", "hello-00001");
    await world.pass(6000);
    expect(await world.podsOf("hello-00001")).toHaveLength(1);

    const explanation = world.controllers.explain("default", "hello");
    expect(
      explanation.revisions[0]?.decisions.some(({ formula }) => formula.includes("panic 300 / target 70) = 5")),
    ).toBe(true);
    expect(explanation.revisions[0]?.placements[0]?.reason).toContain("a home of the revision");
    expect(explanation.revisions[0]?.variants).toHaveLength(2);
    const whatIf = world.controllers.explain("default", "hello", "max-scale=2,target=50").revisions[0]?.whatIf;
    expect(whatIf?.before.peak).toBe(5);
    expect(whatIf?.after.peak).toBe(2);
    for (const wrong of ["max-scale", "max-scale=x", "colour=red", "max-scale=1,min-scale=2", ""]) {
      expect(() => world.controllers.explain("default", "hello", wrong)).toThrow(
        expect.objectContaining({ code: "BadRequest" }),
      );
    }
    expect(await world.reasons()).toEqual(
      expect.arrayContaining(["Scheduled", "RevisionReady", "HomesChosen", "ScaledUp", "ScaledDown"]),
    );

    await world.client.delete(services, { namespace: "default", name: "hello" });
    await world.pass(5000);
    for (const resource of servingKinds) {
      expect((await world.client.list(resource)).items).toEqual([]);
    }
    expect(world.errors).toEqual([]);
  });

  test("nobody can ask about a service that is not there", async () => {
    await using world = await World.start([]);
    expect(() => world.controllers.explain("default", "none")).toThrow(expect.objectContaining({ code: "NotFound" }));
  });

  test("services that come at the same time do not take the same room twice", async () => {
    await using world = await World.start([]);
    world.addNode("a").allocatable = { cpu: "2", memory: "4Gi", pods: "4" };
    const scale = { "autoscaling.knative.dev/min-scale": "3" };
    await Promise.all([world.deploy("hello", "hello:1", scale), world.deploy("other", "hello:2", scale)]);
    await world.pass(10_000);
    const placed = [...(await world.podsOf("hello-00001")), ...(await world.podsOf("other-00001"))];
    expect(placed).toHaveLength(4);
  });

  test("a new revision gets requests only when it is ready; the old one goes to zero", async () => {
    await using world = await World.start(["a", "b"]);
    await world.deploy("hello", "hello:1");
    await world.ready("hello");
    for (const agent of world.agents) agent.starts = false;
    const service = await world.service("hello");
    await world.client.update(services, {
      ...service,
      spec: { ...service.spec, template: { spec: { containers: [{ image: "hello:2" }] } } },
    });
    await world.pass(5000);
    const during = await world.service("hello");
    expect(during.status?.latestCreatedRevisionName).toBe("hello-00002");
    expect(during.status?.traffic?.[0]?.revisionName).toBe("hello-00001");
    expect((await world.condition("hello"))?.status).toBe("Unknown");
    for (const agent of world.agents) agent.starts = true;
    await world.ready("hello");
    expect((await world.service("hello")).status?.traffic?.[0]?.revisionName).toBe("hello-00002");
    await world.pass(2000);
    const old = await world.client.get(revisions, "default", "hello-00001");
    expect(old.metadata.labels?.[label.routingState]).toBe("reserve");
    await world.until("the old one is at zero", async () => (await world.podsOf("hello-00001")).length === 0, 120_000);
    expect(world.errors).toEqual([]);
  });

  test("traffic by percent and by tag", async () => {
    await using world = await World.start(["a"]);
    await world.deploy("hello", "hello:1");
    await world.ready("hello");
    const first = await world.service("hello");
    await world.client.update(services, {
      ...first,
      spec: {
        template: { spec: { containers: [{ image: "hello:2" }] } },
        traffic: [
          { revisionName: "hello-00001", percent: 80, tag: "old" },
          { latestRevision: true, percent: 20 },
        ],
      },
    });
    await world.ready("hello");
    expect((await world.service("hello")).status?.traffic).toEqual([
      {
        revisionName: "hello-00001",
        latestRevision: false,
        percent: 80,
        tag: "old",
        url: "http://old-hello.default.localhost:8080",
      },
      { revisionName: "hello-00002", latestRevision: true, percent: 20 },
    ]);
    expect(world.errors).toEqual([]);
  });

  test("an image that is not there is said to be missing, and found once it is pushed", async () => {
    await using world = await World.start(["a"]);
    await world.deploy("hello", "hello:3");
    await world.until("failed", async () => (await world.condition("hello"))?.status === "False");
    expect(await world.condition("hello")).toMatchObject({ reason: "RevisionFailed" });
    expect((await world.condition("hello"))?.message).toContain("push it");
    const revision = await world.client.get(revisions, "default", "hello-00001");
    expect(revision.status?.conditions).toContainEqual(
      expect.objectContaining({ type: "ContainerHealthy", status: "False", reason: "ContainerMissing" }),
    );
    world.images.present.add("hello:3");
    await world.until("ready", async () => (await world.condition("hello"))?.status === "True", 120_000);
  });

  test("an image that no node can run", async () => {
    await using world = await World.start(["a", "b"]);
    for (const agent of world.agents) agent.refusal = "NO_USABLE_VARIANT";
    await world.deploy("hello", "hello:1");
    await world.until("failed", async () => (await world.condition("hello"))?.status === "False");
    expect((await world.condition("hello"))?.message).toContain("no variant for this node");
    expect(await world.podsOf("hello-00001")).toEqual([]);
    for (const agent of world.agents) agent.refusal = undefined;
    await world.ready("hello");
  });

  test("no node is there yet", async () => {
    await using world = await World.start([]);
    await world.deploy("hello", "hello:1");
    await world.pass(3000);
    expect((await world.condition("hello"))?.status).toBe("Unknown");
    world.addNode("a");
    await world.ready("hello");
  });

  test("what does not fit anywhere is told, and placed when there is room", async () => {
    await using world = await World.start([]);
    world.addNode("a").allocatable = { cpu: "2", memory: "4Gi", pods: "2" };
    await world.deploy("hello", "hello:1", { "autoscaling.knative.dev/initial-scale": "3" });
    await world.pass(8000);
    expect(await world.podsOf("hello-00001")).toHaveLength(2);
    expect((await world.condition("hello"))?.message).toContain("the node has 2 pods of at most 2");
    expect(await world.reasons()).toContain("FailedScheduling");
    world.addNode("b");
    await world.until("three pods", async () => (await world.podsOf("hello-00001")).length === 3);
    await world.ready("hello");
  });
});
