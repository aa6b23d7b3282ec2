import { expect, test } from "vitest";
import { ownPlatform, plannedVariants } from "./planned-variants.ts";
import type { NativeProject, Project } from "./project.ts";

const dockerfile = (...platforms: readonly string[]): NativeProject => ({
  ...{ kind: "dockerfile", dockerfile: "Dockerfile", context: ".", buildArgs: {}, platforms },
});
const rootfs = (platform: string): NativeProject => ({
  ...{ kind: "rootfs", rootfs: "root", platform, entrypoint: [], cmd: [], env: [], user: "", workingDir: "" },
});
const project = (...native: readonly NativeProject[]): Project => ({
  ...{ directory: "/p", name: "p", version: "1", native },
  wasm: { source: "a.ts", engine: "quickjs", args: [], libc: false },
});
const planned = (of: Project, platforms?: readonly string[]): readonly string[] => {
  const { wasm, native } = plannedVariants(of, platforms);
  const names = native.map((variant) => `${variant.kind} ${"platform" in variant ? variant.platform : "own"}`);
  return wasm ? ["wasm", ...names] : names;
};

test("everything, unless platforms are asked for; a Dockerfile is for this machine then", () => {
  const all = project({ kind: "node", source: "a.ts", env: [] }, rootfs("linux/arm64"), dockerfile());
  expect(planned(all)).toEqual(["wasm", "node own", "rootfs linux/arm64", `dockerfile ${ownPlatform()}`]);
});

test("a Dockerfile is for whatever is asked for, or for its own platforms of those", () => {
  const asked = ["linux/amd64", "linux/arm64"];
  expect(planned(project(dockerfile()), asked)).toEqual(["dockerfile linux/amd64", "dockerfile linux/arm64"]);
  expect(planned(project(dockerfile("linux/arm64", "linux/riscv64")))).toHaveLength(3);
  expect(planned(project(dockerfile("linux/arm64", "linux/riscv64")), asked)).toEqual(["dockerfile linux/arm64"]);
});

test("wasm alone, by its short name or its platform", () => {
  expect(planned(project(dockerfile()), ["wasm"])).toEqual(["wasm"]);
  expect(planned(project(dockerfile()), ["wasip2/wasm", "linux/arm64"])).toEqual(["wasm", "dockerfile linux/arm64"]);
});

test("nothing for what is asked for is a fault that says so", () => {
  const only = { directory: "/p", name: "p", version: "1", native: [rootfs("linux/arm64")] };
  expect(() => plannedVariants(only, ["linux/s390x"])).toThrow(
    expect.objectContaining({ code: "PROJECT_INVALID", message: expect.stringContaining("linux/s390x") }),
  );
});
