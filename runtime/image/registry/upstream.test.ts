import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { digestOf, RegistryClient, registryHost } from "@shallop/sdk/image";
import { systemClock } from "@shallop/sdk/internal";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RegistryBench } from "./registry.fixture.ts";

let lab: RegistryBench;
let cache: RegistryBench;
let client: RegistryClient;
let nowMs = 0;

/** A cache of a registry; nobody waits in it, and its clock is set by hand. */
async function openCache(host: string): Promise<void> {
  nowMs = 1_000_000;
  const clock = { ...systemClock, nowMs: () => nowMs, sleep: () => Promise.resolve() };
  client = new RegistryClient({ clock });
  cache = await RegistryBench.open({
    clock,
    upstream: { registries: new Map([["lab", registryHost(host)]]), client },
  });
}

beforeEach(async () => {
  lab = await RegistryBench.open();
  await openCache(new URL(lab.server.url).host);
});
afterEach(async () => {
  client[Symbol.dispose]();
  await cache[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

const text = async (path: string): Promise<string> => (await cache.call("GET", path)).text();
const layer = (body: string): string => `/v2/lab/team/app/blobs/${digestOf(body)}`;

test("what is asked for is fetched once, and is here when the other registry is gone", async () => {
  const digest = await lab.image("team/app", "1", ["layer"]);
  expect(await cache.has("lab/team/app", "manifests/1")).toBe(true);
  expect(digestOf(await text("/v2/lab/team/app/manifests/1"))).toBe(digest);
  expect(await text(layer("layer"))).toBe("layer");
  await lab[Symbol.asyncDispose]();
  nowMs += 60_000;
  expect(digestOf(await text("/v2/lab/team/app/manifests/1"))).toBe(digest);
  expect(digestOf(await text(`/v2/lab/team/app/manifests/${digest}`))).toBe(digest);
  expect(await text(layer("layer"))).toBe("layer");
  expect(await cache.outcome("GET", "/v2/lab/team/app/manifests/2")).toBe("502 UPSTREAM_FAILED");
  expect(await text("/v2/lab/team/app/tags/list")).toBe('{"name":"lab/team/app","tags":["1"]}');
});

test("a tag that moves is followed, half a minute later", async () => {
  const first = await lab.image("team/app", "1", ["one"]);
  expect(digestOf(await text("/v2/lab/team/app/manifests/1"))).toBe(first);
  const second = await lab.image("team/app", "1", ["two"]);
  expect(digestOf(await text("/v2/lab/team/app/manifests/1"))).toBe(first);
  nowMs += 31_000;
  expect(digestOf(await text("/v2/lab/team/app/manifests/1"))).toBe(second);
});

test("as the mirror that containerd asks: the other registry is in the query", async () => {
  const digest = await lab.image("team/app", "1", ["layer"]);
  expect(digestOf(await text("/v2/team/app/manifests/1?ns=lab"))).toBe(digest);
  expect(await text(`/v2/team/app/blobs/${digestOf("layer")}?ns=lab`)).toBe("layer");
  expect(await cache.outcome("GET", "/v2/team/app/manifests/1?ns=elsewhere")).toBe("404 MANIFEST_UNKNOWN");
  expect(await cache.outcome("GET", "/v2/team/app/manifests/1")).toBe("404 MANIFEST_UNKNOWN");
});

test("what is not there, and what may not be done", async () => {
  expect(await cache.outcome("GET", "/v2/lab/team/app/manifests/1")).toBe("404 MANIFEST_UNKNOWN");
  expect(await cache.outcome("GET", layer("absent"))).toBe("404 BLOB_UNKNOWN");
  expect(await cache.outcome("GET", "/v2/elsewhere/app/manifests/1")).toBe("404 MANIFEST_UNKNOWN");
  const post = `/v2/lab/team/app/blobs/uploads/?digest=${digestOf("x")}`;
  expect(await cache.outcome("POST", post, { body: "x" })).toBe("405 UNSUPPORTED");
  expect(await cache.outcome("PUT", "/v2/lab/team/app/manifests/1", { body: "{}" })).toBe("405 UNSUPPORTED");
  await cache.blob("own/app", "x");
});

/** An upstream that sends its one blob as a test says, and counts how often it is asked for. */
async function slowUpstream(bytes: Buffer, send: (response: ServerResponse) => void) {
  let gets = 0;
  const server = createServer((request, response) => {
    if (!request.url?.includes("/blobs/")) return void response.writeHead(404).end();
    response.setHeader("content-length", bytes.length);
    if (request.method === "HEAD") return void response.end();
    gets++;
    return send(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await openCache(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  return {
    gets: () => gets,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("a blob is passed on while it comes, to all who ask, and fetched once", async () => {
  const bytes = Buffer.alloc(400_000, "slow");
  const waiting: ServerResponse[] = [];
  await cache[Symbol.asyncDispose]();
  await using upstream = await slowUpstream(bytes, (response) => {
    response.write(bytes.subarray(0, 200_000));
    waiting.push(response);
  });
  const path = `/v2/lab/team/app/blobs/${digestOf(bytes)}`;
  const answers = await Promise.all([cache.call("GET", path), cache.call("GET", path), cache.call("GET", path)]);
  expect(answers.map(({ headers }) => headers.get("content-length"))).toEqual(["400000", "400000", "400000"]);
  const readers = answers.map((answer) => answer.body!.getReader());
  const first = await Promise.all(readers.map((reader) => reader.read()));
  expect(first.every(({ value }) => value !== undefined && value.length > 0)).toBe(true);
  waiting[0]?.end(bytes.subarray(200_000));
  for (const [index, reader] of readers.entries()) {
    let length = first[index]?.value?.length ?? 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) length += part.value.length;
    expect(length).toBe(400_000);
  }
  await expect.poll(() => cache.has("lab/team/app", `blobs/${digestOf(bytes)}`)).toBe(true);
  expect((await (await cache.call("GET", path)).arrayBuffer()).byteLength).toBe(400_000);
  expect(upstream.gets()).toBe(1);
});

test("bytes that are not what their digest says never come whole, and are not kept", async () => {
  const promised = Buffer.alloc(300_000, "good");
  await cache[Symbol.asyncDispose]();
  await using upstream = await slowUpstream(promised, (response) => response.end(Buffer.alloc(300_000, "evil")));
  const path = `/v2/lab/team/app/blobs/${digestOf(promised)}`;
  for (let round = 1; round <= 2; round++) {
    const answer = await cache.call("GET", path);
    await expect(answer.arrayBuffer()).rejects.toThrow();
    await expect.poll(upstream.gets).toBe(round);
  }
});
