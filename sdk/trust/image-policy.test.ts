import type { ImagePolicy } from "@shallop/sdk/api";
import { type Digest, parseReference } from "@shallop/sdk/image";
import { describe, expect, test } from "vitest";
import type { Evidence } from "./evidence.ts";
import { encryptKey } from "./encrypted-key.ts";
import { policiesFor, policyRefusal } from "./image-policy.ts";
import { generateKeyPair, parseSignKey } from "./keys.ts";

const digest = `sha256:${"a".repeat(64)}` as Digest;
const policy = (spec: Partial<ImagePolicy["spec"]>, name = "p"): ImagePolicy => ({
  apiVersion: "shallop.dev/v1",
  kind: "ImagePolicy",
  metadata: { name, uid: "1", resourceVersion: "1", generation: 1, creationTimestamp: "" },
  spec: { images: ["**"], ...spec },
});
const about = (image: string, namespace = "default") => ({
  namespace,
  reference: parseReference(image, { defaultRegistry: "127.0.0.1:5000" }),
});

describe("an image falls under a policy by its name and its namespace", () => {
  const rows: readonly (readonly [string, Partial<ImagePolicy["spec"]>, string, boolean])[] = [
    ["everything", {}, "hello:1", true],
    ["the registry", { images: ["127.0.0.1:5000/*"] }, "hello:1", true],
    ["a star ends at a slash", { images: ["127.0.0.1:5000/*"] }, "team/hello:1", false],
    ["two stars do not", { images: ["127.0.0.1:5000/**"] }, "team/hello:1", true],
    ["another registry", { images: ["docker.io/**"] }, "hello:1", false],
    ["one of several", { images: ["docker.io/**", "127.0.0.1:5000/hello"] }, "hello:1", true],
    ["the beginning of a name is not the name", { images: ["127.0.0.1:5000/hell"] }, "hello:1", false],
    ["another namespace", { namespaces: ["prod-*"] }, "hello:1", false],
    ["its namespace", { namespaces: ["prod-*", "default"] }, "hello:1", true],
    ["a trick with dots", { images: ["127.0.0.1:5000/**"] }, "evil.example/127.0.0.1/x:1", false],
  ];
  test.each(rows)("%s", (_name, spec, image, expected) => {
    expect(policiesFor([policy(spec)], about(image))).toHaveLength(expected ? 1 : 0);
  });
});

describe("what a policy asks for", () => {
  const pinned = `hello@${digest}`;
  const rows: readonly (readonly [string, Partial<ImagePolicy["spec"]>, object, RegExp | undefined])[] = [
    ["nothing", {}, about("hello:1"), undefined],
    ["deny", { deny: true, message: "ask Kim" }, about("hello:1"), /nothing of that name may run \(ask Kim\)/],
    ["its registry", { registries: ["127.0.0.1:*"] }, about("hello:1"), undefined],
    ["another registry", { registries: ["registry.example"] }, about("hello:1"), /registry\.example only/],
    ["a digest that is not there", { digestRequired: true }, { ...about("hello:1"), asWritten: true }, /by its digest/],
    ["a digest that is there", { digestRequired: true }, { ...about(pinned), asWritten: true }, undefined],
    ["Wasm, not known yet", { wasmOnly: true }, about("hello:1"), undefined],
    ["Wasm, and it is", { wasmOnly: true }, { ...about("hello:1"), kinds: ["native", "wasm"] }, undefined],
    ["Wasm, and it is not", { wasmOnly: true }, { ...about("hello:1"), kinds: ["native"] }, /only Wasm/],
    [
      "a list of imports that is not whole",
      { approveCapabilities: true },
      { ...about("hello:1"), unlistedImports: ["wasi:sockets/tcp@0.2.0"] },
      /imports wasi:sockets\/tcp@0\.2\.0, which the config/,
    ],
    ["the same, and nobody has to approve", {}, { ...about("hello:1"), unlistedImports: ["a:b/c"] }, undefined],
    ["a key, and nobody has signed", { keys: [{ key: "x" }] }, { ...about(pinned), evidence: [] }, /has no signature/],
    ["a key, and a tag", { keys: [{ key: "x" }] }, { ...about("hello:1"), evidence: [] }, /by its digest/],
  ];
  test.each(rows)("%s", (_name, spec, facts, expected) => {
    const refusal = policyRefusal([policy(spec)], facts as ReturnType<typeof about>);
    if (expected === undefined) expect(refusal).toBeUndefined();
    else expect(refusal).toMatch(expected);
  });

  test("all policies must be content; a key that cannot be read has signed nothing", () => {
    const { privateDer, publicPem } = generateKeyPair("ed25519");
    const key = parseSignKey(encryptKey(privateDer, ""), "");
    const payload = Buffer.from(
      JSON.stringify({
        critical: {
          identity: { "docker-reference": "r/hello" },
          image: { "docker-manifest-digest": digest },
          type: "cosign container image signature",
        },
      }),
    );
    const evidence: readonly Evidence[] = [{ form: "simple", payload, signature: key.sign(payload) }];
    const facts = { ...about(pinned), evidence };
    const good = policy({ keys: [{ name: "release", key: publicPem }] });
    expect(policyRefusal([good], facts)).toBeUndefined();
    expect(policyRefusal([good, policy({ deny: true }, "second")], facts)).toMatch(/^image policy second refuses/);
    const other = generateKeyPair("ed25519").publicPem;
    expect(policyRefusal([policy({ keys: [{ name: "release", key: other }] })], facts)).toMatch(/signed by release/);
    expect(policyRefusal([policy({ keys: [{ key: "nonsense" }] })], facts)).toMatch(/none of the keys/);
    const tampered = [{ ...evidence[0]!, payload: Buffer.from(String(payload).replace("r/hello", "r/other")) }];
    expect(policyRefusal([good], { ...facts, evidence: tampered })).toMatch(/none of the keys/);
  });
});
