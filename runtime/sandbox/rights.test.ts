import { expect, test } from "vitest";
import { podSecurity, type PodSecurity } from "../pod/pod-security.ts";
import { containerRights, type RightsInput } from "./rights.ts";

const rightsOf = (security: Partial<PodSecurity> = {}, input: Partial<RightsInput> = {}) =>
  containerRights({
    security: { ...podSecurity({ containers: [] }, { image: "" }), ...security },
    isRoot: true,
    arch: "x64",
    shiftsUsers: true,
    ...input,
  });
const refusal = (what: RegExp) =>
  expect.objectContaining({ code: "UNSUPPORTED", message: expect.stringMatching(what) });

test("who asks for nothing gets the least", () => {
  const rights = rightsOf();
  expect(rights).toEqual(containerRights({ isRoot: true, arch: "x64", shiftsUsers: true }));
  expect(rights).toMatchObject({ noNewPrivileges: true, readOnlyRoot: true, networkSysctls: {}, otherSysctls: {} });
  const six = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"].map((name) => `CAP_${name}`);
  expect(rights.capabilities).toEqual({ bounding: six, effective: six, permitted: six, inheritable: [], ambient: [] });
  expect(rights.seccomp?.defaultAction).toBe("SCMP_ACT_ERRNO");
  expect(rights.maskedPaths).toContain("/proc/kcore");
  expect(rights.readonlyPaths).toContain("/proc/sys");
});

test("only root has capabilities", () => {
  const { capabilities } = rightsOf({ capabilitiesAdded: ["NET_RAW"] }, { isRoot: false });
  expect(Object.values(capabilities).flat()).toEqual([]);
});

const capabilities: { added: string[]; dropped: string[]; has: string[]; hasNot: string[] }[] = [
  { added: ["NET_RAW"], dropped: [], has: ["NET_RAW", "CHOWN"], hasNot: ["SYS_ADMIN"] },
  { added: [], dropped: ["CHOWN"], has: ["KILL"], hasNot: ["CHOWN"] },
  { added: [], dropped: ["ALL"], has: [], hasNot: ["CHOWN", "KILL"] },
  { added: ["NET_BIND_SERVICE"], dropped: ["ALL"], has: ["NET_BIND_SERVICE"], hasNot: ["CHOWN"] },
  { added: ["ALL"], dropped: ["SYS_ADMIN"], has: ["NET_ADMIN", "CHOWN"], hasNot: ["SYS_ADMIN"] },
];
test.each(capabilities)("added $added, dropped $dropped: $has, not $hasNot", ({ added, dropped, has, hasNot }) => {
  const { bounding } = rightsOf({ capabilitiesAdded: added, capabilitiesDropped: dropped }).capabilities;
  expect(bounding).toEqual(expect.arrayContaining(has.map((name) => `CAP_${name}`)));
  for (const name of hasNot) expect(bounding).not.toContain(`CAP_${name}`);
});

test("privileged is all of a user namespace, and needs one", () => {
  const rights = rightsOf({ privileged: true });
  expect(rights).toMatchObject({ noNewPrivileges: false, seccomp: undefined, maskedPaths: [], readonlyPaths: [] });
  expect(rights.capabilities.effective).toHaveLength(41);
  for (const security of [{ privileged: true }, { seccomp: "Unconfined" }, { procMount: "Unmasked" }]) {
    expect(() => rightsOf(security, { shiftsUsers: false })).toThrow(refusal(/no user namespaces/));
  }
});

test("each wall goes down by itself", () => {
  expect(rightsOf({ seccomp: "Unconfined" })).toMatchObject({ seccomp: undefined, noNewPrivileges: true });
  expect(rightsOf({ procMount: "Unmasked" })).toMatchObject({ maskedPaths: [], noNewPrivileges: true });
  expect(rightsOf({ allowPrivilegeEscalation: true })).toMatchObject({ noNewPrivileges: false, readOnlyRoot: true });
  expect(rightsOf({ readOnlyRoot: false })).toMatchObject({ noNewPrivileges: true, readOnlyRoot: false });
});

test("sysctls go where they belong", () => {
  const sysctls = { "net.core.somaxconn": "512", "kernel.shm_rmid_forced": "1", "net/ipv4/tcp_syncookies": "1" };
  expect(rightsOf({ sysctls })).toMatchObject({
    networkSysctls: { "net.core.somaxconn": "512", "net.ipv4.tcp_syncookies": "1" },
    otherSysctls: { "kernel.shm_rmid_forced": "1" },
  });
});

const refused: { name: string; security: Partial<PodSecurity>; says: RegExp }[] = [
  { name: "the machine's network", security: { hostNamespaces: ["hostNetwork"] }, says: /hostNetwork/ },
  { name: "a profile of the node", security: { seccomp: "Localhost" }, says: /Localhost/ },
  { name: "a capability that is none", security: { capabilitiesAdded: ["EVERYTHING"] }, says: /EVERYTHING/ },
  { name: "a way to mount /proc that is none", security: { procMount: "Open" }, says: /procMount Open/ },
  ...[
    "kernel.core_pattern",
    "vm.swappiness",
    "net.../../kernel/core_pattern",
    "net.ipv4.conf.all/../x",
    "kernel.sem.x",
    "net",
  ].map((name) => ({ name: `the sysctl ${name}`, security: { sysctls: { [name]: "1" } }, says: /sysctl/ })),
];
test.each(refused)("$name is refused", ({ security, says }) => {
  expect(() => rightsOf(security)).toThrow(refusal(says));
});
