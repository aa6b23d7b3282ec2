import type { Random } from "../../sdk/internal/index.ts";
import { hostDirectories } from "../../runtime/host/run-files.ts";
import { recordedProcess } from "../../runtime/sandbox/kernel/process-record.ts";
import { runDirectoryOf } from "../support/inventory.ts";
import { eventually, type Platform } from "../support/platform.ts";

/** A service that is updated and rolled back while it serves. */
export interface RolledService {
  readonly name: string;
  readonly image: string;
}

/** A new revision takes over, and then the one before it again. `round` makes it a new one. */
export async function updateAndRollBack(
  platform: Platform,
  { name, image }: RolledService,
  round: number,
): Promise<void> {
  const before = await revisionOf(platform, name);
  await platform.run("deploy", name, "--image", image, "--env", `ROUND=${round}`);
  await platform.run("traffic", name, "--to", `${before}=100`);
  await platform.run("traffic", name, "--latest");
}

async function revisionOf(platform: Platform, name: string): Promise<string> {
  const services = JSON.parse(await platform.run("list", "-o", "json")) as readonly ListedService[];
  const service = services.find(({ metadata }) => metadata.name === name);
  if (service === undefined) throw new Error(`there is no service ${name}`);
  return service.status.latestReadyRevisionName;
}

interface ListedService {
  readonly metadata: { readonly name: string };
  readonly status: { readonly latestReadyRevisionName: string };
}

interface Program {
  readonly name: string;
  readonly pid: number;
  readonly state: string;
}

/** What is killed: each is a process of the platform, or one in which a victim's pods run. */
export const killable = ["control-plane", "node-agent", "gateway", "host"] as const;
export type Killable = (typeof killable)[number];

/** Kills one of `kinds` at random, and resolves when the platform has it again. Says which. */
export async function killOne(
  platform: Platform,
  { kinds, random, victim }: { readonly kinds: readonly Killable[]; readonly random: Random; readonly victim: string },
): Promise<Killable | undefined> {
  const kind = kinds[random.below(kinds.length)];
  if (kind === undefined) return undefined;
  if (kind === "host") {
    for (const pid of await hostProcessesOf(platform, victim)) kill(pid);
    return kind;
  }
  const before = (await programs(platform)).find(({ name }) => name === kind);
  if (before === undefined) throw new Error(`there is no ${kind}`);
  kill(before.pid);
  await eventually(`${kind} is back`, async () => {
    const now = (await programs(platform).catch(() => [])).find(({ name }) => name === kind);
    return now !== undefined && now.pid !== before.pid && now.state === "ready" ? true : undefined;
  });
  return kind;
}

async function programs(platform: Platform): Promise<readonly Program[]> {
  return (JSON.parse(await platform.run("status", "-o", "json")) as { readonly programs: readonly Program[] }).programs;
}

/** The host processes of a namespace, as the node has written them down. */
async function hostProcessesOf(platform: Platform, namespace: string): Promise<readonly number[]> {
  const directories = await hostDirectories(runDirectoryOf(platform.dataDirectory));
  const records = await Promise.all(directories.map((directory) => recordedProcess(`${directory}.pid`)));
  return records.flatMap((record) => (record?.note === namespace ? [record.pid] : []));
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
