import { access, constants, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeError, systemClock } from "@shallop/sdk/internal";
import { type CgroupLayout, CgroupTree, detectCgroupLayout, neededControllers } from "./kernel/cgroup.ts";
import { runCommand, systemPath } from "./kernel/command.ts";
import { LinuxKernel } from "./kernel/linux.ts";
import { escapesOf } from "./known-escapes.ts";
import { type OciRuntimeProgram, parseVersion } from "./oci-runtime-program.ts";
import type { OwnUsers } from "./rootless/own-users.ts";
import type { Rootless } from "./rootless/rootless.ts";
import type { SeccompArch } from "./seccomp.ts";

/** What this machine can do for native pods. */
export interface SandboxFeatures<Own extends OwnUsers = Rootless> {
  readonly native: boolean;
  /** Why native pods cannot run here, and what to do about it, in a sentence. */
  readonly nativeMissing?: string;
  /** What is weaker here than it should be, in sentences. */
  readonly warnings: readonly string[];
  /** All that a NativeRuntime needs; there exactly when `native`. */
  readonly machine?: SandboxMachine<Own>;
}

export interface SandboxMachine<Own extends OwnUsers = Rootless> {
  readonly arch: SeccompArch;
  readonly runtime: OciRuntimeProgram;
  readonly cgroups: CgroupLayout;
  readonly swapLimit: boolean;
  readonly ipv6: boolean;
  /** Pods have user namespaces, and owners of files are shifted for each (ID-mapped mounts below overlayfs). */
  readonly shiftsUsers: boolean;
  /** This process's own hard limit: without CAP_SYS_RESOURCE no child can have more. */
  readonly openFilesMax: number;
  /** It is an ordinary user who does it: root of namespaces of his own. */
  readonly rootless?: Own;
}

/** What detection looks at, so that a test can say what a machine is like. */
export interface MachineProbe<Own extends OwnUsers = Rootless> {
  readonly platform: string;
  readonly arch: string;
  readonly uid: number;
  readonly rootless?: Own;
  /** Why an ordinary user cannot have native pods here. */
  readonly notRootless?: string;
  readonly nativeEgress?: "auto" | "proxy" | undefined;
  /** Absolute path of a program; undefined: not installed. */
  find(program: string): Promise<string | undefined>;
  version(path: string): Promise<string>;
  cgroups(): Promise<CgroupLayout>;
  readText(path: string): Promise<string>;
  /** Makes a pod's file tree, with shifted owners or as they are. Undefined: it works; else what was refused. */
  tryMounts(shifted: boolean): Promise<string | undefined>;
}

export interface DetectionSettings<Own extends OwnUsers = Rootless> {
  /** Where the node keeps its layers: not every file system can shift owners. */
  readonly directory?: string;
  /** What to do with an OCI runtime of which ways out of containers are known; refused unless said otherwise. */
  readonly knownEscapes?: "refuse" | "allow";
  /** What an ordinary user is root of; or why of nothing. */
  readonly rootless?: Own | string;
  /** How native pods go out. */
  readonly nativeEgress?: "auto" | "proxy";
}

const systemProbe = <Own extends OwnUsers>({
  directory = tmpdir(),
  rootless,
  nativeEgress,
}: DetectionSettings<Own>): MachineProbe<Own> => ({
  nativeEgress,
  platform: process.platform,
  arch: process.arch,
  uid: process.getuid?.() ?? -1,
  ...(typeof rootless === "string" ? { notRootless: rootless } : rootless === undefined ? {} : { rootless }),
  find: findProgram,
  version: async (path) => (await runCommand(path, ["--version"])).stdout,
  cgroups: detectCgroupLayout,
  readText: (path) => readFile(path, "utf8").catch(() => ""),
  tryMounts: (shifted) => tryMounts(directory, shifted, typeof rootless === "string" ? undefined : rootless),
});

const trialMounts = { sysctls: {}, allowsSetuid: false };
/** Any range will do: nothing is ever owned by it. */
const trialRange = { first: 0x0100_0000, size: 65_536 };

