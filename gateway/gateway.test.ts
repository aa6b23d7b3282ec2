import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "node:http";
import { describe, expect, test } from "vitest";
import { call, silent, start, until } from "./client.fake.ts";
import { FakeCluster, fakePod, fakeRevision, fakeRoute, saying } from "./gateway.fake.ts";
import { toService, trafficPolicy } from "./route/routing.fixture.ts";

describe("slots", () => {
  test("no pod gets more than its concurrency, and all requests are answered in order", async () => {
    const cluster = await start();
    let now = 0;
    let most = 0;
    const order: string[] = [];
    await cluster.wireService(
      "two",
      (head, stream) => {
        most = Math.max(most, ++now);
        order.push(head.target);
        setTimeout(() => {
          now--;
          saying("ok")(head, stream).end();
        }, 30);
        return { data: () => undefined, end: () => undefined, failed: () => undefined };
      },
      { containerConcurrency: 2 },
    );
    for (let index = 0; index < 30; index++) {
      cluster.connect().send(`GET /${index} HTTP/1.1\r\nhost: two.default.localhost\r\n\r\n`);
      await until(() => order.length + cluster.gateway.load.waiting === index + 1);
    }
    await until(() => order.length === 30);
    expect(most).toBe(2);
    expect(order).toEqual(Array.from({ length: 30 }, (_none, index) => `/${index}`));
    // There is a pod: no other is asked for but one beside it.
    expect(new Set(cluster.asked)).toEqual(new Set(["n1 default/two-00001 two-00001-a"]));
  });

  test("requests spread over the pods, and a draining one gets none", async () => {
    const cluster = await start();
    const first = await cluster.wireService("many", saying("a"));
    const second = await cluster.wirePod(saying("b"));
    cluster.gateway.cluster.set("pods", fakePod("many-00001-b", "many-00001", { endpoint: second.endpoint }));
    await Promise.all(Array.from({ length: 100 }, () => call(cluster, "many")));
    expect(Math.min(first.seen.length, second.seen.length)).toBeGreaterThan(25);
    first.connections[0]!.drain();
    await sleep(20);
    const before = first.seen.length;
    await Promise.all(Array.from({ length: 20 }, () => call(cluster, "many")));
    expect(first.seen.length).toBe(before);
    cluster.gateway.cluster.set(
      "pods",
      fakePod("many-00001-b", "many-00001", { endpoint: second.endpoint, deleting: true }),
    );
    const third = await cluster.wirePod(saying("c"));
    cluster.gateway.cluster.set("pods", fakePod("many-00001-c", "many-00001", { endpoint: third.endpoint }));
    expect((await call(cluster, "many")).body).toBe("c");
  });

  test("a pod that is deleted finishes what it has", async () => {
    const cluster = await start();
    const guest = silent();
    const pod = await cluster.wireService("last", guest.handler);
    const answer = call(cluster, "last");
    await until(() => guest.streams.length === 1);
    const object = fakePod("last-00001-a", "last-00001", { endpoint: pod.endpoint, deleting: true });
    cluster.gateway.cluster.set("pods", object);
    cluster.gateway.cluster.delete("pods", object);
    guest.streams[0]!.respond({ status: 200, headers: [] });
    guest.streams[0]!.write(Buffer.from("done"));
    guest.streams[0]!.end();
    expect((await answer).body).toBe("done");
    await until(() => pod.connections[0]!.openStreams === 0);
  });
});

describe("traffic", () => {
  test("is split over revisions by percent, and a tag goes to its own", async () => {
    const cluster = await start();
    await cluster.wireService("split", saying("one"));
    const second = await cluster.wirePod(saying("two"));
    const { cluster: state } = cluster.gateway;
    state.set("revisions", fakeRevision("split-00002"));
    state.set("pods", fakePod("split-00002-a", "split-00002", { endpoint: second.endpoint }));
    state.set(
      "routes",
      fakeRoute("split", [
        { revisionName: "split-00001", percent: 80 },
        { revisionName: "split-00002", percent: 20, tag: "next" },
      ]),
    );
    const bodies = await Promise.all(Array.from({ length: 100 }, async () => (await call(cluster, "split")).body));
    expect(bodies.filter((body) => body === "two")).toHaveLength(20);
    expect((await call(cluster, "next-split")).body).toBe("two");
  });

  test("reports tell of load each second, and once more when it is over", async () => {
    const cluster = await start();
    await cluster.wireService("hello", saying("hi"));
    await Promise.all(Array.from({ length: 5 }, () => call(cluster, "hello")));
    await until(() => cluster.reports.length === 2);
    expect(cluster.reports.map(({ revisions }) => revisions[0]?.requestCount)).toEqual([5, 0]);
    await sleep(1100);
    expect(cluster.reports).toHaveLength(2);
  });
});

