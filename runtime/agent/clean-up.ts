import { rm } from "node:fs/promises";
import path from "node:path";
import type { Clock, Log, Random } from "@shallop/sdk/internal";
import { WasmRuntime } from "../host/wasm-runtime.ts";
import type { PodObserver, PodRuntime } from "../pod/pod-runtime.ts";
import { detectFeatures } from "../sandbox/features.ts";
import { Cells } from "../sandbox/cell/cells.ts";
import { hostJail } from "../sandbox/host-jail.ts";
import type { Rootless } from "../sandbox/rootless/rootless.ts";
import { LinuxKernel } from "../sandbox/kernel/linux.ts";
import { NativeRuntime } from "../sandbox/native-runtime.ts";
import { openPrepared } from "./prepared.ts";
import { runDirectory } from "./run-directory.ts";
import { wasmJail } from "./wasm-jail.ts";

export interface CleanUpSettings {
  readonly dataDirectory: string;
  readonly runBase?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly rootless?: Rootless | string;
}

/** Nobody is left to be told. */
const silent: PodObserver = { exited: () => undefined, logged: () => undefined, noticed: () => undefined };

/** What a killed platform has left has no requests any more: no grace. */
const graceMs = 0;

/**
 * Removes what a node agent that was killed has left: pods, host processes, networks, cgroups, sockets. Only for a data
 * directory on which no agent runs.
 */
export async function cleanUp(settings: CleanUpSettings): Promise<void> {
  const { clock, random, log } = settings;
  const directory = path.join(settings.dataDirectory, "node");
  const run = await runDirectory(settings.dataDirectory, settings.runBase);
  const jail = await hostJail({ directory, clock, log });
  const cells = await Cells.open({ directory });
  const wasm = new WasmRuntime({
    runDirectory: run,
    cacheDirectory: path.join(directory, "hosts"),
    prepared: await openPrepared(directory, settings),
    observer: silent,
    hostJail: wasmJail(jail),
    cells,
    kernel: await LinuxKernel.open(clock),
    clock,
    random,
    log,
    egressAllowed: [],
  });
  await stopAll(wasm);
  await wasm.close();
  const { machine } = await detectFeatures({ ...settings, knownEscapes: "allow" });
  if (machine !== undefined) {
    const observer = silent;
    await using native = await NativeRuntime.open({
      directory: path.join(directory, "native"),
      machine,
      observer,
      random,
      clock,
      log,
    });
    await stopAll(native);
  }
  await jail.sweep();
  await rm(run, { recursive: true, force: true });
}

async function stopAll(runtime: PodRuntime): Promise<void> {
  for (const pod of await runtime.adopt()) await runtime.stop(pod.uid, graceMs);
}
