import { postStories, postTraces, requestStory, requestTraces, serviceTraces } from "@shallop/sdk/client";
import type { RequestStory, RequestTrace } from "@shallop/sdk/wire";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningApi, runApi } from "./server.fixture.ts";

let running: RunningApi;
beforeAll(async () => void (running = await runApi()));
afterAll(() => running[Symbol.asyncDispose]());

const story = (id: string): RequestStory => ({
  id,
  at: "2026-01-01T00:00:00.000000Z",
  ...{ namespace: "default", revision: "hello-00001", method: "GET", host: "hello.default.localhost", path: "/" },
  ...{ client: "127.0.0.1", code: "GUEST_FAILED", status: 502, reason: "it trapped" },
  ...{ queueMs: 1, durationMs: 2.5, answerBegun: false },
  attempts: [{ pod: "hello-00001-a", node: "n1", fromMs: 1, toMs: 2.5, outcome: "GUEST_FAILED" }],
});

describe("stories of requests that failed", () => {
  test("gateways tell them, and whoever may see the service is told", async () => {
    const gateway = running.client(running.material.tokens.gateway);
    await postStories(gateway, [story("r-1"), story("r-2")]);
    expect(await requestStory(gateway, "r-2")).toEqual(story("r-2"));
    await expect(requestStory(gateway, "r-3")).rejects.toMatchObject({ code: "NotFound" });
  });

  test("those that gateways refused, and functions answered, have places of their own: a flood of them leaves the others", async () => {
    const gateway = running.client(running.material.tokens.gateway);
    await postStories(gateway, [story("kept")]);
    const flood = Array.from({ length: 6_000 }, (_, index) => [
      { ...story(`no-${index}`), revision: "" },
      { ...story(`own-${index}`), code: "ANSWERED", status: 500 },
    ]).flat();
    for (let at = 0; at < flood.length; at += 1_000) await postStories(gateway, flood.slice(at, at + 1_000));
    expect((await requestStory(gateway, "kept")).id).toBe("kept");
    expect((await requestStory(gateway, "no-5999")).id).toBe("no-5999");
    expect((await requestStory(gateway, "own-5999")).id).toBe("own-5999");
    await expect(requestStory(gateway, "no-999")).rejects.toMatchObject({ code: "NotFound" });
  });

  test("nobody else tells them, and what is no story is refused", async () => {
    const gateway = running.client(running.material.tokens.gateway);
    const [node] = [running.client("nonsense")];
    await expect(postStories(node, [story("r-9")])).rejects.toMatchObject({ code: "Unauthorized" });
    for (const wrong of [{ ...story(""), id: "" }, { ...story("r"), durationMs: -1 }, "story"]) {
      await expect(postStories(gateway, [wrong as RequestStory])).rejects.toMatchObject({ code: "BadRequest" });
    }
    const long = { ...story("r-long"), path: "x".repeat(10_000) };
    await postStories(gateway, [long]);
    expect((await requestStory(gateway, "r-long")).path).toHaveLength(500);
  });
});

const trace = (requestId: string, revision = "hello-00001"): RequestTrace => ({
  traceId: "0af7651916cd43dd8448eb211c80319c",
  ...{ requestId, namespace: "default", revision },
  spans: [
    {
      ...{ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", flags: 1, name: "GET" },
      ...{ kind: "server", startMs: 1, endMs: 2.5, attributes: { "http.response.status_code": 200 } },
    },
  ],
});

describe("traces of requests", () => {
  test("are found by request, by trace and by service, the newest first", async () => {
    const gateway = running.client(running.material.tokens.gateway);
    await postTraces(gateway, [trace("t-1"), trace("t-2"), trace("t-3", "other-00001")]);
    expect(await requestTraces(gateway, "t-2")).toEqual([trace("t-2")]);
    expect(await requestTraces(gateway, trace("").traceId)).toHaveLength(3);
    const of = async (name: string, limit = 10) =>
      (await serviceTraces(gateway, "default", name, limit)).map(({ requestId }) => requestId);
    expect(await of("hello")).toEqual(["t-2", "t-1"]);
    expect(await of("hello", 1)).toEqual(["t-2"]);
    expect(await of("nobody")).toEqual([]);
    await expect(requestTraces(gateway, "t-9")).rejects.toMatchObject({ code: "NotFound" });
  });

  test("what is none is refused, and what is long is cut", async () => {
    const gateway = running.client(running.material.tokens.gateway);
    await expect(postTraces(running.client("nonsense"), [trace("t")])).rejects.toMatchObject({ code: "Unauthorized" });
    for (const wrong of [{ ...trace("t"), traceId: "x" }, { ...trace("t"), spans: [{}] }, "trace"]) {
      await expect(postTraces(gateway, [wrong as RequestTrace])).rejects.toMatchObject({ code: "BadRequest" });
    }
    const [span] = trace("").spans;
    await postTraces(gateway, [
      { ...trace("t-long", "long-00001"), traceId: "1".repeat(32), spans: [{ ...span!, name: "x".repeat(9_000) }] },
    ]);
    expect((await requestTraces(gateway, "t-long"))[0]?.spans[0]?.name).toHaveLength(500);
  });
});
