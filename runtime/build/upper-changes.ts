import { spawn } from "node:child_process";
import { PassThrough } from "node:stream";
import type { ContentStore, StoredLayer } from "@shallop/sdk/image";
import { assert } from "@shallop/sdk/internal";
import { DockerfileFault } from "@shallop/sdk/wire";
import { systemPath } from "../sandbox/kernel/command.ts";
import { type ChangesOrigin, writeChanges } from "./layer-writer.ts";

/**
 * What a container has changed of its image, as a layer: from the upper directory of its overlayfs.
 * @returns the layer, and whether anything is in it @throws DockerfileFault BUILD_UNSUPPORTED | TOO_LARGE
 */
export async function upperChanges(
  store: ContentStore,
  upper: string,
  { signal, ...origin }: ChangesOrigin & { readonly signal: AbortSignal },
): Promise<{ readonly layer: StoredLayer; readonly isEmpty: boolean }> {
  const tar = spawn("tar", [...tarArguments, "--directory", upper, "."], {
    ...{ stdio: ["ignore", "pipe", "pipe"], env: { PATH: systemPath, LC_ALL: "C" }, cwd: "/" },
    ...{ signal, killSignal: "SIGKILL" },
  });
  let said = "";
  tar.stderr?.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(0, 1000)));
  const ended = new Promise<number | null>((resolve) => {
    tar.once("error", () => resolve(null));
    tar.once("close", resolve);
  });
  assert(tar.stdout !== null, "tar has an output");
  // At once: what nobody reads yet when a process ends, Node throws away.
  const archive = tar.stdout.pipe(new PassThrough());
  const changes = await writeChanges(store, archive as AsyncIterable<Buffer>, origin);
  const code = await ended;
  // 1: a file changed while it was read, as one of a program that runs may.
  if (code === 0 || code === 1) return changes;
  throw new DockerfileFault(
    "BUILD_UNSUPPORTED",
    `its changes could not be read: tar ended with ${String(code)}: ${said.trim()}`,
  );
}

const tarArguments: readonly string[] = [
  ...["--create", "--file=-", "--format=pax", "--pax-option=delete=atime,delete=ctime", "--sort=name"],
  ...["--numeric-owner", "--xattrs", "--xattrs-include=*"],
];
