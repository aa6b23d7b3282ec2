import { execFileSync } from "node:child_process";
import { copyFile, chmod, mkdir, realpath, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import type { NativeSource } from "../../image/index.ts";
import { bundleFault, checkSource, entryId, entryPlugin } from "../bundle.ts";
import { BuildFault } from "../fault.ts";

/**
 * The native variant of a function: the same module on the Node that builds it, as an image from scratch. The first layer
 * (Node and the libraries it needs) is the same for all functions, so that registries and nodes keep it once.
 * @throws BuildFault SOURCE_INVALID | PROJECT_INVALID when this machine cannot make one
 */
export async function nodeVariant(sourcePath: string, env: readonly string[], scratch: string): Promise<NativeSource> {
  if (process.platform !== "linux") {
    throw new BuildFault(
      "PROJECT_INVALID",
      `a native variant on Node is made from Linux's own Node, and this is ${process.platform}; use rootfs instead`,
    );
  }
  const base = join(scratch, "node");
  const app = join(scratch, "app");
  await Promise.all([fillBase(base), fillApp(app, sourcePath)]);
  return {
    platform: { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch },
    layers: [{ directory: base }, { directory: app }],
    config: {
      entrypoint: ["/usr/bin/node", "/app/server.mjs"],
      workingDir: "/app",
      user: "65532:65532",
      exposedPorts: ["8080/tcp"],
      env: ["PATH=/usr/bin", ...env],
    },
  };
}

async function fillBase(directory: string): Promise<void> {
  await place(process.execPath, join(directory, "usr/bin/node"));
  // `libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)` and, for the loader, `/lib64/ld-linux-x86-64.so.2 (0x…)`.
  const listed = execFileSync("ldd", [process.execPath], { encoding: "utf8" });
  for (const [path] of listed.matchAll(/\/[^\s]+(?= \(0x)/g)) await place(path, join(directory, path));
}

async function place(path: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  // A symbolic link of this machine would lead nowhere inside the image.
  await copyFile(await realpath(path), to);
  await chmod(to, 0o755);
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
      plugins: [entryPlugin(source)],
    });
    const { output } = await bundle.generate({ format: "esm", codeSplitting: false, minify: true });
    await mkdir(join(directory, "app"), { recursive: true });
    await writeFile(join(directory, "app/server.mjs"), output[0].code);
  } catch (error) {
    throw bundleFault(sourcePath, error);
  }
}
