import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ImagePolicy } from "@shallop/sdk/api";
import { type Digest, ImageFault } from "@shallop/sdk/image";
import { silentLog } from "@shallop/sdk/internal";
import { encryptKey, type Evidence, generateKeyPair, parseSignKey } from "@shallop/sdk/trust";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ImageGate } from "./image-gate.ts";
import { ImagePolicies } from "./image-policies.ts";
import { StoredEvidence } from "./stored-evidence.ts";

const digest = `sha256:${"a".repeat(64)}` as Digest;
const image = `hello@${digest}`;
const signal = new AbortController().signal;
const { privateDer, publicPem } = generateKeyPair("ed25519");
const key = parseSignKey(encryptKey(privateDer, ""), "");

let directory: string;
beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), "shallop-gate-"))));
afterAll(() => rm(directory, { recursive: true, force: true }));

const policy = (spec: Partial<ImagePolicy["spec"]>): ImagePolicy => ({
  apiVersion: "shallop.dev/v1",
  kind: "ImagePolicy",
  metadata: { name: "p", uid: "1", resourceVersion: "1", generation: 1, creationTimestamp: "" },
  spec: { images: ["**"], ...spec },
});
const signed = policy({ keys: [{ key: publicPem }] });

function signature(of: Digest = digest): Evidence {
  const payload = Buffer.from(
    JSON.stringify({
      critical: { type: "cosign container image signature", image: { "docker-manifest-digest": of } },
    }),
  );
  return { form: "simple", payload, signature: key.sign(payload) };
}

interface World {
  policies: readonly ImagePolicy[];
  registry: readonly Evidence[] | Error;
  asked: number;
}

function gateOf(
  world: World,
  evidence: Pick<StoredEvidence, "read" | "write"> = new StoredEvidence(join(directory, "unused"), silentLog),
): ImageGate {
  return new ImageGate({
    policies: { all: () => Promise.resolve(world.policies) },
    stored: evidence,
    evidence: () => {
      world.asked++;
      return world.registry instanceof Error ? Promise.reject(world.registry) : Promise.resolve(world.registry);
    },
    defaultRegistry: "127.0.0.1:5000",
  });
}

const away = new ImageFault("REGISTRY_UNREACHABLE", "the registry is away");

describe("what the node lets in", () => {
  const rows: readonly (readonly [
    string,
    Pick<World, "policies" | "registry">,
    { readonly image?: string; readonly variant?: "wasm" | "native"; readonly namespace?: string },
    string | undefined,
  ])[] = [
    ["without policies everything", { policies: [], registry: away }, {}, undefined],
    [
      "what falls under none",
      { policies: [policy({ images: ["docker.io/**"], deny: true })], registry: away },
      {},
      undefined,
    ],
    ["not what is denied", { policies: [policy({ deny: true })], registry: [] }, {}, "POLICY_DENIED"],
    ["not another namespace's", { policies: [policy({ namespaces: ["x"], deny: true })], registry: [] }, {}, undefined],
    ["a variant that is not known yet", { policies: [policy({ wasmOnly: true })], registry: [] }, {}, undefined],
    [
      "not a native variant",
      { policies: [policy({ wasmOnly: true })], registry: [] },
      { variant: "native" },
      "POLICY_DENIED",
    ],
    ["a Wasm variant", { policies: [policy({ wasmOnly: true })], registry: [] }, { variant: "wasm" }, undefined],
    ["what is signed", { policies: [signed], registry: [signature()] }, {}, undefined],
    ["not what is not", { policies: [signed], registry: [] }, {}, "POLICY_DENIED"],
    [
      "not another image's signature",
      { policies: [signed], registry: [signature(`sha256:${"b".repeat(64)}` as Digest)] },
      {},
      "POLICY_DENIED",
    ],
    [
      "not a tag, which may move",
      { policies: [signed], registry: [signature()] },
      { image: "hello:1" },
      "POLICY_DENIED",
    ],
    ["not what cannot be found out", { policies: [signed], registry: away }, {}, "REGISTRY_UNREACHABLE"],
  ];
  test.each(rows)("%s", async (_name, world, question, code) => {
    const gate = gateOf({ ...world, asked: 0 }, new StoredEvidence(join(directory, _name), silentLog));
    const checked = gate.check({ namespace: "default", image, ...question }, signal);
    if (code === undefined) await checked;
    else await expect(checked).rejects.toMatchObject({ code });
  });
});

