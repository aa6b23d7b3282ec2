import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import type { NativeSource } from "../../image/index.ts";
import { adapterPlugin, bundleFault, checkSource, entryId, entryPlugin } from "../bundle.ts";
import { BuildFault } from "../fault.ts";
import { nodeBase, type NodeBaseOptions } from "./node-base.ts";

export interface NodeVariantOptions extends NodeBaseOptions {
  readonly sourcePath: string;
  readonly env: readonly string[];
}

/**
 * The native variant of a function: the same module on the Node that builds it, as an image from scratch. The first layer
 * (Node and the libraries it needs) is the same for all functions, so that registries and nodes keep it once.
 * @throws BuildFault SOURCE_INVALID | PROJECT_INVALID when this machine cannot make one
 */
export async function nodeVariant({ sourcePath, env, ...base }: NodeVariantOptions): Promise<NativeSource> {
  if (process.platform !== "linux") {
    throw new BuildFault(
      "PROJECT_INVALID",
      `a native variant on Node is made from Linux's own Node, and this is ${process.platform}; use rootfs instead`,
    );
  }
  const app = join(base.scratch, "app");
  // First: a source that cannot be bundled is told of at once, and not when Node has been packed.
  await fillApp(app, sourcePath);
  const stored = await nodeBase(base);
  return {
    platform: { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch },
    layers: [{ stored }, { directory: app }],
    config: {
      entrypoint: ["/usr/bin/node", "/app/server.mjs"],
      workingDir: "/app",
      user: "65532:65532",
      exposedPorts: ["8080/tcp"],
      env: ["PATH=/usr/bin", ...env],
    },
  };
}

async function fillApp(directory: string, sourcePath: string): Promise<void> {
  const server = fileURLToPath(new URL("node-server.ts", import.meta.url));
  const source = `import exported from ${JSON.stringify(sourcePath)};
import { serve } from ${JSON.stringify(server)};
serve(exported);`;
  await checkSource(sourcePath);
  try {
    await using bundle = await rolldown({
      input: entryId,
      cwd: dirname(sourcePath),
      platform: "node",
      logLevel: "silent",
      plugins: [entryPlugin(source), adapterPlugin(sourcePath)],
    });
    const { output } = await bundle.generate({ format: "esm", codeSplitting: false, minify: true });
    await mkdir(join(directory, "app"), { recursive: true });
    await writeFile(join(directory, "app/server.mjs"), output[0].code);
  } catch (error) {
    throw bundleFault(sourcePath, error);
  }
}
