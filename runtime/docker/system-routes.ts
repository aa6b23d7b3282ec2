import { once } from "node:events";
import { existsSync } from "node:fs";
import { availableParallelism, hostname, release, totalmem } from "node:os";
import { textAt } from "@shallop/sdk/api";
import { ImageFault, registryHost } from "@shallop/sdk/image";
import { imageArchitecture } from "../image/choose.ts";
import type { Containers } from "./containers/containers.ts";
import { checkEventFilters, eventPasses, eventTimeMs, type EventLog } from "./event-log.ts";
import { type Call, ok, type Reply } from "./http/call.ts";
import { DockerFault } from "./http/docker-fault.ts";
import type { Routes } from "./http/router.ts";
import { apiVersion, apiVersionMin } from "./http/server.ts";
import type { ImageLibrary } from "./images/image-library.ts";
import { credentialsIn, registryOf } from "./images/registry-login.ts";

export interface SystemParts {
  readonly library: ImageLibrary;
  readonly events: EventLog;
  readonly containers: Containers;
  readonly directory: string;
  /** Of the node that runs the containers. */
  readonly nodeName: string;
  /** Identity of this engine; stays over restarts. */
  readonly id: string;
  readonly startedAt: string;
}

const version = "0.1.0";
/** What lies here for a client that listens to events and does not read them. */
const unreadBytesMax = 1 << 20;
/** Where all of /sys/fs/cgroup is version 2, its root has this file. */
const cgroupVersion = existsSync("/sys/fs/cgroup/cgroup.controllers") ? "2" : "1";

export function systemRoutes(parts: SystemParts): Routes {
  const ping = (): Reply => ({
    status: 200,
    headers: {
      "Cache-Control": "no-cache, no-store, must-revalidate",
      Pragma: "no-cache",
      "Content-Type": "text/plain",
    },
  });
  return {
    "HEAD /_ping": ping,
    "GET /_ping": async (call) => {
      call.stream("text/plain; charset=utf-8", { "Cache-Control": "no-cache, no-store, must-revalidate" }).end("OK");
    },
    "GET /version": () => ok(versionOf(parts)),
    "GET /info": async () => ok(await infoOf(parts)),
    "POST /auth": (call) => login(parts, call),
    "GET /events": (call) => events(parts, call),
    "GET /plugins": () => ok([]),
    ...Object.fromEntries(
      ["swarm", "nodes", "services", "tasks", "secrets", "configs"].map((name) => [`GET /${name}`, noSwarm]),
    ),
  };
}

const noSwarm = (): Reply => {
  throw new DockerFault(
    "UNSUPPORTED",
    "This node is not a swarm manager. Shallop's services are Knative's and Kubernetes': shallop deploy, kubectl apply",
  );
};

function versionOf({ startedAt }: SystemParts) {
  const Arch = imageArchitecture(process.arch);
  const details = { ApiVersion: apiVersion, MinAPIVersion: apiVersionMin, Os: "linux", Arch, KernelVersion: release() };
  return {
    Platform: { Name: "Shallop" },
    Version: version,
    ...details,
    GitCommit: "",
    GoVersion: `node ${process.version}`,
    BuildTime: startedAt,
    Experimental: false,
    Components: [
      {
        Name: "Engine",
        Version: version,
        Details: { ...details, Experimental: "false", GoVersion: `node ${process.version}` },
      },
    ],
  };
}

