import { describe, expect, test } from "vitest";
import { allowedSyscalls, refusedSyscalls, seccompProfile } from "./seccomp.ts";

const refused = Object.values(refusedSyscalls).flatMap((names) => names.split(" "));
// Decided by their arguments, or by an answer of their own.
const special = ["socket", "personality", "clone", "clone3"];

describe.each(["x64", "arm64"] as const)("on %s", (arch) => {
  const allowed = allowedSyscalls(arch);

  test("each call is decided once", () => {
    const all = [...allowed, ...refused, ...special];
    expect(all.length - new Set(all).size).toBe(0);
    expect(all.every((name) => /^[a-z_][a-z0-9_]*$/.test(name))).toBe(true);
  });

  test("what is refused by default is EPERM, of the one calling convention that the machine has", () => {
    const profile = seccompProfile(arch);
    expect(profile).toMatchObject({ defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 1 });
    expect(profile.architectures).toEqual([arch === "x64" ? "SCMP_ARCH_X86_64" : "SCMP_ARCH_AARCH64"]);
    const unconditional = profile.syscalls.filter(
      (rule) => rule.action === "SCMP_ACT_ALLOW" && rule.args === undefined,
    );
    expect(unconditional.flatMap((rule) => rule.names)).toEqual(allowed);
  });

  test("clone makes no namespaces, clone3 is not there", () => {
    const rules = seccompProfile(arch).syscalls;
    expect(rules.find((rule) => rule.names.includes("clone"))?.args).toEqual([
      { index: 0, value: 0x7e02_0000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" },
    ]);
    expect(rules.find((rule) => rule.names.includes("clone3"))).toMatchObject({
      action: "SCMP_ACT_ERRNO",
      errnoRet: 38,
    });
  });
});

test("only x86-64 has the older forms", () => {
  expect(allowedSyscalls("x64")).toEqual(expect.arrayContaining(["open", "fork", "arch_prctl"]));
  for (const name of ["open", "fork", "arch_prctl"]) expect(allowedSyscalls("arm64")).not.toContain(name);
});
