import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, guestLimitDefaults } from "@shallop/sdk/internal";
import { CapError } from "../component/core-module/cap-error.ts";
import { prepare, prepareLimits } from "../component/prepare.ts";
import { type PreparedFiles, readPreparedFiles } from "../component/prepared-files.ts";
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
  readonly memoryBytesMax: number;
  readonly clock: Clock;
}

// The largest known take 20 MB each, most take three; with this many a day's work is there, and the disk is not full.
const preparedMax = 64;

/** A component as the engine takes it. A second time it is read from the cache. @throws StandaloneFault FILE_INVALID */
export async function prepareProgram(program: ProgramFile, options: PrepareOptions): Promise<PreparedProgram> {
  const { purpose, cacheDirectory, clock } = options;
  const componentDigest = digestOf(program);
  const outDir = join(cacheDirectory, `${purpose}-${componentDigest.replace("sha256:", "")}`);
  const request = {
    componentPath: program.path,
    componentDigest,
    outDir,
    purpose,
    cells: () => standaloneCells(cacheDirectory),
  };
  try {
    const plan = await prepare(request, prepareLimits, clock, new AbortController().signal);
    await keepRecent(cacheDirectory, outDir, clock);
    const caps = { memoryBytes: options.memoryBytesMax, tableEntriesMax: guestLimitDefaults.tableEntriesMax };
    const modules = await new ArtifactCache().modules(plan.componentDigest, outDir, caps);
    return { files: readPreparedFiles(outDir), modules };
  } catch (error) {
    throw inWords(error, program, componentDigest);
  }
}

/** An entry is as old as its last use; the oldest go. */
async function keepRecent(cacheDirectory: string, used: string, clock: Clock): Promise<void> {
  const nowS = clock.wallMs() / 1000;
  await utimes(used, nowS, nowS).catch(() => undefined);
  const names = await readdir(cacheDirectory);
  if (names.length <= preparedMax) return;
  const entries = await Promise.all(
    names.map(async (name) => {
      const path = join(cacheDirectory, name);
      return {
        path,
        usedMs: await stat(path).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0,
        ),
      };
    }),
  );
  const oldest = entries.sort((a, b) => a.usedMs - b.usedMs).slice(0, entries.length - preparedMax);
  for (const { path } of oldest) await rm(path, { recursive: true, force: true });
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
