import { mkdir } from "node:fs/promises";
import { enableCompileCache, flushCompileCache } from "node:module";
import { hostname } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readTelemetrySettings } from "@shallop/sdk/internal/telemetry";
import { aborted, announceReady, jsonLog, stopSignal, systemClock, systemRandom } from "@shallop/sdk/internal";
import "./known-modules.ts";
import type { Rootless } from "./sandbox/rootless/rootless.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    credentials: { type: "string" },
    join: { type: "string" },
    token: { type: "string" },
    name: {
      type: "string",
      default: hostname()
        .toLowerCase()
        .replaceAll(/[^a-z0-9.-]/g, "-"),
    },
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "10250" },
    "registry-port": { type: "string", default: "5000" },
    "builtin-registry": { type: "string" },
    "registry-auth": { type: "string" },
    "registry-listen": { type: "string" },
    "registry-tls-cert": { type: "string" },
    "registry-tls-key": { type: "string" },
    "registry-quota": { type: "string" },
    "registry-repository-quota": { type: "string" },
    "registry-untagged-lifetime": { type: "string" },
    "registry-upstream": { type: "string", multiple: true },
    "registry-mirror": { type: "string", multiple: true },
    "known-escapes": { type: "string", default: "refuse" },
    "native-egress": { type: "string", default: "auto" },
    "image-privileges": { type: "string", default: "none" },
    "prefer-variant": { type: "string" },
    "keep-pods": { type: "boolean", default: false },
    "clean-up": { type: "boolean", default: false },
  },
});

/** Said by this program to itself: the process that keeps the namespaces in which it is root. */
const keeperVariable = "SHALLOP_KEEPER";
const log = jsonLog("agent", (line) => process.stderr.write(line));
const supervised = process.channel !== undefined;
const stop = stopSignal();
let own: OwnPlace | undefined;

try {
  if (values.data === undefined) throw new Error("--data DIR is missing: where this node keeps its data");
  const dataDirectory = path.resolve(values.data);
  // Stripped types and machine code of the agent itself: a start takes 0.1 s instead of 0.4 s.
  enableCompileCache(path.join(dataDirectory, "node", "code"));
  own = await rootlessPlace(dataDirectory);
  const place = {
    dataDirectory,
    ...(own.rootless === undefined ? {} : { rootless: own.rootless }),
    ...(process.env["XDG_RUNTIME_DIR"] === undefined ? {} : { runBase: process.env["XDG_RUNTIME_DIR"] }),
    clock: systemClock,
    random: systemRandom,
    log,
  };
  if (values["clean-up"]) {
    const { cleanUp } = await import("./agent/clean-up.ts");
    await cleanUp(place);
    await own.leave({ unused: false });
    process.exit(0);
  }
  const { startNode } = await import("./agent/node.ts");
  const { readMirrors, readRegistrySettings } = await import("./agent/registry-settings.ts");
  const { parsePrivileges } = await import("./image/privilege-policy.ts");
  const registry = readRegistrySettings(values);
  const telemetry = readTelemetrySettings(process.env);
  for (const warning of telemetry.warnings) log.warn(warning);
  const node = await startNode(
    {
      ...place,
      name: values.name,
      host: values.host,
      port: port("port", values.port),
      ...(registry === undefined ? {} : { registry }),
      mirrors: readMirrors(values),
      knownEscapes: knownEscapes(values["known-escapes"]),
      nativeEgress: nativeEgress(values["native-egress"]),
      imagePrivileges: parsePrivileges(values["image-privileges"]),
      prefersVariant: preferredVariant(values["prefer-variant"]),
      telemetry,
      ...compileCache(),
      ...(values["builtin-registry"] === undefined ? {} : { builtinRegistry: values["builtin-registry"] }),
      ...joinSource(),
      ...(process.env["DOCKER_CONFIG"] === undefined ? {} : { dockerConfigDirectory: process.env["DOCKER_CONFIG"] }),
    },
    stop,
  );
  announceReady(node.facts);
  log.info("the node is ready", node.facts);
  // Now, because a process that is killed writes nothing at its end.
  flushCompileCache();
  void own.ended().then(() => {
    if (stop.aborted) return;
    log.error("the keeper of this node's namespaces has ended: the agent starts anew in others");
    process.exit(1);
  });
  await aborted(stop);
  // A supervisor that died is started again and wants its pods back; one that asks for a stop wants nothing left.
  const orphaned = supervised && !process.connected;
  const keepPods = values["keep-pods"] || orphaned;
  await node.stop({ keepPods });
  if (!keepPods) await own.leave({ unused: false });
  process.exit(0);
} catch (error) {
  await own?.leave({ unused: true }).catch(() => undefined);
  if (stop.aborted) process.exit(0);
  log.error("the node agent cannot start", error);
  process.exit(1);
}

interface OwnPlace {
  readonly rootless?: Rootless | string;
  readonly ended: () => Promise<void>;
  readonly leave: (options: { readonly unused: boolean }) => Promise<void>;
}

/** An ordinary user's node becomes root of namespaces of its own, where it may have some: it then starts anew there. */
async function rootlessPlace(dataDirectory: string): Promise<OwnPlace> {
  const nowhere: OwnPlace = { ended: () => new Promise(() => undefined), leave: () => Promise.resolve() };
  const inside = process.env[keeperVariable];
  if (process.platform !== "linux" || (process.getuid?.() === 0 && inside === undefined)) return nowhere;
  const { enterRootless, keeperEnded, leaveRootless, rootlessInside } = await import("./sandbox/rootless/rootless.ts");
  const { runDirectory } = await import("./agent/run-directory.ts");
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const run = await runDirectory(dataDirectory, process.env["XDG_RUNTIME_DIR"]);
  const place = { directory: path.join(dataDirectory, "node"), run, session: process.env["XDG_RUNTIME_DIR"] };
  if (inside === undefined) {
    const main = fileURLToPath(import.meta.url);
    const environment = (keeper: number) => ({ ...process.env, [keeperVariable]: String(keeper) });
    return { ...nowhere, rootless: await enterRootless(place, { main, args: process.argv.slice(2), environment }) };
  }
  const rootless = await rootlessInside(Number(inside), place);
  return {
    rootless,
    ended: () => keeperEnded(rootless),
    leave: (options) => leaveRootless(rootless, place, options),
  };
}

/** Beside that of the platform's own programs, which whoever started this process shares with it. */
function compileCache() {
  const directory = process.env["NODE_COMPILE_CACHE"];
  return directory === undefined ? {} : { compileCache: path.join(path.resolve(directory), "cells") };
}

function joinSource() {
  const { credentials, join: server, token } = values;
  if (server !== undefined && token !== undefined) return { source: { server, token } };
  if (server !== undefined || token !== undefined) throw new Error("--join URL and --token T come together");
  return credentials === undefined ? {} : { source: { credentialsFile: path.resolve(credentials) } };
}

function knownEscapes(value: string): "refuse" | "allow" {
  if (value === "refuse" || value === "allow") return value;
  throw new Error(`--known-escapes is "${value}"; it takes refuse or allow`);
}

function nativeEgress(value: string): "auto" | "proxy" {
  if (value === "auto" || value === "proxy") return value;
  throw new Error(`--native-egress is "${value}"; it takes auto or proxy`);
}

function preferredVariant(value: string | undefined): "wasm" | "native" | undefined {
  if (value === undefined || value === "wasm" || value === "native") return value;
  throw new Error(`--prefer-variant is "${value}"; it takes wasm or native`);
}

function port(flag: string, text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 65_535) return value;
  throw new Error(`--${flag} is "${text}", not a port between 0 and 65535`);
}
