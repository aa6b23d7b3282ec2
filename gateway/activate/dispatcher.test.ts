import { Metrics, prometheusText } from "@shallop/sdk/internal/telemetry";
import { describe, expect, test } from "vitest";
import { call, start, until } from "../client.fake.ts";
import { activation, type FakeCluster, fakeNode, fakePod, fakeRevision, saying } from "../gateway.fake.ts";
import { GatewayFault, type GatewayFaultCode } from "../proxy/fault-status.ts";

/** Lines of the metric of activations, without times. */
async function activationsOf(metrics: Metrics): Promise<readonly string[]> {
  const lines = prometheusText(await metrics.collect()).split("\n");
  return lines.filter((line) => line.startsWith("shallop_gateway_activation_duration_seconds_count"));
}

describe("from zero", () => {
  test("one activation for a thousand requests, and the phases in Server-Timing", async () => {
    const cluster = await start();
    cluster.service("cold");
    const pod = await cluster.wirePod(saying("warm now"));
    cluster.activate = async () => {
      await until(() => cluster.gateway.load.waiting === 1000);
      return activation("cold-00001-a", pod.endpoint);
    };
    const answers = await Promise.all(Array.from({ length: 1000 }, () => call(cluster, "cold")));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`))).toEqual(new Set(["200 warm now"]));
    expect(answers[0]!.headers["server-timing"]).toMatch(
      /^queue;dur=[\d.]+, activate;dur=[\d.]+, prepare;dur=0, start;dur=5, handle;dur=[\d.]+$/,
    );
    // One from zero, and then others beside it, of which this home has none.
    expect(cluster.asked.filter((asked) => asked === "n1 default/cold-00001")).toHaveLength(1);
    expect(new Set(cluster.asked)).toEqual(new Set(["n1 default/cold-00001", "n1 default/cold-00001 cold-00001-a"]));
    expect((await call(cluster, "cold")).headers["server-timing"]).toBeUndefined();
    expect((await call(cluster, "cold", { headers: { "x-shallop-timing": "1" } })).headers["server-timing"]).toMatch(
      /^queue;dur=[\d.]+, handle;dur=[\d.]+$/,
    );
  });

  test("a pod that stands by is connected to without asking its node, and the control plane hears of it", async () => {
    const metrics = new Metrics();
    const cluster = await start({}, { metrics });
    cluster.service("cold");
    const pod = await cluster.wirePod(saying("by itself"));
    cluster.standby = (node, revision) =>
      node === "n1" && revision === "default/cold-00001" ? activation("cold-00001-s", pod.endpoint) : undefined;
    const answers = await Promise.all(Array.from({ length: 50 }, () => call(cluster, "cold")));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`))).toEqual(new Set(["200 by itself"]));
    // Those that came while it was looked for.
    const timings = answers.map(({ headers }) => headers["server-timing"]).filter((timing) => timing !== undefined);
    expect(timings[0]).toMatch(/^queue;dur=[\d.]+, activate;dur=[\d.]+, /);
    await until(() => cluster.reports.some(({ revisions }) => revisions[0]?.revision === "cold-00001"));
    // One that has been there is as any other: it is not the standby that is looked for again.
    cluster.gateway.cluster.set("pods", fakePod("cold-00001-s", "cold-00001", { endpoint: pod.endpoint }));
    expect((await call(cluster, "cold")).body).toBe("by itself");
    expect(cluster.asked.filter((asked) => asked === "n1 default/cold-00001")).toEqual([]);
    const [came, ...failed] = await activationsOf(metrics);
    expect([came, failed.every((line) => line.includes("NO_CAPACITY"))]).toEqual([expect.stringMatching(/ 1$/), true]);
  });

  test("where nobody stands by any more the node is asked, once, and no request is lost", async () => {
    const metrics = new Metrics();
    const cluster = await start({}, { metrics });
    cluster.service("cold");
    const pod = await cluster.wirePod(saying("asked for"));
    let looks = 0;
    cluster.standby = () => {
      looks++;
      return activation("cold-00001-s", { protocol: "wire", socket: "/nowhere.sock" });
    };
    cluster.activate = () => Promise.resolve(activation("cold-00001-a", pod.endpoint));
    const body = Buffer.alloc(3_000_000, "x");
    const answers = await Promise.all([
      ...Array.from({ length: 50 }, () => call(cluster, "cold")),
      call(cluster, "cold", { method: "POST", body }),
    ]);
    expect(new Set(answers.map((answer) => `${answer.status} ${answer.body}`))).toEqual(new Set(["200 asked for"]));
    expect(cluster.asked.filter((asked) => asked === "n1 default/cold-00001")).toHaveLength(1);
    expect(looks).toBeGreaterThan(0);
    // The pod that the node has brought up, and none that nobody has connected to.
    expect((await activationsOf(metrics)).filter((line) => line.includes('error_type=""'))).toEqual([
      expect.stringMatching(/ 1$/),
    ]);
    expect(cluster.gateway.load).toEqual({ open: 0, waiting: 0 });
  });

  test("as many Wasm pods as a burst needs come one beside the other, and share it, without the control plane", async () => {
    const cluster = await start({}, { sendReport: () => new Promise(() => undefined) });
    cluster.service("cold");
    const revision = fakeRevision("cold-00001");
    const scaling = { maxScale: 0, concurrencyPerPod: 7 };
    cluster.gateway.cluster.set("revisions", { ...revision, status: { ...revision.status, scaling } });
    const held = new Map<string, (() => void)[]>(["a", "b", "c", "d"].map((name) => [name, []]));
    const pods = await Promise.all(
      [...held.values()].map((answers) =>
        cluster.wirePod((head, stream) => {
          const handlers = saying("ok")(head, stream);
          return { ...handlers, end: () => void answers.push(() => handlers.end?.([])) };
        }),
      ),
    );
    let made = 0;
    cluster.activate = async () => {
      if (made === 0) await until(() => cluster.gateway.load.waiting === 28);
      const name = "abcd"[made] ?? "";
      const pod = pods[made++];
      if (pod === undefined) throw new GatewayFault("NO_CAPACITY", "no more");
      return activation(`cold-00001-${name}`, pod.endpoint);
    };
    const answers = Promise.all(Array.from({ length: 28 }, () => call(cluster, "cold")));
    // 28 are four pods' worth.
    await until(() => [...held.values()].flat().length === 28);
    expect([...held.values()].map(({ length }) => length)).toEqual([7, 7, 7, 7]);
    for (const answer of [...held.values()].flat()) answer();
    expect((await answers).every(({ status }) => status === 200)).toBe(true);
    expect(cluster.asked.at(-1)).toBe("n1 default/cold-00001 cold-00001-a cold-00001-b cold-00001-c");
  });

  test("a home whose processor has a pod is not asked for another, where the pods have room for all", async () => {
    const cluster = await start();
    for (const name of ["n1", "n2"])
      cluster.gateway.cluster.set("nodes", { ...fakeNode(name), status: { capacity: { cpu: "1" } } });
    for (const [name, memory] of Object.entries({ roomy: "256Mi", narrow: "28Mi" })) {
      cluster.asked.length = 0;
      const revision = fakeRevision(`${name}-00001`, {
        containers: [{ image: "x", resources: { limits: { memory } } }],
      });
      const status = { ...revision.status, homeNodes: ["n1", "n2"], scaling: { maxScale: 0, concurrencyPerPod: 7 } };
      cluster.service(name);
      cluster.gateway.cluster.set("revisions", { ...revision, status });
      const pod = await cluster.wirePod(saying("ok"));
      cluster.activate = async (node) => {
        if (cluster.asked.length > 1) throw new GatewayFault("NOT_PREPARED", `${node} has no more`);
        await until(() => cluster.gateway.load.waiting === 28);
        return activation(`${name}-00001-a`, pod.endpoint);
      };
      const answers = await Promise.all(Array.from({ length: 28 }, () => call(cluster, name)));
      expect(answers.every(({ status: code }) => code === 200)).toBe(true);
      await until(() => cluster.asked.length > 1);
      const further = name === "narrow" ? [`n1 default/${name}-00001 ${name}-00001-a`] : [];
      await until(() => cluster.asked.length >= 2 + further.length);
      expect(cluster.asked).toEqual([`n1 default/${name}-00001`, `n2 default/${name}-00001`, ...further]);
    }
  });

  test("the control plane hears of it while it waits, and is not waited for", async () => {
    const cluster = await start({}, { sendReport: () => new Promise(() => undefined) });
    const poked = await start();
    for (const one of [cluster, poked]) {
      one.service("cold");
      const pod = await one.wirePod(saying("ok"));
      one.activate = async () => {
        if (one === poked) await until(() => poked.reports.length > 0);
        return activation("cold-00001-a", pod.endpoint);
      };
    }
    expect((await call(cluster, "cold")).status).toBe(200);
    expect((await call(poked, "cold")).status).toBe(200);
    expect(poked.reports[0]?.revisions).toMatchObject([
      { namespace: "default", revision: "cold-00001", requestCount: 1, waiting: 1 },
    ]);
  });

  test("the next home is asked when one cannot, and prepared ones first", async () => {
    const cluster = await start();
    const { cluster: state } = cluster.gateway;
    for (const name of ["n2", "n3", "n4"])
      state.set("nodes", {
        ...structuredClone([...state.objects("nodes")][0]!),
        metadata: { ...[...state.objects("nodes")][0]!.metadata, name },
      });
    cluster.service("cold");
    const revision = fakeRevision("cold-00001", {}, ["n1", "n2", "n3", "n4"]);
    state.set("revisions", {
      ...revision,
      status: { ...revision.status, preparedNodes: [{ node: "n3", variant: "wasm", reason: "r" }] },
    });
    const pod = await cluster.wirePod(saying("ok"));
    const codes: Record<string, GatewayFaultCode> = { n3: "NO_CAPACITY", n1: "NOT_PREPARED", n2: "CONNECT_FAILED" };
    cluster.activate = (node) => {
      const code = codes[node];
      if (code !== undefined) return Promise.reject(new GatewayFault(code, "no"));
      return Promise.resolve(activation("cold-00001-a", pod.endpoint));
    };
    expect((await call(cluster, "cold")).status).toBe(200);
    expect(cluster.asked.map((asked) => asked.slice(0, 2))).toEqual(["n3", "n1", "n2", "n4"]);
  });

  test("a home that fails is asked again, until the time is over: 503 with Retry-After", async () => {
    const cluster = await start({ activationTimeoutMs: 300 });
    cluster.service("cold");
    const answer = await call(cluster, "cold");
    expect([answer.status, answer.body.split(":")[0]]).toEqual([503, "START_TIMEOUT"]);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect(cluster.asked.length).toBeGreaterThan(1);
    expect(cluster.asked.length).toBeLessThan(6);
    expect(cluster.gateway.load).toEqual({ open: 0, waiting: 0 });
  });

  test("an image that no node can run is said at once", async () => {
    const cluster = await start();
    cluster.service("cold");
    cluster.activate = () => Promise.reject(new GatewayFault("NO_USABLE_VARIANT", "no"));
    const answer = await call(cluster, "cold");
    expect([answer.status, answer.body.split(":")[0]]).toEqual([503, "NO_USABLE_VARIANT"]);
  });

  test("a pod that the watch shows meanwhile is used, while the agent still thinks", async () => {
    const cluster = await start();
    cluster.service("cold");
    const pod = await cluster.wirePod(saying("seen"));
    cluster.activate = () => new Promise(() => undefined);
    const answer = call(cluster, "cold");
    await until(() => cluster.gateway.load.waiting === 1);
    cluster.gateway.cluster.set("pods", fakePod("cold-00001-z", "cold-00001", { endpoint: pod.endpoint }));
    expect((await answer).body).toBe("seen");
  });

  test("the queue is bounded, for a revision and in all", async () => {
    const cluster = await start({ queueDepthMax: 3, queueTotalMax: 4, activationTimeoutMs: 300 });
    cluster.service("a");
    cluster.service("b");
    cluster.activate = () => new Promise(() => undefined);
    const answers = ["a", "a", "a", "a", "b", "b"].map((service) => call(cluster, service));
    const statuses = (await Promise.all(answers)).map(({ body }) => body.split(":")[0]);
    expect(statuses.filter((code) => code === "QUEUE_FULL")).toHaveLength(2);
    expect(statuses.filter((code) => code === "START_TIMEOUT")).toHaveLength(4);
  });

  test("a client that leaves is out of the queue", async () => {
    const cluster = await start();
    cluster.service("cold");
    cluster.activate = () => new Promise(() => undefined);
    const client = cluster.connect().send("GET / HTTP/1.1\r\nhost: cold.default.localhost\r\n\r\n");
    await until(() => cluster.gateway.load.waiting === 1);
    client.socket.destroy();
    await until(() => cluster.gateway.load.waiting === 0);
  });

  test("a revision that is deleted lets its requests go", async () => {
    const cluster = await start();
    cluster.service("cold");
    cluster.activate = () => new Promise(() => undefined);
    const answer = call(cluster, "cold");
    await until(() => cluster.gateway.load.waiting === 1);
    cluster.gateway.cluster.delete("revisions", fakeRevision("cold-00001"));
    expect(await answer).toMatchObject({ status: 503, headers: { "retry-after": "1" } });
  });

  test("a pod that vanished without a word is brought up again", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("lost", saying("old"));
    pod.kill();
    const again = await cluster.wirePod(saying("again"));
    cluster.activate = () => Promise.resolve(activation("lost-00001-b", again.endpoint));
    expect((await call(cluster, "lost", { method: "POST", body: "x" })).body).toBe("again");
  });

  test("an agent that has not noticed yet that its pod died is asked again, slowly, until it has", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("lost", saying("old"));
    pod.kill();
    const again = await cluster.wirePod(saying("again"));
    const endpoint = { uid: "uid-lost-00001-a", old: pod.endpoint };
    cluster.activate = () =>
      Promise.resolve(
        cluster.asked.length < 4
          ? activation("lost-00001-a", endpoint.old, false)
          : activation("lost-00001-a", again.endpoint, true),
      );
    expect((await call(cluster, "lost")).body).toBe("again");
    expect(cluster.asked.length).toBe(4);
  });
});

