import { Agent } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { WireFault } from "@shallop/sdk/wire";
import { describe, expect, onTestFinished, test } from "vitest";
import { call, failing, silent, start, until } from "../client.fake.ts";
import { activation, fakePod, reflecting, saying, type WireHandler } from "../gateway.fake.ts";

describe("faults", () => {
  const guestFaults: { code: ConstructorParameters<typeof WireFault>[0]; status: number }[] = [
    { code: "GUEST_FAILED", status: 502 },
    { code: "GUEST_LIMIT", status: 507 },
    { code: "GUEST_TIMEOUT", status: 504 },
    { code: "GUEST_MEMORY", status: 507 },
  ];
  test.each(guestFaults)("$code is $status, and tells the id but nothing of the guest", async ({ code, status }) => {
    const cluster = await start();
    await cluster.wireService("bad", failing(code));
    const answer = await call(cluster, "bad", { headers: { "x-request-id": "mine" } });
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect(answer.body).toContain(code);
    expect(answer.body).toContain(`request id: ${String(answer.headers["x-request-id"])}`);
    expect(answer.body).not.toContain("secret");
    expect(answer.headers["x-request-id"]).not.toBe("mine");
  });

  test("an unknown host is 404, and the connection goes on", async () => {
    const cluster = await start();
    await cluster.wireService("hello", saying("hi"));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const answer = await call(cluster, "nobody", { agent });
    expect([answer.status, answer.headers.connection]).toEqual([404, "keep-alive"]);
    expect(answer.body).toMatch(/^HOST_UNKNOWN: /);
    expect((await call(cluster, "hello", { agent })).status).toBe(200);
  });

  test("a guest that is too slow is 504 and is cancelled", async () => {
    const cluster = await start();
    const guest = silent();
    await cluster.wireService("slow", guest.handler, { timeoutSeconds: 0.05 });
    const answer = await call(cluster, "slow");
    expect([answer.status, answer.body.split(":")[0]]).toEqual([504, "ANSWER_TIMEOUT"]);
    await until(() => guest.cancelled.length === 1);
  });

  test("a pod that is lost at the time limit of its request is 504, and the request goes nowhere else", async () => {
    const cluster = await start();
    const guest = silent();
    const pod = await cluster.wireService("spinning", guest.handler, { timeoutSeconds: 0.05 });
    const answer = call(cluster, "spinning");
    await until(() => guest.streams.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 70));
    pod.kill();
    expect((await answer).status).toBe(504);
    expect((await answer).body).toMatch(/^GUEST_TIMEOUT: /);
    expect(guest.streams).toHaveLength(1);
  });

  test("a guest that fails within its answer: what it has sent arrives, and no end", async () => {
    const cluster = await start();
    await cluster.wireService("bad", (_head, stream) => {
      stream.respond({ status: 200, headers: [] });
      stream.write(Buffer.from("one"));
      stream.write(Buffer.from("two"));
      stream.abort("GUEST_FAILED", "no more");
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    });
    const client = cluster.connect().send("GET / HTTP/1.1\r\nhost: bad.default.localhost\r\n\r\n");
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*one[^]*two\r\n$/);
  });

  test("a request that finds all pods busy until its time is over is told so", async () => {
    const cluster = await start();
    // An answer that has begun takes as long as it likes.
    const endless: WireHandler = (_head, stream) => {
      stream.respond({ status: 200, headers: [] });
      stream.write(Buffer.from("some"));
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    };
    await cluster.wireService("busy", endless, { containerConcurrency: 1, timeoutSeconds: 0.2 });
    const first = cluster.connect().send("GET / HTTP/1.1\r\nhost: busy.default.localhost\r\n\r\n");
    await first.until(/some/);
    const answer = await call(cluster, "busy");
    expect([answer.status, answer.body.split(":")[0]]).toEqual([503, "QUEUE_TIMEOUT"]);
  });

  test("a guest that is silent within its answer is cut off", async () => {
    const cluster = await start();
    await cluster.wireService(
      "stall",
      (_head, stream) => {
        stream.respond({ status: 200, headers: [] });
        stream.write(Buffer.from("some"));
        return { data: () => undefined, end: () => undefined, failed: () => undefined };
      },
      { idleTimeoutSeconds: 0.05 },
    );
    await expect(call(cluster, "stall")).rejects.toThrow();
  });

  test("a pod that dies in the middle of an answer cuts the client's connection, for nothing else can tell it", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("dying", (_head, stream) => {
      stream.respond({ status: 200, headers: [] });
      stream.write(Buffer.from("some"));
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    });
    const client = cluster.connect().send("GET / HTTP/1.1\r\nhost: dying.default.localhost\r\n\r\n");
    await client.until(/some/);
    pod.kill();
    expect(await client.ended()).not.toContain("\r\n0\r\n");
  });

  test("a pod that dies before its answer is 502 for a request with a body", async () => {
    const cluster = await start();
    const guest = silent();
    const pod = await cluster.wireService("dying", guest.handler);
    const answer = call(cluster, "dying", { method: "POST", body: "x" });
    await until(() => guest.streams.length === 1);
    pod.kill();
    expect((await answer).status).toBe(502);
  });

  test("a pod that dies under five hundred requests costs none of those that may be repeated", async () => {
    const cluster = await start();
    const guest = silent();
    const pod = await cluster.wireService("dying", guest.handler);
    const requests = [
      ...Array.from({ length: 498 }, () => call(cluster, "dying")),
      call(cluster, "dying", { method: "PUT", body: "kept" }),
      call(cluster, "dying", { method: "DELETE" }),
    ];
    await until(() => guest.streams.length === 500);
    const other = await cluster.wirePod(reflecting);
    cluster.gateway.cluster.set("pods", fakePod("dying-00001-b", "dying-00001", { endpoint: other.endpoint }));
    pod.kill();
    const answers = await Promise.all(requests);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(
      answers.map(({ body }) => (JSON.parse(body) as { body: string }).body).filter((body) => body !== ""),
    ).toEqual(["kept"]);
  });

  test("a pod that dies before its answer is replaced for a request that may be repeated", async () => {
    const cluster = await start();
    const guest = silent();
    const pod = await cluster.wireService("dying", guest.handler);
    const answer = call(cluster, "dying");
    await until(() => guest.streams.length === 1);
    const other = await cluster.wirePod(saying("from the other"));
    cluster.gateway.cluster.set("pods", fakePod("dying-00001-b", "dying-00001", { endpoint: other.endpoint }));
    pod.kill();
    expect(await answer).toMatchObject({ status: 200, body: "from the other" });
  });

  test("a pod that refuses is left for another, and the body is sent again", async () => {
    const cluster = await start();
    await cluster.wireService("full", failing("REFUSED"));
    const other = await cluster.wirePod(reflecting);
    cluster.gateway.cluster.set("pods", fakePod("full-00001-b", "full-00001", { endpoint: other.endpoint }));
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_none, index) => call(cluster, "full", { method: "POST", body: `body ${index}` })),
    );
    expect(answers.map(({ body }) => (JSON.parse(body) as { body: string }).body)).toEqual(
      Array.from({ length: 10 }, (_none, index) => `body ${index}`),
    );
  });

  test("an upload that pods refuse comes to another one whole, as far as they can have read it", async () => {
    const cluster = await start();
    await cluster.wireService("full", failing("REFUSED"));
    for (const [name, handler] of [
      ["b", failing("REFUSED")],
      ["c", reflecting],
    ] as const) {
      const { endpoint } = await cluster.wirePod(handler);
      cluster.gateway.cluster.set("pods", fakePod(`full-00001-${name}`, "full-00001", { endpoint }));
    }
    const bodies = Array.from({ length: 10 }, (_none, index) => `${index}`.repeat(1_000_000));
    const answers = await Promise.all(bodies.map((body) => call(cluster, "full", { method: "POST", body })));
    expect(answers.map(({ status }) => status)).toEqual(bodies.map(() => 200));
    const came = answers.map(({ body }) => (JSON.parse(body) as { body: string }).body);
    expect(came.every((body, index) => body === bodies[index])).toBe(true);
  });

  test("the story of a request that failed: where it was, for how long, and what came of it", async () => {
    const cluster = await start();
    const guest = silent();
    const pod = await cluster.wireService("dying", (head, stream) => {
      for (const connection of pod.connections) connection.destroy();
      return guest.handler(head, stream);
    });
    const other = await cluster.wirePod((head, stream) => {
      for (const connection of other.connections) connection.destroy();
      return guest.handler(head, stream);
    });
    cluster.gateway.cluster.set("pods", fakePod("dying-00001-b", "dying-00001", { endpoint: other.endpoint }));
    const { status, headers } = await call(cluster, "dying", { path: "/orders?secret=1" });
    expect(status).toBe(502);
    await until(() => cluster.stories.length > 0);
    const [story] = cluster.stories;
    expect(story).toMatchObject({
      id: headers["x-request-id"],
      namespace: "default",
      revision: "dying-00001",
      method: "GET",
      path: "/orders",
      client: "127.0.0.1",
      code: "CONNECTION_LOST",
      status: 502,
      answerBegun: false,
    });
    expect(story?.attempts.map(({ pod: name }) => name).toSorted()).toEqual(["dying-00001-a", "dying-00001-b"]);
    for (const { fromMs, toMs, outcome } of story?.attempts ?? []) {
      expect(outcome).toBe("CONNECTION_LOST");
      expect(toMs).toBeGreaterThanOrEqual(fromMs);
    }
  });

  test("a pod that cannot be reached is left for another", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("gone", saying("old"));
    pod.kill();
    const other = await cluster.wirePod(saying("new"));
    cluster.gateway.cluster.set("pods", fakePod("gone-00001-b", "gone-00001", { endpoint: other.endpoint }));
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => call(cluster, "gone", { method: "POST", body: "x" })),
    );
    expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 10 }, () => "new"));
    expect(cluster.asked).toEqual([]);
  });

  test("a pod that ends while a connection waits to be taken has begun nothing", async () => {
    const cluster = await start();
    cluster.service("leaving");
    // A connection that nobody reads is reset when its listener goes, with the request in it or not.
    const leaving = await cluster.leavingPod();
    const other = await cluster.wirePod(saying("new"));
    cluster.gateway.cluster.set("pods", fakePod("leaving-00001-a", "leaving-00001", { endpoint: leaving.endpoint }));
    cluster.gateway.cluster.set("pods", fakePod("leaving-00001-b", "leaving-00001", { endpoint: other.endpoint }));
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => call(cluster, "leaving", { method: "POST", body: "x" })),
    );
    expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 10 }, () => "new"));
    expect(leaving.dialled()).toBeGreaterThan(0);
  });

  test("pods of a node that go one after the other cost a request that may be repeated nothing", async () => {
    const cluster = await start();
    cluster.service("gone");
    const { handler } = silent();
    const dying = [await cluster.wirePod(handler), await cluster.wirePod(handler), await cluster.wirePod(handler)];
    for (const [index, { endpoint }] of dying.entries()) {
      cluster.gateway.cluster.set("pods", fakePod(`gone-00001-${index}`, "gone-00001", { endpoint }));
    }
    const healthy = await cluster.wirePod(saying("new"));
    cluster.activate = () => Promise.resolve(activation("gone-00001-new", healthy.endpoint));
    const answer = call(cluster, "gone");
    await until(() => dying.some(({ seen }) => seen.length > 0));
    for (const pod of dying.toSorted((a, b) => b.seen.length - a.seen.length)) {
      pod.kill();
      await nextTurn();
    }
    expect((await answer).body).toBe("new");
    expect(dying.flatMap(({ seen }) => seen)).toHaveLength(1);
  });

  const invalidAnswers: { name: string; handler: WireHandler }[] = [
    ["a status that is none", 99, []],
    ["an informational status", 101, []],
    ["a line break in a header", 200, ["x", "a\r\nb: c"]],
    ["a name that is none", 200, ["a b", "c"]],
    ["a character that no header has", 200, ["x", "☃"]],
    ["two lengths", 200, ["content-length", "1", "content-length", "2"]],
    ["a length that is none", 200, ["content-length", "-1"]],
    ["more than the length", 200, ["content-length", "1"]],
    ["less than the length", 200, ["content-length", "100"]],
  ].map(([name, status, headers]) => ({
    name: name as string,
    handler: (_head, stream) => {
      stream.respond({ status: status as number, headers: headers as string[] });
      stream.write(Buffer.from("body"));
      stream.end();
      return { data: () => undefined, end: () => undefined, failed: () => undefined };
    },
  }));
  test.each(invalidAnswers)("an answer with $name is 502", async ({ handler }) => {
    const cluster = await start();
    await cluster.wireService("odd", handler);
    const answer = await call(cluster, "odd");
    expect([answer.status, answer.body.split(":")[0]]).toEqual([502, "ANSWER_INVALID"]);
  });
});
