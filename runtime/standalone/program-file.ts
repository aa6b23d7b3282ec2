import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { describeError, errorCode } from "@shallop/sdk/internal";
import { type BinaryLayer, binaryLayer } from "../component/component-binary.ts";
import { prepareLimits } from "../component/prepare.ts";
import { StandaloneFault } from "./standalone-fault.ts";

/** A file of WebAssembly as it is on disk. */
export interface ProgramFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly layer: Exclude<BinaryLayer, "unknown">;
}

/** @throws StandaloneFault FILE_INVALID */
export async function readProgram(path: string): Promise<ProgramFile> {
  const found = await stat(path).catch(() => undefined);
  // It is read again where it is prepared, and what came out of a pipe is gone.
  if (path === "-" || (found !== undefined && !found.isFile() && !found.isDirectory())) {
    const message = `${path} is no file; write what is to be run into one, and name that`;
    throw new StandaloneFault("FILE_INVALID", message);
  }
  const bytes = await readFile(path).catch((error: unknown) => {
    const reason = { ENOENT: "there is no such file", EISDIR: "it is a directory" }[errorCode(error) ?? ""];
    throw new StandaloneFault("FILE_INVALID", `${path} cannot be read: ${reason ?? describeError(error)}`);
  });
  const layer = binaryLayer(bytes);
  if (layer === "unknown") {
    const message = `${path} holds no WebAssembly; name a component or a core module (a project is built with shallop build)`;
    throw new StandaloneFault("FILE_INVALID", message);
  }
  if (bytes.length > prepareLimits.componentBytesMax) {
    const message = `${path} has ${bytes.length} bytes, and ${prepareLimits.componentBytesMax} is the most`;
    throw new StandaloneFault("FILE_INVALID", message);
  }
  return { path, bytes, layer };
}

export const digestOf = ({ bytes }: ProgramFile): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
