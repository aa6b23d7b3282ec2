import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { KernelFault, runCommand, systemPath } from "./command.ts";
import { execute } from "./enter-cell.ts";
import { Libc } from "./libc.ts";
import { inScope } from "./user-scope.ts";

export interface KeeperProgram {
  readonly main: string;
  readonly args: readonly string[];
  /** How the user's service manager is reached, which may give it a cgroup; undefined: there is none. */
  readonly manager?: Readonly<Record<string, string>> | undefined;
}

/** An argument after those of the program: it is alone in a cgroup, and may claim that. */
export const ownsCgroup = "--owns-cgroup";

const namespaces = ["--user", "--map-root-user", "--mount", "--net", "--ipc", "--cgroup"];

/**
 * Starts a process that is root of namespaces of its own, and keeps them after this one is gone. Resolves with its id when it
 * has said that it is ready. @throws KernelFault with the reason why there can be no such process
 */
export async function startKeeper(program: KeeperProgram): Promise<number> {
  const { manager, ...plain } = program;
  const ways = [...((await hasSubordinateIds()) ? [[...namespaces, "--map-auto"]] : []), namespaces].flatMap((made) => [
    ...(manager === undefined ? [] : [{ program, made }]),
    { program: plain, made },
  ]);
  for (const { program: tried, made } of ways.slice(0, -1)) {
    const pid = await started(tried, made).catch(() => undefined);
    if (pid !== undefined) return pid;
  }
  return started(plain, namespaces);
}

async function started({ main, args, manager }: KeeperProgram, made: readonly string[]): Promise<number> {
  const own = manager === undefined ? [] : [ownsCgroup];
  const node = [process.execPath, "--no-warnings", main, ...args, ...own];
  const [program = "", ...rest] = [...(manager === undefined ? [] : inScope), "unshare", ...made, "--", ...node];
  const child = spawn(program, rest, {
    cwd: "/",
    env: { PATH: systemPath, LC_ALL: "C", ...manager },
    stdio: ["ignore", "pipe", "pipe"],
    // A session of its own: what ends the agent's does not end it.
    detached: true,
  });
  const { stdout, stderr } = child;
  let said = "";
  stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = new Promise<never>((_, reject) => {
    child.once("error", () => reject(new KernelFault("COMMAND_MISSING", "unshare of util-linux is not installed")));
    child.once("close", () => reject(new KernelFault("COMMAND_FAILED", said.trim().split("\n").at(-1) ?? "")));
  });
  ended.catch(() => undefined);
  await Promise.race([once(stdout, "data"), ended]);
  child.unref();
  for (const stream of [stdout, stderr]) stream.destroy();
  if (child.pid === undefined) throw new KernelFault("COMMAND_FAILED", "unshare could not be started");
  return child.pid;
}

/** This user has been given ids to hand on, and there are the programs that do so. */
export async function hasSubordinateIds(): Promise<boolean> {
  const { uid, username } = whoIsThis();
  const names = [`${username}:`, `${uid}:`];
  const has = async (file: string): Promise<boolean> =>
    (await readFile(file, "utf8").catch(() => ""))
      .split("\n")
      .some((line) => names.some((name) => line.startsWith(name)));
  if (!(await has("/etc/subuid")) || !(await has("/etc/subgid"))) return false;
  const programs = ["newuidmap", "newgidmap"].map((program) =>
    runCommand(program, []).then(
      () => true,
      () => false,
    ),
  );
  return (await Promise.all(programs)).every(Boolean);
}

function whoIsThis(): { readonly uid: number; readonly username: string } {
  try {
    return userInfo();
  } catch {
    // An id without an entry in the list of users.
    return { uid: process.getuid?.() ?? 0, username: "" };
  }
}

export interface Entrance {
  readonly keeper: number;
  readonly main: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Where `Program` of the supervisor has its channel, and whoever forks another Node. */
export const channelDescriptor = 3;

/**
 * Becomes root of the keeper's namespaces, but for the network, which stays the machine's: the same process, which begins
 * anew. Returns only by throwing. @throws SystemCallFault
 */
export function enterNamespaces({ keeper, main, args, environment }: Entrance, nsenter: string): void {
  const hasChannel = process.channel !== undefined;
  const entries = Object.entries({
    ...environment,
    ...(hasChannel ? { NODE_CHANNEL_FD: String(channelDescriptor) } : {}),
  });
  execute(Libc.load(), {
    root: undefined,
    uid: undefined,
    closesCalls: false,
    descriptors: hasChannel ? 1 : 0,
    command: [
      ...[
        nsenter,
        "--target",
        String(keeper),
        "--user",
        "--mount",
        "--ipc",
        "--cgroup",
        "--preserve-credentials",
        "--",
      ],
      // The new mount namespace has its own idea of where this process is.
      ...["/bin/sh", "-c", 'cd "$0" && exec "$@"', process.cwd(), process.execPath, ...process.execArgv, main, ...args],
    ],
    environment: Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
  });
}
