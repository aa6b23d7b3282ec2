import { plainSecurity, type PodSecurity, type ResourceLimit } from "../pod/pod-security.ts";
import { PodFault } from "../pod/pod-runtime.ts";
import type { OciCapabilitySet, OciSeccomp } from "./oci-spec.ts";
import { type SeccompArch, seccompProfile } from "./seccomp.ts";

/** What a container may do, decided from what its pod asks for. */
export interface ContainerRights {
  readonly capabilities: Readonly<Record<OciCapabilitySet, readonly string[]>>;
  readonly noNewPrivileges: boolean;
  /** Undefined: no filter. */
  readonly seccomp: OciSeccomp | undefined;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly readOnlyRoot: boolean;
  /** Beside those that every container has. */
  readonly resourceLimits: readonly ResourceLimit[];
  /** Settings of the pod's network namespace, and of its other namespaces. */
  readonly networkSysctls: Readonly<Record<string, string>>;
  readonly otherSysctls: Readonly<Record<string, string>>;
}

/**
 * What root in a container keeps. CHOWN, FOWNER, DAC_OVERRIDE: entrypoints make directories in /run and /tmp and give
 * them to the user they serve as. SETUID, SETGID: they then become that user. KILL: a master signals its workers of
 * that user. Not among them: NET_BIND_SERVICE (each port is unprivileged in the pod's network), NET_RAW, MKNOD,
 * SYS_CHROOT, AUDIT_WRITE, SETFCAP, SETPCAP, FSETID, which serving requests does not need.
 */
const rootCapabilities: readonly string[] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"];

/** capabilities(7) up to Linux 5.9, with which the runtimes in use end. */
const allCapabilities: readonly string[] =
  `AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID
  IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW
  PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO
  SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM`.split(/\s+/);

/** Facts about the machine that a container has no use for; and triggers. */
const maskedPaths: readonly string[] = [
  "acpi asound interrupts kallsyms kcore keys kmsg kpagecount kpageflags latency_stats pressure sched_debug scsi"
    .split(" ")
    .map((name) => `/proc/${name}`),
  ["/proc/timer_list", "/proc/timer_stats", "/sys/firmware", "/sys/kernel", "/sys/module"],
  ["/sys/devices/virtual/powercap", "/sys/devices/virtual/dmi"],
].flat();

const readonlyPaths: readonly string[] = ["bus", "fs", "irq", "sys", "sysrq-trigger"].map((name) => `/proc/${name}`);

export interface RightsInput {
  readonly security?: PodSecurity;
  readonly isRoot: boolean;
  readonly arch: SeccompArch;
  /** The container is in a user namespace of its own. */
  readonly shiftsUsers: boolean;
}

/**
 * Pure. A privileged container has all of what its user namespace can give it, and nothing of the machine: no device, no
 * namespace of the node, no other cgroup. @throws PodFault UNSUPPORTED when it asks for what there is not
 */
export function containerRights({ security = plainSecurity, isRoot, arch, shiftsUsers }: RightsInput): ContainerRights {
  const { privileged, seccomp, procMount, hostNamespaces } = security;
  if (hostNamespaces.length > 0)
    throw unsupported(`${hostNamespaces.join(", ")}: native pods have namespaces of their own`);
  if (!["RuntimeDefault", "Unconfined"].includes(seccomp)) {
    throw unsupported(`seccompProfile ${seccomp}: there are RuntimeDefault and Unconfined`);
  }
  if (!["Default", "Unmasked"].includes(procMount)) throw unsupported(`procMount ${procMount}`);
  // Without a user namespace root in the container is root of the machine: these are the walls that are left.
  const loosens = privileged || seccomp === "Unconfined" || procMount === "Unmasked";
  if (loosens && !shiftsUsers) {
    throw unsupported(
      "privileged, seccompProfile Unconfined or procMount Unmasked: this node has no user namespaces for pods",
    );
  }
  const isOpen = privileged || procMount === "Unmasked";
  return {
    capabilities: capabilitySets(isRoot ? capabilitiesOf(security) : []),
    noNewPrivileges: !(security.allowPrivilegeEscalation || privileged),
    seccomp: privileged || seccomp === "Unconfined" ? undefined : seccompProfile(arch),
    maskedPaths: isOpen ? [] : maskedPaths,
    readonlyPaths: isOpen ? [] : readonlyPaths,
    readOnlyRoot: security.readOnlyRoot,
    resourceLimits: security.resourceLimits ?? [],
    ...sysctls(security.sysctls),
  };
}

function capabilitiesOf({ privileged, capabilitiesAdded, capabilitiesDropped }: PodSecurity): readonly string[] {
  if (privileged) return allCapabilities;
  const unknown = [...capabilitiesAdded, ...capabilitiesDropped].filter(
    (name) => name !== "ALL" && !allCapabilities.includes(name),
  );
  if (unknown.length > 0) throw unsupported(`the capabilities ${unknown.join(", ")}, which do not exist`);
  const kept = capabilitiesDropped.includes("ALL")
    ? []
    : rootCapabilities.filter((name) => !capabilitiesDropped.includes(name));
  // As Kubernetes: what is added by name is there though ALL is dropped.
  const added = capabilitiesAdded.includes("ALL")
    ? allCapabilities.filter((name) => !capabilitiesDropped.includes(name))
    : capabilitiesAdded;
  return [...new Set([...kept, ...added])].sort();
}

function capabilitySets(names: readonly string[]): ContainerRights["capabilities"] {
  const set = names.map((name) => `CAP_${name}`);
  // Inheritable and ambient stay empty: nothing is to pass a capability on to a program of another user.
  return { bounding: set, effective: set, permitted: set, inheritable: [], ambient: [] };
}

const sysctlName = /^[a-z0-9_]+(\.[a-z0-9_-]+)+$/;
// sysctl(5): what the ipc namespace has of its own.
const ipcSysctl = /^(kernel\.(shm\w+|msg\w+|sem)|fs\.mqueue\.\w+)$/;

/** Only settings that a namespace of the pod has of its own: others would be the machine's. */
function sysctls(wanted: PodSecurity["sysctls"]): Pick<ContainerRights, "networkSysctls" | "otherSysctls"> {
  const entries = Object.entries(wanted).map(([name, value]) => [name.replaceAll("/", "."), value] as const);
  for (const [name] of entries) {
    if (!sysctlName.test(name) || !(name.startsWith("net.") || ipcSysctl.test(name))) {
      throw unsupported(`the sysctl ${JSON.stringify(name.slice(0, 100))}, which is not a pod's own`);
    }
  }
  return {
    networkSysctls: Object.fromEntries(entries.filter(([name]) => name.startsWith("net."))),
    otherSysctls: Object.fromEntries(entries.filter(([name]) => !name.startsWith("net."))),
  };
}

const unsupported = (what: string): PodFault =>
  new PodFault("UNSUPPORTED", `the pod's security context asks for ${what}; take it out, or run the pod elsewhere`);
