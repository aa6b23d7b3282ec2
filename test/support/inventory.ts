import { createHash } from "node:crypto";
import { readdir, readFile, readlink, realpath } from "node:fs/promises";
import { join } from "node:path";
import { linkPrefix, netnsPrefix, nodeKey, spareHolder } from "../../runtime/sandbox/pod-files.ts";

/** What a node holds of the machine: everything that a crash could leave behind. */
export interface Inventory {
  /** Everything that has the data directory, the run directory or a container of the node on its command line. */
  readonly processes: readonly FoundProcess[];
  /** Of those, the processes in which Wasm pods run, blank ones too. */
  readonly hostProcesses: readonly number[];
  /** Ids of containers that run. */
  readonly containers: readonly string[];
  readonly networkNamespaces: readonly string[];
  /** Bridges and links. */
  readonly links: readonly string[];
  /** Addresses whose network is made ahead, so that some of the two above are nobody's yet. */
  readonly spareNetworks: readonly string[];
  readonly cgroups: readonly string[];
  /** Sockets in the run directory. */
  readonly sockets: readonly string[];
}

export interface FoundProcess {
  readonly pid: number;
  readonly command: string;
}

/** Looks at the machine for what belongs to the node on `dataDirectory`, which is there or was there. */
export async function inventoryOf(dataDirectory: string): Promise<Inventory> {
  const data = await realpath(dataDirectory).catch(() => dataDirectory);
  const native = nodeKey(join(data, "node/native"));
  const runDirectory = runDirectoryOf(data);
  const processes = await processesWith([data, runDirectory, `shallop-${native}-`]);
  const containers = processes.flatMap(
    ({ command }) => /\brun\b.* (shallop-[0-9a-f]+-[0-9a-f]+)/.exec(command)?.[1] ?? [],
  );
  return {
    processes,
    hostProcesses: processes.filter(({ command }) => /host-main\.ts --/.test(command)).map(({ pid }) => pid),
    containers: [...new Set(containers)],
    networkNamespaces: await namesIn("/run/netns", netnsPrefix(native)),
    links: await namesIn("/sys/class/net", linkPrefix(native)),
    spareNetworks: await sparesIn(join(data, "node/native/ip")),
    cgroups: await cgroupsOf([native, nodeKey(join(data, "node"))]),
    sockets: await namesIn(runDirectory, ""),
  };
}

/** Where an agent of this user on this data directory has its sockets. */
export function runDirectoryOf(dataDirectory: string, user = process.getuid?.() ?? 0): string {
  const hash = createHash("sha256").update(dataDirectory).digest("hex");
  return join(process.env["XDG_RUNTIME_DIR"] ?? "/tmp", `shallop-${user}-${hash.slice(0, 12)}`);
}

/** Processes whose command line has one of the texts; the process that asks is none of them. */
export async function processesWith(texts: readonly string[]): Promise<readonly FoundProcess[]> {
  const found: FoundProcess[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const command = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    if (texts.some((text) => command.includes(text)))
      found.push({ pid: Number(name), command: command.replaceAll("\0", " ").trim() });
  }
  return found;
}

/** A claim is a link from an address to its holder; that of a spare network is no pod. */
async function sparesIn(claims: string): Promise<readonly string[]> {
  const addresses = await readdir(claims).catch((): string[] => []);
  const holders = await Promise.all(addresses.map((address) => readlink(join(claims, address)).catch(() => "")));
  return addresses.filter((_address, index) => holders[index]?.startsWith(spareHolder));
}

async function namesIn(directory: string, prefix: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((): string[] => []);
  return names.filter((name) => name.startsWith(prefix));
}

/** Pods' and host processes' cgroups, in every hierarchy that there is. */
async function cgroupsOf(keys: readonly string[]): Promise<readonly string[]> {
  const roots = ["/sys/fs/cgroup", ...(await namesIn("/sys/fs/cgroup", "")).map((name) => `/sys/fs/cgroup/${name}`)];
  const found = await Promise.all(
    roots.flatMap((root) =>
      keys.map(async (key) => {
        const path = join(root, "shallop", key);
        const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
        return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
      }),
    ),
  );
  return found.flat();
}
