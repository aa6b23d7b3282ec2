import { type Clock, guestLimitDefaults, systemRandom } from "@shallop/sdk/internal";
import { CapError } from "../component/core-module/cap-error.ts";
import { Jails } from "../component/jails.ts";
import { prepare, prepareLimits } from "../component/prepare.ts";
import { type PathOf, type PreparedFiles, readPreparedFiles } from "../component/prepared-files.ts";
import { type PreparedComponent, PreparedStore } from "../component/prepared-store.ts";
import type { Purpose } from "../component/requirements.ts";
import { ArtifactCache, type CompiledModules } from "../host/artifact-cache.ts";
import { PodFault } from "../pod/pod-runtime.ts";
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
  readonly clock: Clock;
}

// A day's work: sixty components of QuickJS and a dozen of the largest.
const cachedBytesMax = 512 * 1024 ** 2;
// Another run may be about to read it.
const keepMs = 60_000;

/** A second time it is in the cache. @throws StandaloneFault FILE_INVALID */
export async function prepareProgram(program: ProgramFile, options: PrepareOptions): Promise<PreparedComponent> {
  const { purpose, cacheDirectory, clock } = options;
  const componentDigest = digestOf(program);
  const bytesMax = cachedBytesMax;
  const store = await PreparedStore.open({ directory: cacheDirectory, bytesMax, clock, random: systemRandom });
  const jails = new Jails({ cells: () => standaloneCells(cacheDirectory), directory: cacheDirectory });
  const request = { componentPath: program.path, componentDigest, store, purpose, jails };
  try {
    const prepared = await prepare(request, prepareLimits, clock, new AbortController().signal);
    await store.trim(clock.wallMs() - keepMs);
    return prepared;
  } catch (error) {
    if (!(error instanceof PodFault)) throw error;
    throw new StandaloneFault("FILE_INVALID", error.message.replace(`component ${componentDigest}`, program.path));
  }
}

/** A prepared component as the engine takes it. @throws StandaloneFault FILE_INVALID when it cannot start within its memory */
export function loadProgram(
  pathOf: PathOf,
  program: { readonly path: string; readonly componentDigest: string; readonly memoryBytesMax: number },
): PreparedProgram {
  const { path, componentDigest, memoryBytesMax } = program;
  const caps = { memoryBytes: memoryBytesMax, tableEntriesMax: guestLimitDefaults.tableEntriesMax };
  try {
    return { files: readPreparedFiles(pathOf), modules: new ArtifactCache().modules(componentDigest, pathOf, caps) };
  } catch (error) {
    if (!(error instanceof CapError)) throw error;
    throw new StandaloneFault("FILE_INVALID", `${path}: ${capAdvice(error)}`);
  }
}

export const capAdvice = ({ of, message }: CapError): string =>
  of === "memory" ? `${message}; give it more with --max-memory` : message;
