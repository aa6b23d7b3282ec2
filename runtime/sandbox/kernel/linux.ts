import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@shallop/sdk/internal";
import type { TerminalSize } from "../../pod/container-process.ts";
import type { SocketAddress } from "./bound-socket.ts";
import { CgroupTree, detectCgroupLayout } from "./cgroup.ts";
import { checkCommand, type CommandResult, runCommand } from "./command.ts";
import type { IdRange, Kernel, Link, OpenDescriptor, OpenFile, Shim, ShimProcess, ShimTerminal } from "./kernel.ts";
import { Libc } from "./libc.ts";
import { MountThread } from "./mount-thread.ts";
import type { PodMounts } from "./pod-mounts.ts";
import { type InteractiveProcess, type InteractiveProgram, startInteractive } from "./interactive.ts";
import { processStart } from "./process-start.ts";
import { startShim } from "./shim.ts";
import { lastChildOf, resizeTerminals } from "./terminal.ts";
import { openUserNamespace } from "./user-namespace.ts";

/** The door to the Linux kernel of this machine. */
export class LinuxKernel implements Kernel {
  readonly cgroups: CgroupTree;
  readonly #mountThread: MountThread;
  readonly #network: OwnNetwork | undefined;
  /** By their first id. */
  readonly #userNamespaces = new Map<number, Promise<OpenDescriptor>>();
  #libc: Libc | undefined;
  readonly #clock: Clock;

  /** With a network of its own, in which the bridge and its links are; else they are in the machine's. */
  constructor(cgroups: CgroupTree, clock: Clock, network?: OwnNetwork) {
    this.cgroups = cgroups;
    this.#clock = clock;
    this.#network = network;
    this.#mountThread = new MountThread(network?.network);
  }

  static async open(clock: Clock): Promise<LinuxKernel> {
    return new LinuxKernel(new CgroupTree(await detectCgroupLayout(), clock), clock);
  }

  async network(commands: readonly string[], netns?: string): Promise<void> {
    const input = batch(commands);
    if (netns === undefined) await this.#check("ip", ["-batch", "-"], input);
    else await checkCommand("ip", ["-netns", netns, "-batch", "-"], { input });
  }

  async makeNetwork(netns: string): Promise<void> {
    const path = join(namedNetworks, netns);
    await mkdir(namedNetworks, { recursive: true });
    // To be mounted on.
    await writeFile(path, "");
    await checkCommand("unshare", [`--net=${path}`, "--", "ip", "link", "set", "lo", "up"]);
  }

  async filter(commands: readonly string[]): Promise<void> {
    await this.#check("tc", ["-batch", "-"], batch(commands));
  }

  async packetRules(script: string): Promise<void> {
    await this.#check("nft", ["-f", "-"], script);
  }

  async packetTables(prefix: string): Promise<readonly string[]> {
    const tables = await this.#check("nft", ["list", "tables", "inet"]).catch(() => "");
    return tables.split("\n").flatMap((line) => {
      const name = line.replace(/^table inet /, "");
      return name.startsWith(prefix) ? [name] : [];
    });
  }

  async forwards(): Promise<boolean> {
    // One of its own passes on whatever comes.
    return this.#network !== undefined || (await readFile(forwardingFile, "utf8")).trim() !== "0";
  }

  async setForwards(value: boolean): Promise<void> {
    await writeFile(forwardingFile, value ? "1" : "0");
  }

