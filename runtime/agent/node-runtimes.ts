import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { NodeFeatures } from "@shallop/sdk/api";
import type { PreparedStore } from "../component/prepared-store.ts";
import { providedInterfaces } from "../component/requirements.ts";
import { WasmRuntime } from "../host/wasm-runtime.ts";
import type { PodRuntime } from "../pod/pod-runtime.ts";
import type { Cells } from "../sandbox/cell/cells.ts";
import type { SandboxFeatures } from "../sandbox/features.ts";
import type { ProcessJail } from "../sandbox/host-jail.ts";
import { LinuxKernel } from "../sandbox/kernel/linux.ts";
import { NativeRuntime } from "../sandbox/native-runtime.ts";
import type { NodeAgent } from "./node-agent.ts";
import type { NodeSettings } from "./node-place.ts";
import type { NodeServices } from "./services/node-services.ts";
import { wasmJail } from "./wasm-jail.ts";

/** Two requests at once find a network that is ready; more than that wait for their own. */
const sparesMax = 2;

interface RuntimeParts {
  readonly settings: NodeSettings;
  readonly directory: string;
  readonly run: string;
  readonly agent: NodeAgent;
  /** Filled here. */
  readonly runtimes: PodRuntime[];
  readonly prepared: PreparedStore;
  readonly sandbox: SandboxFeatures;
  readonly jail: ProcessJail;
  readonly cells: Cells;
  readonly services: NodeServices;
}

interface OpenRuntimes {
  /** Makes what shall be ready before it is asked for. After the adoption, which takes every host process it finds. */
  warmUp(): Promise<void>;
  close(keepPods: boolean): Promise<void>;
}

/** Opens the runtimes that this machine can have. */
export async function openRuntimes(parts: RuntimeParts): Promise<OpenRuntimes> {
  const { settings, directory, run, agent, runtimes, prepared, sandbox, jail, cells, services } = parts;
  const { clock, random, log } = settings;
  const observer = agent.pods;
  const cacheDirectory = path.join(directory, "hosts");
  await mkdir(cacheDirectory, { recursive: true, mode: 0o700 });
  const kernel = await LinuxKernel.open(clock);
  const wasm = new WasmRuntime({
    runDirectory: run,
    cacheDirectory,
    ...(settings.compileCache === undefined ? {} : { compileCache: settings.compileCache }),
    prepared,
    observer,
    hostJail: wasmJail(jail),
    cells,
    kernel,
    clock,
    random,
    log,
    egressAllowed: [],
  });
  runtimes.push(wasm);
  const { machine } = sandbox;
  const native =
    machine === undefined
      ? undefined
      : await NativeRuntime.open({
          directory: path.join(directory, "native"),
          machine,
          observer,
          clock,
          random,
          log,
          sparesMax,
          proxyAlone: settings.nativeEgress === "proxy",
          clusterNames: services,
          networkOpened: () => services.wake(),
        });
  if (native !== undefined) runtimes.push(native);
  for (const runtime of runtimes) agent.pods.addRuntime(runtime);
  services.tell(native?.network, (directory) => void wasm.leadServices(directory));
  return {
    warmUp: () => wasm.open(),
    close: async (keepPods) => {
      await wasm.close();
      await native?.[Symbol.asyncDispose]();
      if (!keepPods) await jail.sweep();
    },
  };
}

/** What this node can run, and what it would need to run more. */
export function featuresOf(sandbox: SandboxFeatures, jail: ProcessJail, cells: Cells): NodeFeatures {
  const families = Object.entries(providedInterfaces).flatMap(([family, paths]) =>
    [...paths].map((path) => `${path.slice(0, path.indexOf("/"))}@${family}`),
  );
  return {
    native: sandbox.native,
    ...(sandbox.nativeMissing === undefined ? {} : { nativeMissing: sandbox.nativeMissing }),
    wasiFamilies: [...new Set(families)].sort(),
    missing: [...sandbox.warnings, ...cells.ability.missing, ...(jail.weakness === undefined ? [] : [jail.weakness])],
  };
}
