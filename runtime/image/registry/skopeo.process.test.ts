import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bench, openBench } from "../image.fixture.ts";

const tool = "skopeo";
const present = spawnSync(tool, ["--version"], { stdio: "ignore" }).status === 0;
// `npm run setup` installs it where it may. Without it, the table of server.test.ts still holds.
if (!present) console.log(`${tool} is not on this machine: whether it understands our registry is not tested`);

describe.skipIf(!present)("skopeo, which others use, against the registry and our images", () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = await openBench();
  });

  afterAll(() => bench[Symbol.asyncDispose]());

  async function skopeo(...args: readonly string[]): Promise<string> {
    const child = spawn(tool, [...args], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let complaint = "";
    child.stdout.on("data", (chunk) => (output += String(chunk)));
    child.stderr.on("data", (chunk) => (complaint += String(chunk)));
    const code = await new Promise((resolve) => child.once("close", resolve));
    if (code !== 0) throw new Error(`skopeo ${args.join(" ")}: ${complaint}`);
    return output;
  }

  const at = (name: string): string => `docker://127.0.0.1:${bench.registry.port}/${name}`;
  const bothPlain = ["--src-tls-verify=false", "--dest-tls-verify=false"];

  test("reads our index, chooses the native variant, and the Wasm one when asked", async () => {
    const image = await bench.publish("app:1", { app: "native", "etc/motd": "hi" });
    const inspected = JSON.parse(
      await skopeo("inspect", "--override-arch=amd64", "--tls-verify=false", at("app:1")),
    ) as object;
    expect(inspected).toMatchObject({
      Digest: image.index.digest,
      Architecture: "amd64",
      Os: "linux",
      RepoTags: ["1", "1-wasm"],
    });
    const layout = join(bench.directory, "layout");
    await skopeo("copy", "--override-arch=amd64", "--src-tls-verify=false", at("app:1"), `oci:${layout}:native`);
    const wasm = await skopeo(
      "inspect",
      "--raw",
      "--override-os=wasip2",
      "--override-arch=wasm",
      "--tls-verify=false",
      at("app:1-wasm"),
    );
    expect(wasm).toContain("application/wasm");
    await skopeo(
      "copy",
      "--override-os=wasip2",
      "--override-arch=wasm",
      "--src-tls-verify=false",
      at("app:1"),
      `oci:${layout}:wasm`,
    );
  });

  test("copies the whole index; every variant keeps its digest", async () => {
    const image = await bench.publish("app:2", { app: "native" });
    await skopeo("copy", "--all", ...bothPlain, at("app:2"), at("copy/of:2"));
    // Versions before 1.10 drop the hint `artifactType` from the index, and so change its digest; not what it names.
    const { document } = await bench.client.manifest(bench.reference("copy/of:2"));
    const children = document.kind === "index" ? document.manifests : [];
    expect(children.map((child) => child.digest)).toEqual([image.native[0]?.digest, image.wasm?.digest]);
  });

  test("pushes in both formats, lists, deletes", async () => {
    await bench.publish("app:3", { app: "native" });
    const layout = `oci:${join(bench.directory, "layout3")}:x`;
    await skopeo("copy", "--override-arch=amd64", "--src-tls-verify=false", at("app:3"), layout);
    await skopeo("copy", "--dest-tls-verify=false", "--format=oci", layout, at("pushed:oci"));
    await skopeo("copy", "--dest-tls-verify=false", "--format=v2s2", layout, at("pushed:docker"));
    const listed = JSON.parse(await skopeo("list-tags", "--tls-verify=false", at("pushed"))) as object;
    expect(listed).toMatchObject({ Tags: ["docker", "oci"] });
    await skopeo("delete", "--tls-verify=false", at("pushed:oci"));
    expect(await bench.client.tags(bench.reference("pushed"))).toEqual(["docker"]);
  });
});
