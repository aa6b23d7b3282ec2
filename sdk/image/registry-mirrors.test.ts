import { systemClock } from "@shallop/sdk/internal";
import { seededRandom } from "@shallop/sdk/internal/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { digestOf } from "./digest.ts";
import { mediaType } from "./media-types.ts";
import { parseReference } from "./reference.ts";
import { RegistryClient } from "./registry-client.ts";
import { parseMirrors } from "./registry-mirrors.ts";
import { FakeRegistry } from "./registry.fake.ts";

let origin: FakeRegistry;
let mirror: FakeRegistry;
let nowMs: number;
const opened: RegistryClient[] = [];

beforeEach(async () => {
  nowMs = 0;
  origin = await FakeRegistry.start();
  mirror = await FakeRegistry.start();
});
afterEach(async () => {
  for (const client of opened.splice(0)) client[Symbol.dispose]();
  await origin[Symbol.asyncDispose]();
  await mirror[Symbol.asyncDispose]();
});

function open(place: string): RegistryClient {
  const mirrors = parseMirrors([`${origin.host}=${place}`]);
  const clock = { ...systemClock, nowMs: () => nowMs, sleep: () => Promise.resolve() };
  const client = new RegistryClient({ mirrors, clock, random: seededRandom(1) });
  opened.push(client);
  return client;
}

const reference = () => parseReference("app:1", { defaultRegistry: origin.host });
const layer = Buffer.from("layer");
const descriptor = { mediaType: mediaType.wasmLayer, digest: digestOf(layer), size: layer.length };
const manifest = JSON.stringify({ schemaVersion: 2, mediaType: mediaType.manifest, config: descriptor, layers: [] });

function serve(registry: FakeRegistry, prefix = ""): void {
  registry.on(`GET /v2/${prefix}app/manifests/1`, (_, response) => {
    response.writeHead(200, { "content-type": mediaType.manifest }).end(manifest);
  });
  registry.on(`GET /v2/${prefix}app/blobs/${descriptor.digest}`, (_, response) => void response.end(layer));
}

async function readAll(client: RegistryClient): Promise<string> {
  const { descriptor: root } = await client.manifest(reference());
  let text = "";
  for await (const chunk of client.blob(reference(), descriptor)) text += new TextDecoder().decode(chunk);
  return `${root.digest === digestOf(manifest)} ${text}`;
}

test("a mirror that has it is read, and the registry is not asked", async () => {
  serve(mirror, "copies/");
  expect(await readAll(open(`${mirror.url}/copies`))).toBe("true layer");
  expect(origin.requests).toEqual([]);
});

test("a mirror that does not have it, or fails, costs one question", async () => {
  serve(origin);
  mirror.on(`GET /v2/app/blobs/${descriptor.digest}`, (_, response) => void response.writeHead(503).end());
  expect(await readAll(open(mirror.url))).toBe("true layer");
  expect([mirror.requests.length, origin.requests.length]).toEqual([2, 2]);
});

test("a mirror that is not there is left alone for a minute", async () => {
  serve(origin);
  await mirror[Symbol.asyncDispose]();
  const client = open(mirror.url);
  expect(await readAll(client)).toBe("true layer");
  mirror = await FakeRegistry.start();
  expect(await readAll(client)).toBe("true layer");
  expect(mirror.requests).toEqual([]);
});

test("a mirror's bytes are checked as everybody's", async () => {
  serve(mirror);
  mirror.on(`GET /v2/app/blobs/${descriptor.digest}`, (_, response) => void response.end("evil!"));
  await expect(readAll(open(mirror.url))).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
});

test("nothing is pushed to a mirror, and it gets no token that is for the registry", async () => {
  origin.on("PUT /v2/app/manifests/1", (_, response) => void response.writeHead(201).end());
  await open(mirror.url).pushManifest(reference(), { bytes: Buffer.from(manifest), mediaType: mediaType.manifest });
  expect(mirror.requests).toEqual([]);
});

test("where names begin otherwise, so do the scopes that a token is asked for", async () => {
  mirror.on("GET /v2/copies/app/manifests/1", ({ headers }, response) => {
    const challenge = `Bearer realm="${mirror.url}/token",service="m"`;
    if (headers.authorization !== "Bearer t") response.writeHead(401, { "www-authenticate": challenge }).end();
    else response.writeHead(200, { "content-type": mediaType.manifest }).end(manifest);
  });
  mirror.on("GET /token", (_, response) => void response.end(JSON.stringify({ token: "t" })));
  const found = await open(`${mirror.url}/copies`).manifest(reference());
  expect(found.descriptor.digest).toBe(digestOf(manifest));
  const [asked] = mirror.seen("GET /token");
  expect(new URL(asked?.path ?? "", mirror.url).searchParams.getAll("scope")).toEqual(["repository:copies/app:pull"]);
});

test("one pool: of many streams a few run at once", async () => {
  let running = 0;
  let most = 0;
  origin.on(`GET /v2/app/blobs/${descriptor.digest}`, (_, response) => {
    most = Math.max(most, ++running);
    setTimeout(() => {
      running--;
      response.end(layer);
    }, 5);
  });
  const client = new RegistryClient();
  opened.push(client);
  await Promise.all(Array.from({ length: 12 }, () => Array.fromAsync(client.blob(reference(), descriptor))));
  expect(most).toBe(4);
});
