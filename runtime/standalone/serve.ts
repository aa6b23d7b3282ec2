import { once } from "node:events";
import { closeSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { describeError, errorCode } from "@shallop/sdk/internal";
import { duplicate } from "../sandbox/kernel/descriptors.ts";
import type { ServeFlags } from "./flags.ts";
import { resolveHosts } from "./host-egress.ts";
import { loadProgram, prepareProgram } from "./prepared-program.ts";
import { killedExitCode, preparedMounts, runInCell, withoutCell } from "./program-cell.ts";
import { digestOf, readProgram } from "./program-file.ts";
import { type ServeOptions, serveProgram } from "./serving.ts";
import { cannotServe } from "./serving-thread.ts";
import { standaloneCells } from "./standalone-cells.ts";
import { StandaloneFault } from "./standalone-fault.ts";

// A cell that dies at its start, as there is no memory for it, would be started for ever. A guest takes longer: see serving.ts.
const livedMsMin = 1000;

/**
 * Serves a component until it is to stop: in a cell, which is given the socket that listens and no network, where this machine has
 * cells. @returns the exit code @throws StandaloneFault
 */
export async function serve(
  flags: ServeFlags,
  options: ServeOptions & { readonly compileCache: string | undefined },
): Promise<number> {
  const { clock, stop, complain, compileCache } = options;
  const file = await readProgram(flags.file);
  if (file.layer === "core-module") {
    const message = `${flags.file} is a core module, and only components serve HTTP; run it with shallop run, or make it a component`;
    throw new StandaloneFault("FILE_INVALID", message);
  }
  const hosts = await resolveHosts(flags.allowedHosts);
  const prepared = await prepareProgram(file, { purpose: "serve", cacheDirectory: flags.cacheDirectory, clock });
  const componentDigest = digestOf(file);
  const { memoryBytesMax } = flags;
  // What cannot start is told without a cell.
  const program = loadProgram(prepared.pathOf, { path: flags.file, componentDigest, memoryBytesMax });
  const cells = await standaloneCells(flags.cacheDirectory);
  if (stop.aborted) return 0;
  if (cells.ability.tree === "none") {
    complain(withoutCell(flags.file, cells));
    await serveProgram({ flags, hosts, program }, options);
    return 0;
  }
  const { listener, port } = await listen(flags.address);
  const task = {
    ...({ kind: "serve", closesCalls: cells.ability.closesCalls, componentDigest, hosts } as const),
    flags: { ...flags, address: { ...flags.address, port } },
  };
  const mounts = preparedMounts(prepared);
  // As in-cell.ts is: what the thread in the cell runs.
  void import("./http-front.ts");
  const run = { cells, mounts, compileCache, listener, stop };
  try {
    return await serveInCells(() => runInCell(task, run), options);
  } finally {
    closeSync(listener);
  }
}

/** A guest that nothing else stops ends its cell; who connects meanwhile waits for the next one. */
async function serveInCells(serveInCell: () => Promise<number>, options: ServeOptions): Promise<number> {
  const { clock, stop, complain } = options;
  for (;;) {
    const startedMs = clock.nowMs();
    const exitCode = await serveInCell();
    if (exitCode !== killedExitCode) return exitCode;
    // It was to end, and has: the guest that had to be killed is no failure of the stop.
    if (stop.aborted) return 0;
    if (clock.nowMs() - startedMs < livedMsMin) return exitCode;
    complain("the process that served was killed, and is started again");
  }
}

/** A socket that listens, and that nobody here takes connections of. @throws StandaloneFault ADDRESS_UNUSABLE */
async function listen({ host, port }: ServeFlags["address"]): Promise<{ listener: number; port: number }> {
  // Who is there before the guest is meets nobody.
  const server = createServer((socket) => socket.destroy());
  try {
    await once(server.listen(port, host), "listening");
    const listening = { listener: duplicate(descriptorOf(server)), port: (server.address() as AddressInfo).port };
    server.close();
    return listening;
  } catch (error) {
    const event = { type: "failed", code: errorCode(error), message: describeError(error) } as const;
    throw cannotServe(`${host}:${port}`, event);
  }
}

/** That of the socket itself: Node has no public name for it. */
const descriptorOf = (server: Server): number => (server as unknown as { _handle: { fd: number } })._handle.fd;
