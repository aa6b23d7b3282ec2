import { access, constants, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describeError } from "@shallop/sdk/internal";
import { type CgroupLayout, detectCgroupLayout, neededControllers } from "./kernel/cgroup.ts";
import { runCommand, systemPath } from "./kernel/command.ts";
import type { SeccompArch } from "./seccomp.ts";

/** What this machine can do for native pods. */
export interface SandboxFeatures {
  readonly native: boolean;
  /** Why native pods cannot run here, and what to do about it, in a sentence. */
  readonly nativeMissing?: string;
  /** What is weaker here than it should be, in sentences. */
  readonly warnings: readonly string[];
  /** All that a NativeRuntime needs; there exactly when `native`. */
  readonly machine?: SandboxMachine;
}

export interface SandboxMachine {
  readonly arch: SeccompArch;
  readonly runtime: OciRuntimeProgram;
  readonly cgroups: CgroupLayout;
  readonly swapLimit: boolean;
  readonly ipv6: boolean;
  /** This process's own hard limit: without CAP_SYS_RESOURCE no child can have more. */
  readonly openFilesMax: number;
}

export interface OciRuntimeProgram {
  readonly kind: "runc" | "crun";
  readonly path: string;
  readonly version: string;
}

/** What detection looks at, so that a test can say what a machine is like. */
export interface MachineProbe {
  readonly platform: string;
  readonly arch: string;
  readonly uid: number;
  /** Absolute path of a program; undefined: not installed. */
  find(program: string): Promise<string | undefined>;
  version(path: string): Promise<string>;
  cgroups(): Promise<CgroupLayout>;
  readText(path: string): Promise<string>;
}

const systemProbe = (): MachineProbe => ({
  platform: process.platform,
  arch: process.arch,
  uid: process.getuid?.() ?? -1,
  find: findProgram,
  version: async (path) => (await runCommand(path, ["--version"])).stdout,
  cgroups: detectCgroupLayout,
  readText: (path) => readFile(path, "utf8").catch(() => ""),
});

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
  mount: "mount",
  unshare: "util-linux",
  mkfifo: "coreutils",
};

/** Looks at this machine. Throws nothing, on no system: what cannot be found out counts as missing. */
export async function detectFeatures(probe: MachineProbe = systemProbe()): Promise<SandboxFeatures> {
  try {
    return await detect(probe);
  } catch (error) {
    return missing(`native pods cannot run here: looking at this machine failed: ${describeError(error)}`);
  }
}

async function detect(probe: MachineProbe): Promise<SandboxFeatures> {
  if (probe.platform !== "linux") {
    return missing(
      `native pods need Linux, and this is ${probe.platform}; add a Linux machine with \`shallop agent --join\``,
    );
  }
  const arch = probe.arch;
  if (arch !== "x64" && arch !== "arm64") return missing(`native pods need x86-64 or arm64, and this is ${arch}`);
  if (probe.uid !== 0) return missing("native pods need root: start shallop with sudo");
  const runtime = await findRuntime(probe);
  if (runtime === undefined) {
    return missing("native pods need runc or crun, and neither is installed: run `apt-get install runc`");
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
  const cgroups = await probe.cgroups();
  const absent = neededControllers.filter((controller) => !cgroups.rootByController.has(controller));
  if (absent.length > 0) {
    return missing(
      `native pods need the cgroup controllers ${absent.join(", ")}, which are not mounted here: mount cgroup2 at /sys/fs/cgroup`,
    );
  }
  return capable(probe, { arch, runtime, cgroups });
}

async function capable(
  probe: MachineProbe,
  found: Pick<SandboxMachine, "arch" | "runtime" | "cgroups">,
): Promise<SandboxFeatures> {
  const memoryRoot = found.cgroups.rootByController.get("memory") ?? "";
  const swapLimit =
    found.cgroups.mode === "v2" || (await probe.readText(join(memoryRoot, "memory.memsw.limit_in_bytes"))) !== "";
  const ipv6 = (await probe.readText("/proc/sys/net/ipv6/conf/default/disable_ipv6")) !== "";
  const warnings = [
    ...runtimeWarnings(found.runtime),
    ...(swapLimit
      ? []
      : ["this kernel does not count swap: a native pod may swap beyond its memory limit (boot with swapaccount=1)"]),
    "native pods share user ids with this machine: no user namespace is used",
  ];
  const openFilesMax = parseOpenFilesMax(await probe.readText("/proc/self/limits"));
  return { native: true, warnings, machine: { ...found, swapLimit, ipv6, openFilesMax } };
}

const missing = (nativeMissing: string): SandboxFeatures => ({ native: false, nativeMissing, warnings: [] });

/** The hard limit in `/proc/self/limits`: `Max open files   1024   524288   files`. */
const parseOpenFilesMax = (limits: string): number =>
  Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? 1024);

async function findRuntime(probe: MachineProbe): Promise<OciRuntimeProgram | undefined> {
  for (const kind of ["runc", "crun"] as const) {
    const path = await probe.find(kind);
    if (path !== undefined) return { kind, path, version: parseVersion(await probe.version(path)) };
  }
  return undefined;
}

/** `1.1.5` of `runc version 1.1.5+ds1\ncommit: …`; `unknown` when it says none. */
export const parseVersion = (text: string): string =>
  /version (\d+\.\d+\.\d+(?:-rc\.\d+)?)/.exec(text)?.[1] ?? "unknown";

/** Versions of runc with breakouts of November 2025: all before these, each in its own line. */
const fixedRunc: Readonly<Record<string, readonly [patch: number, candidate: number]>> = {
  "1.2": [8, 0],
  "1.3": [3, 0],
  "1.4": [0, 3],
};

export function runtimeWarnings(runtime: OciRuntimeProgram): readonly string[] {
  const match = /^(\d+)\.(\d+)\.(\d+)(?:-rc\.(\d+))?$/.exec(runtime.version);
  if (match === null)
    return [`the version of ${runtime.path} is unknown: whether it has known container breakouts is too`];
  if (runtime.kind === "crun") return [];
  const [major = 0, minor = 0, patch = 0] = match.slice(1, 4).map(Number);
  const candidate = match[4] === undefined ? Infinity : Number(match[4]);
  const fixed = fixedRunc[`${major}.${minor}`];
  const affected =
    fixed === undefined
      ? major === 0 || (major === 1 && minor < 2)
      : patch < fixed[0] || (patch === fixed[0] && candidate < fixed[1]);
  if (!affected) return [];
  return [
    `runc ${runtime.version} has known container breakouts (CVE-2025-31133, CVE-2025-52565, CVE-2025-52881) unless your ` +
      "distribution has patched it: run only native images you trust, or install runc 1.2.8, 1.3.3 or newer",
  ];
}
