import { mkdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { assert } from "../../internal/assert.ts";
import type { NativeSource } from "../../image/index.ts";
import { BuildFault } from "../fault.ts";
import { languageOf, type Source } from "../language/language.ts";

/**
 * The native variant of a compiled language: one static program as an image from scratch.
 * @throws BuildFault TOOL_MISSING | SOURCE_INVALID, PROJECT_INVALID when this machine cannot make one
 */
export async function compiledVariant(
  source: Source,
  env: readonly string[],
  directory: string,
): Promise<NativeSource> {
  const language = languageOf(source.path);
  assert(language?.program !== undefined, `${extname(source.path)} was refused when the project file was read`);
  if (process.platform !== "linux") {
    throw new BuildFault(
      "PROJECT_INVALID",
      `a native variant of ${basename(source.path)} is a program for Linux, and this is ${process.platform}; use rootfs instead`,
    );
  }
  await mkdir(directory);
  await language.program(source, join(directory, "server"));
  return {
    platform: { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch },
    layers: [{ directory }],
    config: { entrypoint: ["/server"], user: "65532:65532", exposedPorts: ["8080/tcp"], env },
  };
}
