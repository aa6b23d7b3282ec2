import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { whoScript } from "../support/behaviours.ts";
import { componentThatImports } from "../../runtime/host/testing/components.ts";
import { LyingRegistry } from "../support/lying-registry.ts";
import { type CliResult, eventually, Platform, shallop } from "../support/platform.ts";
import { Workshop } from "../support/workshop.ts";
import { besideBystander, deployBystander } from "./bystander.ts";

// Images that are not what they say, and sources of which no image can be made: refused with a code and a sentence, at the
// first place that can know.

let platform: Platform;
let workshop: Workshop;
let registry: LyingRegistry;

beforeAll(async () => {
  workshop = await Workshop.open();
  registry = await LyingRegistry.start();
  platform = await Platform.start();
  await deployBystander(platform, workshop);
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await workshop?.[Symbol.asyncDispose]();
});

/** One sentence with a code, on standard error, and no stack. */
function expectRefusal(result: CliResult, code: string, sentence: RegExp): void {
  expect(result.stderr).toMatch(sentence);
  expect(result.stderr).toContain(code);
  expect(result.stderr).not.toMatch(/^\s+at .*file:/m);
  expect(result.code).toBe(1);
}

const tryBuild = async (name: string, project: Parameters<Workshop["write"]>[1]): Promise<CliResult> =>
  platform.shallop("build", await workshop.write(name, project));

test("a file that is no component is not built", async () => {
  const result = await besideBystander(platform, () => tryBuild("garbage", { component: Buffer.from("no component") }));
  expectRefusal(result, "COMPONENT_INVALID", /component\.wasm is neither a WebAssembly component nor a core module/);
});

test("a component that is cut off is not built", async () => {
  const whole = await componentThatImports("acme:quantum/entangler@1.0.0");
  const result = await tryBuild("cut", { component: whole.subarray(0, whole.length - 40) });
  expectRefusal(result, "COMPONENT_INVALID", /component\.wasm/);
});

test.each([
  ["whose top level throws", "throw new Error('not today');\nexport default {};", "FUNCTION_INVALID", /not today/],
  ["without a function", "export const nothing = 1;", "FUNCTION_INVALID", /export default/],
  ["that does not parse", "export default {", "SOURCE_INVALID", /function\.js/],
  [
    "that imports what is not there",
    "import 'nowhere-to-be-found';\nexport default {};",
    "SOURCE_INVALID",
    /nowhere-to-be-found/,
  ],
])("a module %s is not built", async (what, script, code, sentence) => {
  expectRefusal(await tryBuild(`source-${what.length}`, { script }), code, sentence);
});

test("a project file with unknown fields names each of them", async () => {
  const directory = await workshop.write("fields", { script: whoScript });
  const file = join(directory, "shallop.yaml");
  await writeFile(file, `${await readFile(file, "utf8")}colour: red\nwasm2: {}\n`);
  expectRefusal(await platform.shallop("build", directory), "PROJECT_INVALID", /colour: is unknown.*wasm2: is unknown/);
});

test("an unknown template names those that there are", async () => {
  const result = await shallop(["new", "cobol", join(workshop.directory, "cobol")]);
  expect(result.code).not.toBe(0);
  expect(result.stderr).toMatch(/no template "cobol"; there are typescript, hono, .*native.*TEMPLATE_UNKNOWN/);
});

/** Deploys what cannot be deployed, while the bystander is called. */
const tryDeploy = (name: string, image: string): Promise<CliResult> =>
  besideBystander(platform, () => platform.shallop("deploy", name, "--image", image));

test("an image that is not there", async () => {
  expectRefusal(await tryDeploy("absent", "absent:1"), "ContainerMissing", /absent/);
});

test("a service whose image was not there is mended by the next deploy", async () => {
  await platform.run("deploy", "absent", "--image", "bystander:1", "--env", "WHO=mended");
  expect((await platform.ask("absent.default")).body).toBe("mended\n");
});

