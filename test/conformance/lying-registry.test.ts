import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NodeImages } from "../../runtime/image/node-images.ts";
import { type Digest, digestOf, parseReference, pinned, RegistryClient } from "../../sdk/image/index.ts";
import { systemClock } from "../../sdk/internal/index.ts";
import { type Lie, LyingRegistry } from "../support/lying-registry.ts";

// What a registry may do to a node that pulls from it: nothing that it gives is used before it is known to be right,
// nobody is led inside, and no login goes where it is not for.

const component = Buffer.concat([Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]), Buffer.alloc(5_000, "c")]);
const never = new AbortController().signal;
const login = { kind: "basic", username: "user", password: "secret" } as const;

let directory: string;
let registry: LyingRegistry;
let elsewhere: LyingRegistry;
let client: RegistryClient;
let images: NodeImages;
/** How far the clock goes each time that it is looked at. */
let stepMs = 0;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-lies-"));
  registry = await LyingRegistry.start();
  elsewhere = await LyingRegistry.start();
  registry.elsewhere = elsewhere.host;
  stepMs = 0;
  let nowMs = 0;
  const clock = { ...systemClock, nowMs: () => (nowMs += stepMs), sleep: () => Promise.resolve() };
  const credentials = {
    credentials: (host: string) => Promise.resolve(host === registry.host ? login : undefined),
  };
  client = new RegistryClient({ clock, credentials });
  images = await NodeImages.open({ directory: join(directory, "node"), client });
});
afterEach(async () => {
  client[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
  await elsewhere[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

async function pull(lie: Lie): Promise<Digest> {
  const reference = parseReference(registry.wasm("app", component, lie), { defaultRegistry: "" });
  const resolved = await images.resolve(reference, never);
  const [variant] = resolved.variants;
  if (variant === undefined) throw new Error("the image has no variant");
  const local = await images.fetch(resolved, variant, { signal: never });
  if (local.variant !== "wasm") throw new Error("the image is another one");
  return local.componentDigest as Digest;
}

const stored = async (): Promise<readonly string[]> =>
  (await readdir(join(directory, "node/blobs/sha256"))).map((hex) => `sha256:${hex}`);

test("an honest one is believed", async () => {
  expect(await pull("none")).toBe(digestOf(component));
  expect(await stored()).toContain(digestOf(component));
});

test.each([
  ["layer-digest", "DIGEST_MISMATCH"],
  ["layer-size", "SIZE_MISMATCH"],
  ["layer-cut", "REGISTRY_UNREACHABLE"],
  ["html", "MANIFEST_INVALID"],
  ["redirect-inside", "REGISTRY_INVALID"],
  ["realm-inside", "REGISTRY_INVALID"],
] as const)("%s: %s, and nothing of it is kept", async (lie, code) => {
  await expect(pull(lie)).rejects.toMatchObject({ code });
  expect(await stored()).not.toContain(digestOf(component));
  expect(await readdir(join(directory, "node/ingest"))).toEqual([]);
});

test("a layer that comes byte by byte is given up", async () => {
  stepMs = 30_000;
  await expect(pull("drip")).rejects.toMatchObject({ code: "REGISTRY_UNREACHABLE" });
});

test("a manifest that is another one when it is asked for by its digest", async () => {
  const reference = parseReference(registry.wasm("app", component, "manifest-digest"), { defaultRegistry: "" });
  const { digest } = await client.resolve(reference);
  await expect(images.resolve(pinned(reference, digest), never)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
});

test("a tag that moves between the look and the reading: what was looked up is what is read", async () => {
  const reference = parseReference(registry.wasm("app", component, "tag-moves"), { defaultRegistry: "" });
  const { digest } = await client.resolve(reference);
  const { descriptor } = await client.manifest(pinned(reference, digest));
  expect(descriptor.digest).toBe(digest);
  expect((await client.manifest(reference)).descriptor.digest).not.toBe(digest);
});

test("the login for one host does not follow a redirect to another", async () => {
  elsewhere.wasm("app", component, "none");
  // The login is known by then: it is asked for with the first manifest.
  registry.asksLogin = true;
  expect(await pull("redirect-away")).toBe(digestOf(component));
  const sent = Buffer.from("user:secret").toString("base64");
  expect(registry.requests.some(({ authorization }) => authorization === `Basic ${sent}`)).toBe(true);
  expect(elsewhere.requests.length).toBeGreaterThan(0);
  expect(elsewhere.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
});
