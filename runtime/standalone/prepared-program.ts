import { type Clock, guestLimitDefaults, systemRandom } from "@shallop/sdk/internal";
import { CapError } from "../component/core-module/cap-error.ts";
import { prepare, prepareLimits } from "../component/prepare.ts";
import { type PreparedFiles, readPreparedFiles } from "../component/prepared-files.ts";
import { PreparedStore } from "../component/prepared-store.ts";
import type { Purpose } from "../component/requirements.ts";
import { ArtifactCache, type CompiledModules } from "../host/artifact-cache.ts";
import { PodFault } from "../pod/pod-runtime.ts";
import type { Cells } from "../sandbox/cell/cells.ts";
import { standaloneCells } from "./standalone-cells.ts";
import { digestOf, type ProgramFile } from "./program-file.ts";
import { StandaloneFault } from "./standalone-fault.ts";

/** A component, ready for an engine. */
export interface PreparedProgram {
  readonly files: PreparedFiles;
  readonly modules: CompiledModules;
}

interface PrepareOptions {
  readonly purpose: Purpose;
  readonly cacheDirectory: string;
  readonly memoryBytesMax: number;
  readonly clock: Clock;
}

// A day's work: sixty components of QuickJS and a dozen of the largest.
const cachedBytesMax = 512 * 1024 ** 2;
// Another run may be about to read it.
const keepMs = 60_000;

/** A component as the engine takes it. A second time it is read from the cache. @throws StandaloneFault FILE_INVALID */
export async function prepareProgram(program: ProgramFile, options: PrepareOptions): Promise<PreparedProgram> {
  const { purpose, cacheDirectory, clock } = options;
  const componentDigest = digestOf(program);
  const bytesMax = cachedBytesMax;
  const store = await PreparedStore.open({ directory: cacheDirectory, bytesMax, clock, random: systemRandom });
  const cells = (): Promise<Cells> => standaloneCells(cacheDirectory);
  const request = { componentPath: program.path, componentDigest, store, purpose, cells };
  try {
    const { pathOf } = await prepare(request, prepareLimits, clock, new AbortController().signal);
    await store.trim(clock.wallMs() - keepMs);
    const caps = { memoryBytes: options.memoryBytesMax, tableEntriesMax: guestLimitDefaults.tableEntriesMax };
    const modules = await new ArtifactCache().modules(componentDigest, pathOf, caps);
    return { files: readPreparedFiles(pathOf), modules };
  } catch (error) {
    throw inWords(error, program, componentDigest);
  }
}

export const capAdvice = ({ of, message }: CapError): string =>
  of === "memory" ? `${message}; give it more with --max-memory` : message;

function inWords(error: unknown, { path }: ProgramFile, digest: string): unknown {
  if (error instanceof CapError) {
    return new StandaloneFault("FILE_INVALID", `${path}: ${capAdvice(error)}`);
  }
  if (!(error instanceof PodFault)) return error;
  return new StandaloneFault("FILE_INVALID", error.message.replace(`component ${digest}`, path));
}
