import { postStories, requestStory } from "@shallop/sdk/client";
import type { RequestStory } from "@shallop/sdk/wire";
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