async function infoOf({ library, containers, directory, nodeName, id }: SystemParts) {
  const states = containers.all().map(({ state }) => state.name);
  const all = states.length;
  const running = states.filter((name) => name === "running" || name === "restarting").length;
  const paused = states.filter((name) => name === "paused").length;
  const images = await library.all();
  return {
    ID: id,
    ...{ Containers: all, ContainersRunning: running, ContainersPaused: paused },
    ContainersStopped: all - running - paused,
    Images: images.length,
    Driver: "overlay2",
    DriverStatus: [["Content", "shared by digest"]],
    Plugins: { Volume: ["local"], Network: ["bridge", "host", "none"], Authorization: null, Log: ["json-file"] },
    ...{ MemoryLimit: true, SwapLimit: true, CpuCfsPeriod: true, CpuCfsQuota: true, CPUShares: true, PidsLimit: true },
    ...{ OomKillDisable: false, IPv4Forwarding: true, Debug: false, NFd: 0, NGoroutines: 0 },
    SystemTime: new Date(library.clock.wallMs()).toISOString(),
    LoggingDriver: "json-file",
    CgroupDriver: "cgroupfs",
    CgroupVersion: cgroupVersion,
    NEventsListener: 0,
    KernelVersion: release(),
    OperatingSystem: "Shallop",
    OSType: "linux",
    Architecture: process.arch === "x64" ? "x86_64" : process.arch === "arm64" ? "aarch64" : process.arch,
    IndexServerAddress: library.builtinRegistry,
    RegistryConfig: {
      IndexConfigs: {
        [library.builtinRegistry]: { Name: library.builtinRegistry, Mirrors: [], Secure: false, Official: false },
      },
      InsecureRegistryCIDRs: ["127.0.0.0/8", "::1/128"],
      Mirrors: [],
    },
    ...{ NCPU: availableParallelism(), MemTotal: totalmem() },
    DockerRootDir: directory,
    ...{ HttpProxy: "", HttpsProxy: "", NoProxy: "" },
    Name: nodeName === "" ? hostname() : nodeName,
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: version,
    Runtimes: { shallop: { path: "shallop" } },
    DefaultRuntime: "shallop",
    Swarm: {
      NodeID: "",
      NodeAddr: "",
      LocalNodeState: "inactive",
      ControlAvailable: false,
      Error: "",
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: "",
    InitBinary: "",
    SecurityOptions: ["name=seccomp,profile=builtin", "name=userns"],
    Warnings: null,
  };
}

/** Asks the registry whether it takes the login; nothing of it is kept here. */
async function login({ library }: SystemParts, call: Call): Promise<Reply> {
  const body = await call.body();
  const credentials = credentialsIn(body);
  if (credentials === undefined) throw new DockerFault("BAD_REQUEST", "a login has a username and a password");
  const address = textAt(body, "serveraddress") ?? "";
  const host = registryHost(address === "" ? library.builtinRegistry : registryOf(address));
  const client = library.visitor({ credentials: (asked) => Promise.resolve(asked === host ? credentials : undefined) });
  try {
    await client.checkLogin(host, call.signal);
  } catch (error) {
    if (!(error instanceof ImageFault) || (error.code !== "UNAUTHORIZED" && error.code !== "DENIED")) throw error;
    throw new DockerFault("UNAUTHORIZED", `login attempt to ${host} failed: unauthorized`, { cause: error });
  }
  return ok({ IdentityToken: "", Status: "Login Succeeded" });
}

/** An object a line, those of the past first. */
async function events({ events: log, library }: SystemParts, call: Call): Promise<void> {
  const filters = call.filters();
  checkEventFilters(filters);
  const sinceMs = eventTimeMs(call.text("since"));
  const untilMs = eventTimeMs(call.text("until"));
  const nowMs = library.clock.wallMs();
  const over = new AbortController();
  const signal = AbortSignal.any([call.signal, over.signal]);
  const output = call.stream("application/json");
  const tell = (event: Parameters<typeof eventPasses>[0]): void => {
    if (untilMs !== undefined && event.timeNano / 1_000_000 > untilMs) return;
    // Who does not read gets no more.
    if (output.writableLength < unreadBytesMax && eventPasses(event, filters))
      output.write(`${JSON.stringify(event)}\n`);
  };
  using _listening = log.listen(tell) ?? tooMany();
  if (sinceMs !== undefined) for (const event of log.since(sinceMs)) tell(event);
  const timer =
    untilMs === undefined ? undefined : library.clock.after(Math.max(0, untilMs - nowMs), () => over.abort());
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  timer?.cancel();
  if (!output.writableEnded) output.end();
  if (!call.signal.aborted) await once(output, "close", { signal: call.signal }).catch(() => undefined);
}

function tooMany(): never {
  throw new DockerFault("TOO_MANY", "too many clients listen to events");
}