describe("a node that dies with all pods of a revision", () => {
  /** A revision with homes n1 and n2, and two pods on n1. What n2 starts says "from n2"; n1 does not answer. */
  async function dying(): Promise<{ readonly cluster: FakeCluster; readonly kill: () => void }> {
    const cluster = await start();
    const { cluster: state } = cluster.gateway;
    state.set("nodes", fakeNode("n2"));
    cluster.service("twin", {}, ["n1", "n2"]);
    const pods = [await cluster.wirePod(saying("from n1")), await cluster.wirePod(saying("from n1"))];
    for (const [index, { endpoint }] of pods.entries())
      state.set("pods", fakePod(`twin-00001-${index}`, "twin-00001", { endpoint, node: "n1" }));
    const other = await cluster.wirePod(saying("from n2"));
    cluster.activate = (node) =>
      node === "n1" ? new Promise(() => undefined) : Promise.resolve(activation("twin-00001-z", other.endpoint));
    return { cluster, kill: () => pods.forEach((pod) => pod.kill()) };
  }

  test("its requests, and those that come after, are answered by another home, which is asked first", async () => {
    const { cluster, kill } = await dying();
    const steady = async (): Promise<string[]> => {
      const bodies: string[] = [];
      for (let round = 0; round < 100; round++) bodies.push((await call(cluster, "twin")).body);
      return bodies;
    };
    const callers = Array.from({ length: 8 }, steady);
    await call(cluster, "twin");
    kill();
    const bodies = new Set((await Promise.all(callers)).flat());
    for (const body of bodies) expect(["from n1", "from n2"]).toContain(body);
    expect((await call(cluster, "twin", { method: "POST", body: "x" })).body).toBe("from n2");
    expect(new Set(cluster.asked)).toEqual(new Set(["n2 default/twin-00001"]));
  });

  test("a home that has answered a request since is no suspect any more", async () => {
    const { cluster, kill } = await dying();
    const { cluster: state } = cluster.gateway;
    kill();
    expect((await call(cluster, "twin")).body).toBe("from n2");
    const back = await cluster.wirePod(saying("n1 is back"));
    const shown = [
      fakePod("twin-00001-y", "twin-00001", { endpoint: back.endpoint, node: "n1" }),
      fakePod("twin-00001-z", "twin-00001", { endpoint: back.endpoint, node: "n2" }),
    ];
    state.set("pods", shown[0]!);
    while (back.seen.length === 0) await call(cluster, "twin");
    // All pods go, as they do when the revision goes to zero.
    state.set("pods", shown[1]!);
    for (const pod of [...state.objects("pods")]) state.delete("pods", pod);
    cluster.asked.length = 0;
    cluster.activate = () => Promise.resolve(activation("twin-00001-x", back.endpoint));
    await call(cluster, "twin");
    expect(cluster.asked).toEqual(["n1 default/twin-00001"]);
  });
});

