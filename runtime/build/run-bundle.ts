import { plainSecurity } from "../pod/pod-security.ts";
import { bundleConfig, type BundleInput } from "../sandbox/bundle.ts";
import type { OciSeccomp, OciSeccompRule, OciSpec } from "../sandbox/oci-spec.ts";
import { containerRights } from "../sandbox/rights.ts";

/**
 * What installing programs needs beyond what serving requests does: packages bring set-group-id files (FSETID) and files
 * with capabilities (SETFCAP). Both only take effect in containers, which get no new privileges.
 */
const moreCapabilities = ["FSETID", "SETFCAP"];

/**
 * Programs that make users tell the kernel's audit of it. They end where that is forbidden, and go on where there is none:
 * so there is none.
 */
const noAudit: OciSeccompRule = {
  names: ["socket"],
  action: "SCMP_ACT_ERRNO",
  // EPROTONOSUPPORT
  errnoRet: 93,
  args: [
    // AF_NETLINK, NETLINK_AUDIT
    { index: 0, value: 16, op: "SCMP_CMP_EQ" },
    { index: 2, value: 9, op: "SCMP_CMP_EQ" },
  ],
};

/** What a pod has on tmpfs, and what RUN is to leave in the image: all but these. */
const keptTmpfs: readonly string[] = ["/dev", "/dev/shm"];

/**
 * The bundle of a RUN: a pod's, with a root that can be written, no scratch in memory, and the machine's network if it has
 * no namespace of it. Pure.
 */
export function runBundle(
  input: Omit<BundleInput, "rights" | "networkNamespace">,
  networkNamespace: string | undefined,
): OciSpec {
  const { machine, process } = input;
  const { arch, shiftsUsers } = machine;
  const security = {
    ...plainSecurity,
    readOnlyRoot: false,
    capabilitiesAdded: process.user.uid === 0 ? moreCapabilities : [],
  };
  const rights = containerRights({ security, isRoot: process.user.uid === 0, arch, shiftsUsers });
  const pod = bundleConfig({ ...input, rights, networkNamespace: networkNamespace ?? "" });
  const { seccomp } = pod.linux;
  const namespaces = pod.linux.namespaces.filter(({ type }) => type !== "network" || networkNamespace !== undefined);
  return {
    ...pod,
    mounts: pod.mounts.filter(({ type, destination }) => type !== "tmpfs" || keptTmpfs.includes(destination)),
    linux: { ...pod.linux, namespaces, ...(seccomp === undefined ? {} : { seccomp: withRule(seccomp, noAudit) }) },
  };
}

const withRule = (seccomp: OciSeccomp, rule: OciSeccompRule): OciSeccomp => ({
  ...seccomp,
  syscalls: [...seccomp.syscalls, rule],
});
