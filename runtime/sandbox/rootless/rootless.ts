import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describeError } from "@shallop/sdk/internal";
import { findProgram } from "../features.ts";
import type { CgroupLayout } from "../kernel/cgroup.ts";
import { enterNamespaces, startKeeper } from "../kernel/keeper.ts";
import { ownNetwork, ownSys } from "../kernel/own-namespaces.ts";
import { recordedProcess, recordProcess } from "../kernel/process-record.ts";
import { userMap } from "../kernel/user-map.ts";
import { claimedLayout, isInScope, joinScope, lingers, scopePrograms, userManager } from "../kernel/user-scope.ts";
import { podFiles } from "../pod-files.ts";
import { ownIds, type OwnUsers } from "./own-users.ts";

/** A node that an ordinary user has started. */
export interface Rootless extends OwnUsers {
  /** Process that keeps the namespaces. */
  readonly keeper: number;
  /** Unix socket by which pods' addresses are reached. */
  readonly gate: string;
  /** In which the node's bridge is, and where its devices are shown. */
  readonly network: string;
  readonly sys: string;
}

export interface RootlessSettings {
  /** Directory of the node's state. */
  readonly directory: string;
  /** Where its sockets are. */
  readonly run: string;
  /** Where this user's session has its sockets (`XDG_RUNTIME_DIR`). */
  readonly session?: string | undefined;
}

/** The agent, as it is to be started again inside. */
export interface AgentProgram {
  readonly main: string;
  readonly args: readonly string[];
  /** With it the agent knows where it is, and by whose grace. */
  readonly environment: (keeper: number) => Readonly<Record<string, string | undefined>>;
}

const keeperMain = fileURLToPath(new URL("keeper-main.ts", import.meta.url));
const gateOf = (run: string): string => path.join(run, "gate.sock");
const recordOf = (directory: string): string => path.join(directory, "keeper.json");

/**
 * Makes this process, of an ordinary user, root of namespaces of its own: those that an earlier agent has left with its pods, or new
 * ones. Returns the reason, in half a sentence, where that cannot be; else the process begins anew there.
 */
export async function enterRootless(settings: RootlessSettings, agent: AgentProgram): Promise<string> {
  const { directory, run } = settings;
  try {
    for (const program of ["unshare", "nsenter", "ip"]) {
      if ((await findProgram(program)) === undefined) return `the program ${program} is not installed`;
    }
    const nsenter = (await findProgram("nsenter")) ?? "";
    const manager = await askableManager(settings);
    const keeper = (await recordedProcess(recordOf(directory)))?.pid ?? (await newKeeper(settings, manager));
    // Where its service manager does not answer, the node runs without limits, and says so.
    await joinScope(keeper, manager).catch(() => false);
    enterNamespaces({ ...agent, keeper, environment: agent.environment(keeper) }, nsenter);
    return "it cannot be entered";
  } catch (error) {
    await rm(gateOf(run), { force: true });
    return describeError(error);
  }
}

/** This user's service manager, where there are the programs that speak to it. */
async function askableManager({ session }: RootlessSettings): ReturnType<typeof userManager> {
  const programs = await Promise.all(scopePrograms.map(findProgram));
  return programs.includes(undefined) ? undefined : userManager(session, process.getuid?.() ?? 0);
}

async function newKeeper(
  { directory, run }: RootlessSettings,
  manager: Awaited<ReturnType<typeof userManager>>,
): Promise<number> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await forgetPods(directory);
  const pid = await startKeeper({ main: keeperMain, args: [gateOf(run)], manager });
  await recordProcess(recordOf(directory), { pid, note: "" });
  return pid;
}

/** What this process is root of, after `enterRootless`. */
export async function rootlessInside(keeper: number, { run }: RootlessSettings): Promise<Rootless> {
  const hasCgroups = await isInScope();
  const names = await readFile("/etc/passwd", "utf8").catch(() => "");
  return {
    ...{ keeper, gate: gateOf(run), network: ownNetwork, sys: ownSys },
    ...ownIds(),
    ...{ hasCgroups, endsWithSession: hasCgroups && !(await lingers(userMap().root, names)) },
  };
}

/** Cgroups of the pods of an ordinary user's node, for who is outside of its namespaces. Undefined: it has none. */
export async function keptCgroups(directory: string): Promise<CgroupLayout | undefined> {
  const kept = await recordedProcess(recordOf(directory));
  return kept === undefined ? undefined : claimedLayout(kept.pid);
}

/** What is left of pods in namespaces that nobody keeps is reached by nobody: without its records it is undone. */
async function forgetPods(directory: string): Promise<void> {
  for (const pod of await podsOf(directory)) {
    const { record, launch } = podFiles(path.join(directory, podsDirectory), pod);
    await Promise.all([record, launch].map((file) => rm(file, { force: true })));
  }
}

const podsDirectory = "native/pods";
const podsOf = (directory: string): Promise<readonly string[]> =>
  readdir(path.join(directory, podsDirectory)).catch(() => []);

/** Resolves when the keeper has ended: without it no pod is reached. */
export function keeperEnded({ gate }: Rootless): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ path: gate });
    socket.on("error", () => undefined).once("close", () => resolve());
    socket.resume().unref();
  });
}

/** The namespaces go, once nobody else is in them. With `unused`, only where there are no pods that another agent will want. */
export async function leaveRootless(
  { keeper }: Rootless,
  { directory }: RootlessSettings,
  { unused }: { readonly unused: boolean },
): Promise<void> {
  if (unused && (await podsOf(directory)).length > 0) return;
  if ((await recordedProcess(recordOf(directory)))?.pid === keeper) process.kill(keeper, "SIGKILL");
  await rm(recordOf(directory), { force: true });
}