describe("how a revision has its requests held", () => {
  async function holding(annotations: Readonly<Record<string, string>>): Promise<FakeCluster> {
    const cluster = await start();
    cluster.service("held");
    const revision = fakeRevision("held-00001");
    cluster.gateway.cluster.set("revisions", { ...revision, metadata: { ...revision.metadata, annotations } });
    cluster.activate = () => new Promise(() => undefined);
    return cluster;
  }

  test.each([
    { sheds: "newest", refused: [2, 3] },
    { sheds: "oldest", refused: [0, 1] },
  ])("two at most, and who is refused of four is the $sheds", async ({ sheds, refused }) => {
    const cluster = await holding({
      "hold.shallop.dev/depth": "2",
      "hold.shallop.dev/shed": sheds,
      "hold.shallop.dev/retry-after": "7s",
      "hold.shallop.dev/wait": "2s",
    });
    const over: number[] = [];
    const calls: ReturnType<typeof call>[] = [];
    for (let index = 0; index < 4; index++) {
      const answer = call(cluster, "held");
      calls.push(answer);
      void answer.then(() => over.push(index));
      // One after the other, so that it is known who is the oldest.
      await until(
        () => cluster.gateway.load.waiting === Math.min(index + 1, 2) && over.length === Math.max(0, index - 1),
      );
    }
    expect(over.toSorted((a, b) => a - b)).toEqual(refused);
    for (const index of refused) {
      const answer = await calls[index]!;
      expect(answer.status).toBe(503);
      expect(answer.body).toMatch(/^QUEUE_FULL: /);
      expect(answer.headers["retry-after"]).toBe("7");
    }
    // The others have waited for as long as the revision says.
    const answers = await Promise.all(calls);
    for (const [index, { status, body, headers }] of answers.entries()) {
      if (refused.includes(index)) continue;
      expect([status, headers["retry-after"]]).toEqual([503, "7"]);
      expect(body).toMatch(/^START_TIMEOUT: /);
    }
  });
});