  async links(): Promise<readonly Link[]> {
    return jsonObjects(await this.#check("ip", ["-json", "link", "show"])).map((link) => ({
      name: textOf(link["ifname"]),
      alias: textOf(link["ifalias"]),
    }));
  }

  async traffic(link: string): Promise<{ readonly receivedBytes: number; readonly sentBytes: number }> {
    const read = async (name: string): Promise<number> =>
      Number(
        await readFile(`${this.#network?.sys ?? "/sys"}/class/net/${link}/statistics/${name}`, "utf8").catch(() => "0"),
      );
    // What this end has sent the other has received.
    const [receivedBytes, sentBytes] = await Promise.all([read("tx_bytes"), read("rx_bytes")]);
    return { receivedBytes, sentBytes };
  }

  async routedSubnets(): Promise<readonly string[]> {
    const routes = jsonObjects(await this.#check("ip", ["-json", "-4", "route", "show", "table", "all"]));
    return routes
      .map((route) => textOf(route["dst"]))
      .filter((destination) => destination !== "default" && destination !== "")
      .map((destination) => (destination.includes("/") ? destination : `${destination}/32`));
  }

  async boundSocket(address: SocketAddress): Promise<number | undefined> {
    return this.#network === undefined ? undefined : (await this.#mountThread.socket(address)).fd;
  }

  async networkNamespaces(): Promise<readonly string[]> {
    // No such directory: none was ever made.
    return readdir(namedNetworks).catch(() => []);
  }

  async mountMemory(
    path: string,
    { bytesMax, owner }: { readonly bytesMax: number; readonly owner: number },
  ): Promise<void> {
    const options = `mode=1777,nosuid,nodev,size=${bytesMax},uid=${owner},gid=${owner}`;
    await checkCommand("mount", ["-t", "tmpfs", "-o", options, "shallop", path]);
  }

  async unmountBelow(directory: string): Promise<void> {
    if ((await readdir(directory).catch(() => [])).length === 0) return;
    const table = await readFile("/proc/self/mountinfo", "utf8");
    const points = table.split("\n").map((line) => line.split(" ")[4] ?? "");
    // proc_pid_mountinfo(5) writes spaces and the like in octal; our own directories' names have none below this.
    const below = points.filter((point) => point.startsWith(`${directory}/`));
    if (below.length > 0) await checkCommand("umount", ["--lazy", ...below.toReversed()]);
  }

  async diskUsage(directory: string): Promise<number> {
    const result = await runCommand("du", ["--summarize", "--one-file-system", "--block-size=1", directory]);
    // What changes while it looks is an error for du, and its sum is good all the same.
    return Number(/^\d+/.exec(result.stdout)?.[0] ?? 0);
  }

  async giveTree(directory: string, owner: number): Promise<void> {
    await checkCommand("chown", ["-hR", `${owner}:${owner}`, "--", directory]);
  }

  // Not Node's: it goes by whole paths, and a program can nest directories deeper than those may be long.
  async removeTree(directory: string): Promise<void> {
    await checkCommand("rm", ["-rf", "--one-file-system", "--", directory]);
  }

  makeFifos(paths: readonly string[]): void {
    this.#libc ??= Libc.load();
    for (const path of paths) {
      if (!existsSync(path)) this.#libc.check(`mkfifo ${path}`, this.#libc.functions.mkfifo(path, 0o600));
    }
  }

  async openFifoForWriting(path: string): Promise<OpenFile> {
    return open(path, "r+");
  }

  async openFifoForReading(path: string): Promise<OpenFile> {
    return open(path, "r");
  }

  prepareUserNamespace(range: IdRange): void {
    const opening = this.#userNamespaces.get(range.first) ?? openUserNamespace(range);
    // Who asks for it hears of it.
    opening.catch(() => undefined);
    this.#userNamespaces.set(range.first, opening);
  }

  async forgetUserNamespace(range: IdRange): Promise<void> {
    const prepared = this.#userNamespaces.get(range.first);
    this.#userNamespaces.delete(range.first);
    const opened = await prepared?.catch(() => undefined);
    opened?.[Symbol.dispose]();
  }

  userNamespace(range: IdRange): Promise<OpenDescriptor> {
    const prepared = this.#userNamespaces.get(range.first);
    this.#userNamespaces.delete(range.first);
    return prepared ?? openUserNamespace(range);
  }

  podMounts(mounts: PodMounts): Promise<OpenDescriptor> {
    return this.#mountThread.make(mounts);
  }

  startShim(shim: Shim): ShimProcess {
    return startShim(shim);
  }

  async resizeTerminal({ shimPid, pidFile }: ShimTerminal, size: TerminalSize): Promise<void> {
    const isThere = async (): Promise<boolean> => (await processStart(shimPid)) !== undefined;
    const holder = await lastChildOf(shimPid);
    if (holder !== undefined) await resizeTerminals({ holder, pidFile, isThere }, size, this.#clock);
  }

  runtime(file: string, args: readonly string[]): Promise<CommandResult> {
    return runCommand(file, args);
  }

  interactive(program: InteractiveProgram): InteractiveProcess {
    return startInteractive(program, this.#clock);
  }

  signal(pid: number, signal: "SIGTERM" | "SIGKILL"): boolean {
    try {
      return process.kill(pid, signal);
    } catch {
      return false;
    }
  }

  async processesNaming(text: string): Promise<readonly number[]> {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
    const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
    return pids.filter((pid, index) => pid !== process.pid && commands[index]?.includes(text) === true);
  }

  processStart(pid: number): Promise<string | undefined> {
    return processStart(pid);
  }

  async close(): Promise<void> {
    await this.#mountThread[Symbol.asyncDispose]();
  }

  /** Runs a program where the bridge is. */
  #check(file: string, args: readonly string[], input = ""): Promise<string> {
    if (this.#network === undefined) return checkCommand(file, args, { input });
    return checkCommand("nsenter", [`--net=${this.#network.network}`, "--", file, ...args], { input });
  }
}

interface OwnNetwork {
  /** Path of the namespace. */
  readonly network: string;
  /** Where its devices are shown. */
  readonly sys: string;
}

/** Where ip-netns(8) has them. */
const namedNetworks = "/run/netns";
const forwardingFile = "/proc/sys/net/ipv4/ip_forward";

const batch = (commands: readonly string[]): string => commands.map((command) => `${command}\n`).join("");

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** The objects of a JSON array as iproute2 prints one; it prints nothing at all for an empty one. */
function jsonObjects(text: string): readonly Record<string, unknown>[] {
  const value: unknown = text.trim() === "" ? [] : JSON.parse(text);
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
