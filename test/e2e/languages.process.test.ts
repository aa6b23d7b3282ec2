import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { baseRoot, staticBusybox } from "../support/base-image.ts";
import { Platform } from "../support/platform.ts";
import { missingTools } from "../support/toolchains.ts";

// A compiler whose caches are empty takes its time on a small machine.
const buildMsMax = 180_000;

// Compiled languages end to end: source, image, registry, deploy, and a request answered from zero; as a component, and natively
// from the same image. What their handlers can do is asked in test/conformance.

const sample = (name: string): string => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));
let platform: Platform;
let native = false;

beforeAll(async () => {
  // A platform under test has caches of its own; Go's would be empty, and its whole library compiled again.
  process.env["GOCACHE"] ??= join(homedir(), ".cache/go-build");
  platform = await Platform.start();
  const { nodes } = JSON.parse(await platform.run("status", "-o", "json")) as { nodes: { native: string }[] };
  native = nodes[0]?.native === "yes";
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform.logs());
});
afterAll(() => platform[Symbol.asyncDispose]());

describe.each([
  { name: "c-routes", language: "C", missing: missingTools.c },
  { name: "go", language: "Go", missing: missingTools.go },
])("$language", ({ name, language, missing }) => {
  const note = missing === undefined ? "" : ` (not tested: ${missing})`;

  test.skipIf(missing !== undefined)(
    `is built, pushed and deployed as a component, and answers${note}`,
    async () => {
      const built = await platform.run("build", sample(name), "--push", "-o", "json");
      expect(built).toContain('"wasm"');
      await platform.run("deploy", name, "--image", `${name}:1.0.0`);
      expect(await platform.ask(`${name}.default`, "/?name=you")).toMatchObject({ status: 200, body: "hello, you\n" });
      const about = await platform.ask(`${name}.default`, "/about?a=b", { method: "PATCH" });
      expect(about.headers["x-language"]).toBe(language);
      expect(about.body).toContain("PATCH /about\nquery: a=b\n");
      const echo = { method: "POST", body: "there and back" };
      expect(await platform.ask(`${name}.default`, "/echo", echo)).toMatchObject({
        status: 201,
        body: "there and back",
      });
    },
    buildMsMax,
  );

  test.skipIf(missing !== undefined)(`runs natively from the same image${note}`, async ({ skip }) => {
    if (!native) skip("this machine runs no native pods");
    await platform.run("deploy", `${name}-native`, "--image", `${name}:1.0.0`, "--prefer-variant", "native");
    const echo = { method: "POST", body: "there and back" };
    const answer = await platform.ask(`${name}-native.default`, "/echo", echo);
    expect(answer).toMatchObject({ status: 201, body: "there and back" });
    const described = JSON.parse(await platform.run("describe", `${name}-native`, "-o", "json")) as {
      readonly revisions: readonly { status?: { preparedNodes?: readonly { variant: string }[] } }[];
    };
    expect(described.revisions[0]?.status?.preparedNodes?.[0]?.variant).toBe("native");
  });
});

const busybox = staticBusybox();

test.skipIf(busybox === undefined)(
  `a Dockerfile beside a component, from one project file: built twice, deployed natively, answering${busybox === undefined ? " (not tested: there is no busybox-static)" : ""}`,
  async ({ skip }) => {
    if (!native) skip("this machine runs no native pods");
    const directory = await mkdtemp(join(tmpdir(), "shallop-base-"));
    try {
      await baseRoot(join(directory, "root"), busybox ?? "", { node: true });
      // Compressed as little as may be: it is what this takes longest for.
      const archive = join(directory, "root.tar.gz");
      execFileSync("tar", ["--use-compress-program=gzip -1", "-cf", archive, "-C", join(directory, "root"), "."]);
      await platform.run("build", archive, "--rootfs", "-t", "node-base:1");
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
    const build = async (...flags: readonly string[]): Promise<Built> =>
      JSON.parse(
        await platform.run("build", sample("dockerfile"), "--build-arg", "NODE=node-base:1", "-o", "json", ...flags),
      ) as Built;
    const first = await build("--no-cache");
    const own = `linux/${process.arch === "x64" ? "amd64" : process.arch}`;
    expect(first.variants.map((variant) => variant.platform)).toEqual([own, "wasip2/wasm"]);
    const again = await build();
    expect(again).toMatchObject({ digest: first.digest, steps: [{ platform: own, stepCount: 11, cachedCount: 11 }] });
    await platform.run("push", "dockerfile:1.0.0");
    await platform.run("deploy", "made", "--image", "dockerfile:1.0.0", "--prefer-variant", "native");
    const answer = await platform.ask("made.default", "/there");
    expect(answer).toMatchObject({ status: 200, body: "hello from /there, version 1.0.0\n" });
  },
  buildMsMax,
);

interface Built {
  readonly digest: string;
  readonly variants: readonly { readonly platform: string }[];
  readonly steps: readonly { readonly platform: string; readonly stepCount: number; readonly cachedCount: number }[];
}