describe("stopping", () => {
  test("lets what runs finish, tells kept connections to close, and takes no new ones", async () => {
    const cluster = await FakeCluster.start();
    const guest = silent();
    await cluster.wireService("slow", guest.handler);
    const answer = call(cluster, "slow", { agent: new Agent({ keepAlive: true }) });
    const idle = cluster.connect();
    await until(() => guest.streams.length === 1);
    const closing = cluster.gateway.close();
    await expect(call(cluster, "slow")).rejects.toThrow();
    saying("finished")(undefined as never, guest.streams[0]!).end();
    const { body, headers } = await answer;
    expect([body, headers.connection]).toEqual(["finished", "close"]);
    await closing;
    await idle.ended();
    await cluster[Symbol.asyncDispose]();
  });

  test("lets a request finish that takes longer, where another process has taken over", async () => {
    const cluster = await FakeCluster.start({ drainTimeoutMs: 50, idleTimeoutMs: 50 });
    const guest = silent();
    await cluster.wireService("slow", guest.handler);
    const answer = call(cluster, "slow");
    await until(() => guest.streams.length === 1);
    const closing = cluster.gateway.close(true);
    // The idle connections' time, the two seconds that it is given more, and the time of an ordinary stop.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    saying("finished")(undefined as never, guest.streams[0]!).end();
    expect((await answer).body).toBe("finished");
    await closing;
    await cluster[Symbol.asyncDispose]();
  });

  test("cuts off what does not finish in time", async () => {
    const cluster = await FakeCluster.start({ drainTimeoutMs: 50 });
    const guest = silent();
    await cluster.wireService("slow", guest.handler);
    const answer = call(cluster, "slow").then(
      () => "answered",
      () => "cut off",
    );
    await until(() => guest.streams.length === 1);
    await cluster.gateway.close();
    expect(await answer).toBe("cut off");
    await cluster[Symbol.asyncDispose]();
  });
});

test("an error that the function itself answers has a story, too", async () => {
  const cluster = await start();
  const status = { "/broken": 500, "/missing": 404 } as const;
  await cluster.wireService("web", (head, stream) =>
    saying("hi", status[head.target as keyof typeof status])(head, stream),
  );
  const asked = await Promise.all(["/fine", "/broken", "/missing"].map((path) => call(cluster, "web", { path })));
  const [, broken, missing] = asked.map(({ headers }) => headers["x-request-id"]);
  await until(() => cluster.stories.length >= 2);
  const own = { namespace: "default", revision: "web-00001", code: "ANSWERED", answerBegun: false };
  const attempts = [{ pod: "web-00001-a", outcome: "ANSWERED" }];
  for (const [id, story] of [
    [broken, { status: 500, path: "/broken", attempts }],
    [missing, { status: 404, path: "/missing", attempts }],
  ] as const)
    expect(cluster.stories.find((one) => one.id === id)).toMatchObject({ ...own, ...story });
  expect(cluster.stories).toHaveLength(2);
});

test("whatever a request is refused for, its id has a story; what pods do has a place of its own in it", async () => {
  const cluster = await start({ bodyBytesMax: 10 });
  await cluster.wireService("web", saying("hi"));
  await cluster.wireService("guarded", saying("hi"));
  const jwt = { issuer: "us", jwks: '{"keys":[]}' };
  cluster.gateway.cluster.set("trafficPolicies", trafficPolicy("p", { jwt }, toService("guarded")));
  const idOf = async (answer: ReturnType<typeof call>): Promise<unknown> => (await answer).headers["x-request-id"];
  const raw = await cluster.connect().send("NONSENSE\r\n\r\n").ended();
  const asked: readonly (readonly [unknown, object])[] = [
    [
      await idOf(call(cluster, "nobody", { path: "/a?secret=1" })),
      { code: "HOST_UNKNOWN", status: 404, method: "GET", host: "nobody.default.localhost:8080", path: "/a" },
    ],
    [
      await idOf(call(cluster, "web", { method: "POST", body: "x".repeat(11) })),
      { code: "BODY_TOO_LARGE", status: 413 },
    ],
    [await idOf(call(cluster, "web", { headers: { host: "a b" } })), { code: "BAD_REQUEST", host: "", namespace: "" }],
    [/x-request-id: (\S+)/.exec(raw)?.[1], { code: "BAD_REQUEST", method: "-", client: "127.0.0.1" }],
    [
      await idOf(call(cluster, "guarded")),
      { code: "UNAUTHENTICATED", namespace: "default", reason: expect.stringContaining("default/guarded") },
    ],
    // Its signature is looked at while the request waits.
    [await idOf(call(cluster, "guarded", { headers: { authorization: "Bearer a.b.c" } })), { code: "UNAUTHENTICATED" }],
  ];
  await until(() => cluster.stories.length >= asked.length);
  for (const [id, story] of asked)
    expect(cluster.stories.find((one) => one.id === id)).toMatchObject({ revision: "", attempts: [], ...story });
  expect(cluster.stories).toHaveLength(asked.length);
});
