import { KernelFault, runCommand } from "./command.ts";
import { execute } from "./enter-cell.ts";
import { channelDescriptor, hasSubordinateIds } from "./keeper.ts";
import { Libc } from "./libc.ts";

const namespaces = ["--user", "--map-root-user", "--mount", "--ipc", "--cgroup", "--pid"];
// With whoever waits for it ends the first process, and with that all others in its namespace.
const asFirst = ["--fork", "--kill-child", "--mount-proc"];

export interface OwnProgram {
  readonly main: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Makes this process, of an ordinary user, begin anew as root of namespaces of its own, with all ids that the user has. The network
 * stays the machine's. Nothing that is started there outlives it. Returns only by throwing. @throws KernelFault with the reason why
 * there can be no such process, SystemCallFault
 */
export async function becomeOwnRoot({ main, args, environment }: OwnProgram, unshare: string): Promise<never> {
  const made = await waysIn(unshare);
  const libc = Libc.load();
  const isChild = process.channel !== undefined;
  const variables = { ...environment, ...(isChild ? { NODE_CHANNEL_FD: String(channelDescriptor) } : {}) };
  execute(libc, {
    ...{ root: undefined, uid: undefined, closesCalls: false, descriptors: isChild ? 1 : 0 },
    command: [unshare, ...made, "--", process.execPath, ...process.execArgv, main, ...args],
    environment: Object.fromEntries(
      Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    ),
  });
  throw new KernelFault("COMMAND_FAILED", "it cannot be started");
}

/** Options of unshare(1) that this machine takes from this user. */
async function waysIn(unshare: string): Promise<readonly string[]> {
  const plain = [...namespaces, ...asFirst];
  const ways = [...((await hasSubordinateIds()) ? [[...plain, "--map-auto"]] : []), plain];
  let said = "";
  for (const way of ways) {
    // A mount, too: some machines give out user namespaces in which nothing may be done.
    const { code, stderr } = await runCommand(unshare, [...way, "--", "mount", "-t", "tmpfs", "shallop", "/run"]);
    if (code === 0) return way;
    said = stderr.trim().split("\n").at(-1) ?? "";
  }
  throw new KernelFault("COMMAND_FAILED", said);
}
