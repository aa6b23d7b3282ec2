import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lookUp, readBelowEtc, readImageFile } from "./image-files.ts";

let directory: string;
let layers: readonly string[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-image-"));
  const [top, base, outside] = [join(directory, "top"), join(directory, "base"), join(directory, "outside")];
  for (const path of ["top/etc", "top/a/only-top", "base/etc", "base/a/only-base", "base/b", "outside", "top/shadow"]) {
    await mkdir(join(directory, path), { recursive: true });
  }
  await writeFile(join(outside, "secret"), "secret of the machine");
  await writeFile(join(base, "etc/passwd"), "base");
  await writeFile(join(top, "etc/group"), "top");
  await writeFile(join(base, "etc/group"), "base");
  await writeFile(join(base, "shadow"), "a file below a directory");
  await writeFile(join(base, "big"), "x".repeat(100));
  await symlink(outside, join(top, "absolute"));
  await symlink("../../../../../../../../etc/passwd", join(base, "climbs"));
  await symlink("/etc/passwd", join(base, "b/passwd"));
  await symlink("loop", join(base, "loop"));
  await symlink("/proc/self/fd/7", join(base, "descriptor"));
  layers = [top, base];
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const cases = [
  { path: "/", kind: "directory", at: "/" },
  { path: "/a/only-top", kind: "directory", at: "/a/only-top" },
  { path: "/a/only-base/", kind: "directory", at: "/a/only-base" },
  { path: "/a/../../../a/./only-base", kind: "directory", at: "/a/only-base" },
  { path: "/etc/passwd", kind: "file", at: "/etc/passwd" },
  { path: "/climbs", kind: "file", at: "/etc/passwd" },
  { path: "/b/passwd", kind: "file", at: "/etc/passwd" },
  { path: "/b/passwd/deeper", kind: "missing", at: "/etc/passwd/deeper" },
  { path: "/shadow", kind: "directory", at: "/shadow" },
  { path: "/loop", kind: "other", at: "/loop" },
  { path: "/new/deep", kind: "missing", at: "/new/deep" },
  { path: "/descriptor", kind: "missing", at: "/proc/self/fd/7" },
];
test.each(cases)("$path is $kind at $at", async ({ path, kind, at }) => {
  expect(await lookUp(layers, path)).toMatchObject({ kind, path: at });
});

test("a link to a path of the machine leads nowhere", async () => {
  expect(await lookUp(layers, "/absolute/secret")).toMatchObject({ kind: "missing" });
  expect(await readImageFile(layers, "/absolute/secret", 1000)).toBeUndefined();
});

test("a file is read from the topmost layer that has it, up to a bound", async () => {
  expect(await readImageFile(layers, "/etc/group", 10)).toBe("top");
  expect(await readImageFile(layers, "/etc/passwd", 10)).toBe("base");
  expect(await readImageFile(layers, "/big", 99)).toBeUndefined();
  expect(await readImageFile(layers, "/a", 99)).toBeUndefined();
});

test("a file below /etc of a root that others change is read, and no link is followed to it", async () => {
  const root = await mkdtemp(join(directory, "live-"));
  await mkdir(join(root, "etc"));
  await writeFile(join(root, "etc/passwd"), "app:x:7:8::/:/bin/sh\n");
  await symlink(join(directory, "outside/secret"), join(root, "etc/group"));
  expect(await readBelowEtc(root, "passwd")).toBe("app:x:7:8::/:/bin/sh\n");
  expect(await readBelowEtc(root, "group")).toBeUndefined();
  expect(await readBelowEtc(root, "nosuch")).toBeUndefined();
  const other = await mkdtemp(join(directory, "live-"));
  await symlink(join(root, "etc"), join(other, "etc"));
  expect(await readBelowEtc(other, "passwd")).toBeUndefined();
});