async function tryMounts(parent: string, shifted: boolean, rootless?: OwnUsers): Promise<string | undefined> {
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(join(parent, "try-mounts-"));
  const kernel = new LinuxKernel(new CgroupTree(await detectCgroupLayout(), systemClock), systemClock);
  const isRootless = rootless !== undefined;
  const networkNamespace = isRootless ? rootless.network : "/proc/self/ns/net";
  try {
    const layers = [join(directory, "upper"), join(directory, "lower")];
    for (const layer of layers) await mkdir(layer);
    using users = shifted ? await kernel.userNamespace(trialRange) : undefined;
    const usersFd = users === undefined ? {} : { usersFd: users.fd };
    const own = { isRootless, isOnce: isRootless };
    using _ = await kernel.podMounts({ ...trialMounts, ...own, networkNamespace, layers, ...usersFd });
    return undefined;
  } catch (error) {
    return describeError(error);
  } finally {
    await kernel.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Absolute path of a program in the system's directories. */
export async function findProgram(program: string): Promise<string | undefined> {
  for (const directory of systemPath.split(":")) {
    const path = join(directory, program);
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}

/** Programs that native pods need beside the OCI runtime, with the Debian package that brings each. */
export const neededPrograms: Readonly<Record<string, string>> = {
  ip: "iproute2",
  tc: "iproute2",
  nsenter: "util-linux",
  unshare: "util-linux",
};

/** Looks at this machine. Throws nothing, on no system: what cannot be found out counts as missing. */
export async function detectFeatures<Own extends OwnUsers = Rootless>(
  settings: DetectionSettings<Own> = {},
  probe: MachineProbe<Own> = systemProbe(settings),
): Promise<SandboxFeatures<Own>> {
  try {
    return await detect(probe, settings.knownEscapes ?? "refuse");
  } catch (error) {
    return missing(`native pods cannot run here: looking at this machine failed: ${describeError(error)}`);
  }
}

async function detect<Own extends OwnUsers>(
  probe: MachineProbe<Own>,
  escapesPolicy: NonNullable<DetectionSettings["knownEscapes"]>,
): Promise<SandboxFeatures<Own>> {
  if (probe.platform !== "linux") {
    return missing(
      `native pods need Linux, and this is ${probe.platform}; add a Linux machine with \`shallop agent --join\``,
    );
  }
  const arch = probe.arch;
  if (arch !== "x64" && arch !== "arm64") return missing(`native pods need x86-64 or arm64, and this is ${arch}`);
  if (probe.uid !== 0) return missing(rootMissing(probe.notRootless));
  const runtimes = await findRuntimes(probe);
  const runtime = runtimes.find((candidate) => escapesOf(candidate)?.length === 0) ?? runtimes[0];
  if (runtime === undefined) {
    return missing("native pods need runc or crun, and neither is installed: run `apt-get install crun`");
  }
  const escapes = escapeWarning(runtime);
  if (escapes !== undefined && escapesPolicy === "refuse") {
    return missing(
      `native pods are refused: ${escapes}; install crun, or a newer runc, or start with --known-escapes=allow when you trust every native image`,
    );
  }
  for (const [program, debianPackage] of Object.entries(neededPrograms)) {
    if ((await probe.find(program)) !== undefined) continue;
    return missing(
      `native pods need the program ${program}, which is not installed: run \`apt-get install ${debianPackage}\``,
    );
  }
  if (!/\boverlay$/m.test(await probe.readText("/proc/filesystems"))) {
    return missing("native pods need overlayfs, which this kernel does not offer: run `modprobe overlay`");
  }
  const machineCgroups = await probe.cgroups();
  const cgroups = probe.rootless?.hasCgroups === false ? withoutCgroups(machineCgroups) : machineCgroups;
  const absent = neededControllers.filter((controller) => !cgroups.rootByController.has(controller));
  if (absent.length > 0 && probe.rootless === undefined) {
    return missing(
      `native pods need the cgroup controllers ${absent.join(", ")}, which are not mounted here: mount cgroup2 at /sys/fs/cgroup`,
    );
  }
  const others = runtimes.filter((other) => other !== runtime).flatMap((other) => escapeWarning(other) ?? []);
  const unused = others.map((warning) => `${warning}; ${runtime.kind} is used instead`);
  return capable(probe, { arch, runtime, cgroups }, [...(escapes === undefined ? [] : [escapes]), ...unused]);
}

async function capable<Own extends OwnUsers>(
  probe: MachineProbe<Own>,
  found: Pick<SandboxMachine, "arch" | "runtime" | "cgroups">,
  escapes: readonly string[],
): Promise<SandboxFeatures<Own>> {
  const memoryRoot = found.cgroups.rootByController.get("memory") ?? "";
  const swapLimit =
    found.cgroups.mode === "v2" || (await probe.readText(join(memoryRoot, "memory.memsw.limit_in_bytes"))) !== "";
  const ipv6 = (await probe.readText("/proc/sys/net/ipv6/conf/default/disable_ipv6")) !== "";
  const hasNft = (await probe.find("nft")) !== undefined;
  const { rootless } = probe;
  // Owners are shifted by whoever has mounted the file system: the machine's root.
  const unshifted = rootless === undefined ? await probe.tryMounts(true) : "only root may";
  const unmountable = unshifted === undefined ? undefined : await probe.tryMounts(false);
  if (unmountable !== undefined) return missing(`native pods cannot have a file tree here: ${unmountable}`);
  const warnings = [
    ...escapes,
    ...(rootless === undefined ? [] : rootlessWarnings(rootless)),
    ...(swapLimit || rootless !== undefined
      ? []
      : ["this kernel does not count swap: a native pod may swap beyond its memory limit (boot with swapaccount=1)"]),
    ...(hasNft && rootless === undefined && probe.nativeEgress !== "proxy" ? [] : [proxyWarning(hasNft)]),
    ...(unshifted === undefined || rootless !== undefined
      ? []
      : [
          `native pods share user ids with this machine, for it cannot shift owners of files (Linux 5.19, and ext4, XFS or Btrfs): ${unshifted}`,
        ]),
  ];
  const openFilesMax = parseOpenFilesMax(await probe.readText("/proc/self/limits"));
  const shiftsUsers = unshifted === undefined;
  const own = rootless === undefined ? {} : { rootless };
  return { native: true, warnings, machine: { ...found, swapLimit, ipv6, shiftsUsers, openFilesMax, ...own } };
}

const rootMissing = (notRootless: string | undefined): string =>
  notRootless === undefined
    ? "native pods need root: start shallop with sudo"
    : `native pods need root or namespaces of one's own, which this user cannot have (${notRootless}): start shallop with sudo, or allow them: \`sysctl user.max_user_namespaces=10000\`, and \`kernel.apparmor_restrict_unprivileged_userns=0\` on Ubuntu`;

const proxyWarning = (hasNft: boolean): string =>
  `native pods go out by the node's HTTP proxy alone, which HTTP_PROXY and HTTPS_PROXY name${hasNft ? "" : ", and have no names: run `apt-get install nftables`"}`;

/** The machine's cgroups are not an ordinary user's. */
const withoutCgroups = ({ mode, unified }: CgroupLayout): CgroupLayout => ({
  ...{ mode, rootByController: new Map(), roots: [] },
  ...(unified === undefined ? {} : { unified }),
});

/** Every id that an image may use, nobody (65534) among them. */
const idsWanted = 65_536;

function rootlessWarnings({ idCount, hasCgroups, endsWithSession }: OwnUsers): readonly string[] {
  return [
    "native pods run as this user, in namespaces of its own: root in a container is this user behind the other walls",
    ...(hasCgroups
      ? []
      : [
          "limits of CPU and memory of native pods cannot be held, for this user has been handed no cgroup with cpu, memory and pids: start shallop in a login session of systemd on a machine with cgroup v2 alone, or with sudo",
        ]),
    ...(endsWithSession
      ? ["native pods end with this user's last session: run `loginctl enable-linger`, so that they stay"]
      : []),
    ...(idCount >= idsWanted
      ? []
      : [
          "native pods have one user, and programs that are to be another are root without its rights: run `apt-get install uidmap` and, as root, `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER`; then start shallop again",
        ]),
  ];
}

const missing = (nativeMissing: string): SandboxFeatures<never> => ({ native: false, nativeMissing, warnings: [] });

/** The hard limit in `/proc/self/limits`: `Max open files   1024   524288   files`. */
const parseOpenFilesMax = (limits: string): number =>
  Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? 1024);

/** Both, runc first: it is what most people run. */
async function findRuntimes(probe: Pick<MachineProbe, "find" | "version">): Promise<readonly OciRuntimeProgram[]> {
  const found: OciRuntimeProgram[] = [];
  for (const kind of ["runc", "crun"] as const) {
    const path = await probe.find(kind);
    if (path !== undefined) found.push({ kind, path, version: parseVersion(await probe.version(path)) });
  }
  return found;
}

/** What is known against a runtime, in a sentence without its end; undefined when nothing is. */
function escapeWarning(runtime: OciRuntimeProgram): string | undefined {
  const escapes = escapesOf(runtime);
  if (escapes === undefined) {
    return `the version of ${runtime.path} is unknown, and so is whether ways out of its containers are`;
  }
  if (escapes.length === 0) return undefined;
  return `${runtime.kind} ${runtime.version} has known ways out of containers (${escapes.join(", ")}) unless your distribution has mended them`;
}
