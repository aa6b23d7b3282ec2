import { once } from "node:events";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { compileGuest } from "../support/async-guests.ts";
import { Platform } from "../support/platform.ts";
import { missingTools } from "../support/toolchains.ts";

const note = missingTools.c === undefined ? "" : ` (not tested: ${missingTools.c})`;

// A component of WASI 0.3 through the whole platform: built into an image, pushed, deployed, asked from zero. What such a guest can do
// is asked in test/conformance.
describe.skipIf(missingTools.c !== undefined)(`a service of WASI 0.3${note}`, () => {
  let platform: Platform;
  let directory: string;

  beforeAll(async () => {
    platform = await Platform.start();
    directory = await mkdtemp(join(tmpdir(), "shallop-wasi-0-3-"));
    await copyFile(await compileGuest("service", directory), join(directory, "component.wasm"));
    await writeFile(
      join(directory, "shallop.yaml"),
      'name: service\nversion: "1.0.0"\nwasm:\n  source: component.wasm\n',
    );
    await platform.run("build", directory, "--push");
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") console.log(await platform.logs());
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const texts = async (service: string, path: string, count: number): Promise<string[]> => {
    const answers = await Promise.all(Array.from({ length: count }, () => platform.ask(`${service}.default`, path)));
    return answers.map(({ body }) => body);
  };

  test("is deployed, and serves a crowd with few instances", async () => {
    await platform.run("deploy", "shared", "--image", "service:1.0.0", "--max-scale", "1");
    const [first] = await texts("shared", "/", 1);
    expect(first).toMatch(/^served \d+, at once 1/);
    const crowd = await texts("shared", "/wait/1500", 8);
    expect(Math.max(...crowd.map((text) => Number(/most (\d+)/.exec(text)?.[1])))).toBe(8);
  });

  test("trailers of a client come to it, and its own to the client", async () => {
    const asking = request({
      port: platform.ports.gateway,
      host: "127.0.0.1",
      method: "POST",
      path: "/upper",
      headers: { host: "shared.default.localhost", te: "trailers", trailer: "x-end" },
    });
    asking.write("through the gateway");
    asking.addTrailers({ "x-end": "yes" });
    asking.end();
    const [incoming] = (await once(asking, "response")) as [IncomingMessage];
    let body = "";
    for await (const chunk of incoming) body += String(chunk);
    expect([body, incoming.trailers]).toEqual(["THROUGH THE GATEWAY", { "x-end": "yes" }]);
  });

  test("has a fresh instance for each request when its revision asks for that", async () => {
    const annotated = (value: string): readonly string[] => [
      ...["deploy", "fresh", "--image", "service:1.0.0"],
      ...["--annotation", `reuse.shallop.dev/requests=${value}`],
    ];
    await platform.run(...annotated("1"));
    expect(await texts("fresh", "/wait/50", 4)).toEqual(Array(4).fill("served 1, at once 1, most 1\n"));
    expect(await platform.run("describe", "fresh")).toMatch(/requests +1 +1 +set\n *at-once +1 +1\n/);
    const refused = await platform.shallop(...annotated("none"));
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/whole number from 1 to 1000000/)]);
  });
});