test("signatures that were read once serve without the registry, until the keys change", async () => {
  const place = join(directory, "kept");
  const world: World = { policies: [signed], registry: [signature()], asked: 0 };
  await gateOf(world, new StoredEvidence(place, silentLog)).check({ namespace: "default", image }, signal);
  world.registry = away;
  const after = gateOf(world, new StoredEvidence(place, silentLog));
  await after.check({ namespace: "default", image }, signal);
  expect(world.asked).toBe(1);
  world.policies = [policy({ keys: [{ key: generateKeyPair("ed25519").publicPem }] })];
  await expect(after.check({ namespace: "default", image }, signal)).rejects.toMatchObject({
    code: "REGISTRY_UNREACHABLE",
  });
  world.policies = [signed];
  // Whoever can write the file cannot sign.
  for (const name of await readdir(place))
    await writeFile(join(place, name), '[{"form":"simple","payload":"","signature":""}]');
  await expect(after.check({ namespace: "default", image }, signal)).rejects.toMatchObject({
    code: "REGISTRY_UNREACHABLE",
  });
});

test("what was let in is not judged again until a policy changes", async () => {
  const world: World = { policies: [signed], registry: [signature()], asked: 0 };
  const reads: string[] = [];
  const stored = { read: async (of: Digest) => (reads.push(of), []), write: async () => undefined };
  const gate = gateOf(world, stored);
  for (let start = 0; start < 3; start++) await gate.check({ namespace: "default", image, variant: "wasm" }, signal);
  expect(reads).toHaveLength(1);
  expect(world.asked).toBe(1);
  await gate.check({ namespace: "other", image, variant: "wasm" }, signal);
  expect(reads).toHaveLength(2);
  world.policies = [signed, policy({ deny: true })];
  await expect(gate.check({ namespace: "default", image, variant: "wasm" }, signal)).rejects.toMatchObject({
    code: "POLICY_DENIED",
  });
});

test("policies are known after a restart without the API; a node that has never known any waits", async () => {
  const file = join(directory, "policies.json");
  const first = await ImagePolicies.open(file, silentLog);
  const synced = Promise.withResolvers<void>();
  first.follow({ synced: synced.promise, items: () => [signed] });
  const leaving = new AbortController();
  const waiting = first.all(leaving.signal);
  leaving.abort(new Error("gone"));
  await expect(waiting).rejects.toThrow("gone");
  const later = first.all(signal);
  synced.resolve();
  expect(await later).toEqual([signed]);
  await expect.poll(async () => (await readdir(directory)).includes("policies.json")).toBe(true);
  const second = await ImagePolicies.open(file, silentLog);
  second.follow({ synced: new Promise(() => undefined), items: () => [] });
  expect(await second.all(signal)).toEqual([signed]);
});

test("where capabilities are approved, a component that imports more than its image lists does not run", async () => {
  const world: World = { policies: [policy({ approveCapabilities: true })], registry: [], asked: 0 };
  const gate = gateOf(world);
  const question = { namespace: "default", image, variant: "wasm" } as const;
  await gate.check(question, signal);
  const hiding = { ...question, unlistedImports: ["wasi:sockets/tcp@0.2.0"] };
  await expect(gate.check(hiding, signal)).rejects.toMatchObject({ code: "POLICY_DENIED" });
  world.policies = [policy({ digestRequired: true })];
  await gate.check(hiding, signal);
  world.policies = [];
  await gate.check(hiding, signal);
});