test("an image name that is none", async () => {
  const { code, stderr } = await tryDeploy("misnamed", "Not A Name:1");
  expect(stderr).toMatch(/Not A Name/);
  expect(code).toBe(1);
});

test("an image whose component is none", async () => {
  const image = registry.wasm("garbage", Buffer.from("this is no component at all"));
  expectRefusal(await tryDeploy("garbage", image), "LayerInvalid", /is no Wasm file/);
});

test.each([
  ["lies about the digest of its layer", "layer-digest", "DigestMismatch", /digest/i],
  ["lies about the size of its layer", "layer-size", "SizeMismatch", /bytes/],
  ["is another one when it is asked for by digest", "manifest-digest", "DigestMismatch", /digest/i],
] as const)("an image whose manifest %s", async (_what, lie, code, sentence) => {
  const image = registry.wasm(lie, await componentThatImports(`acme:${lie}/entangler@1.0.0`), lie);
  expectRefusal(await tryDeploy(lie, image), code, sentence);
});

test("an image whose layer breaks off on the way, each time: it may pass, so it is tried again, and said", async () => {
  const image = registry.wasm("layer-cut", Buffer.alloc(100_000, "x"), "layer-cut");
  await platform.run("deploy", "layer-cut", "--image", image, "--no-wait");
  const text = await besideBystander(platform, () =>
    eventually("the failure is shown", async () => {
      const described = (await platform.shallop("describe", "layer-cut")).stdout;
      return described.includes("REGISTRY_UNREACHABLE") ? described : undefined;
    }),
  );
  expect(text).toMatch(/broke off/);
  await platform.run("delete", "layer-cut");
});

test("an image whose layer is an archive that ends in the middle", async () => {
  expectRefusal(await tryDeploy("truncated", registry.truncatedNative("truncated")), "LayerInvalid", /layer|archive/i);
});

test("an image whose component imports what nobody has", async () => {
  const image = await workshop.publish(platform, "importer", {
    component: await componentThatImports("acme:quantum/entangler@1.0.0"),
  });
  expectRefusal(await tryDeploy("importer", image), "NoUsableVariant", /acme:quantum\/entangler@1\.0\.0/);
  expect((await platform.shallop("describe", "importer")).stdout).toContain("acme:quantum/entangler");
});

test("an image that a policy wants signed is refused until it is", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const key = join(workshop.directory, "release.key");
  await writeFile(key, privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
  const spec = {
    images: ["*/guarded"],
    keys: [{ name: "release", key: publicKey.export({ format: "pem", type: "spki" }) }],
  };
  const policy = { apiVersion: "shallop.dev/v1", kind: "ImagePolicy", metadata: { name: "signed" }, spec };
  execFileSync("kubectl", ["--kubeconfig", platform.kubeconfig, "apply", "-f", "-"], { input: JSON.stringify(policy) });
  const image = await workshop.publish(platform, "guarded", { script: whoScript });
  const refused = await platform.shallop("deploy", "guarded", "--image", image);
  expectRefusal(refused, "ImagePolicyViolation", /has no signature; it must be signed by release/);
  await platform.run("sign", image, "--key", key);
  await platform.run("deploy", "guarded", "--image", image);
  expect((await platform.ask("guarded.default")).status).toBe(200);
});

test("an image for other machines only", async () => {
  const image = await workshop.publish(platform, "foreign", { foreignPlatform: "linux/s390x" });
  expectRefusal(await tryDeploy("foreign", image), "NoUsableVariant", /linux\/s390x/);
});

test("a request for what cannot run is refused at once, and says that it may be tried again", async () => {
  const answer = await besideBystander(platform, () => platform.ask("foreign.default"));
  expect([404, 503]).toContain(answer.status);
  expect(answer.ms).toBeLessThan(30_000);
});

test("shallop pull believes no more than the node does", async () => {
  const image = registry.wasm("pulled", await componentThatImports("acme:pulled/entangler@1.0.0"), "layer-digest");
  expectRefusal(await platform.shallop("pull", image), "DIGEST_MISMATCH", /digest/i);
});
