import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Volume, VolumeMount } from "../pod/containers/container-launch.ts";
import { ComponentVolumes, type VolumeKernel } from "./component-volumes.ts";

let root: string;
let given: string[];
let used = 0;
const kernel: VolumeKernel = {
  mountMemory: async () => undefined,
  unmountBelow: async () => undefined,
  diskUsage: async () => used,
  giveTree: async (directory, owner) => void given.push(`${directory.slice(-7)} ${String(owner)}`),
  removeTree: (directory) => rm(directory, { recursive: true, force: true }),
};
const open = (): ComponentVolumes => new ComponentVolumes(join(root, "volumes"), kernel);
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "shallop-component-volumes-"));
  given = [];
  used = 0;
});
afterEach(async () => rm(root, { recursive: true, force: true }));

const scratch: Volume = { name: "scratch", source: { kind: "emptyDir", inMemory: false, bytesMax: 1000 } };
const settings = (text: string): Volume => {
  const base64 = Buffer.from(text).toString("base64");
  return { name: "settings", source: { kind: "files", files: [{ path: "a.conf", base64, mode: 0o400 }] } };
};
const at = (volume: string, mountPath: string, rest: Partial<VolumeMount> = {}): VolumeMount => ({
  ...{ volume, mountPath, readOnly: false, ...rest },
});

test("directories are granted as they are mounted, files of objects only to read, and each volume is mounted once", async () => {
  const mounts = [
    at("scratch", "/ro", { readOnly: true }),
    at("scratch", "/data"),
    at("scratch", "/deep", { subPath: "a/b" }),
    at("settings", "/etc/app"),
  ];
  const { mounts: seen, directories } = await open().open("uid", { volumes: [scratch, settings("x")], mounts });
  const [first = { from: "" }, second = { from: "" }] = seen;
  expect(seen).toEqual([
    { from: first.from, to: first.from, writable: true },
    { from: second.from, to: second.from, writable: false },
  ]);
  expect(directories).toEqual([
    { host: first.from, guest: "/ro", writable: false },
    { host: first.from, guest: "/data", writable: true },
    { host: join(first.from, "a/b"), guest: "/deep", writable: true },
    { host: second.from, guest: "/etc/app", writable: false },
  ]);
  expect(await readFile(join(second.from, "a.conf"), "utf8")).toBe("x");
  expect(first.from).not.toContain("scratch");
});

test("single files are alone in a directory, and stay what they were at the start", async () => {
  const volumes = open();
  const mounts = [at("settings", "/etc/app/x.conf", { subPath: "a.conf" })];
  const { directories } = await volumes.open("uid", { volumes: [settings("before")], mounts });
  const [{ host, guest, writable } = { host: "" }] = directories;
  expect([guest, writable, await readdir(host)]).toEqual(["/etc/app", false, ["x.conf"]]);
  await volumes.refresh("uid", [settings("after")]);
  expect(await readFile(join(host, "x.conf"), "utf8")).toBe("before");
  const both = [...mounts, at("scratch", "/etc/app")];
  await expect(open().open("other", { volumes: [scratch, settings("x")], mounts: both })).rejects.toMatchObject({
    code: "UNSUPPORTED",
  });
});

test("the next run of a pod has what the one before left, and is who owns it", async () => {
  const files = { volumes: [scratch, settings("one")], mounts: [at("scratch", "/data"), at("settings", "/etc/app")] };
  const [data] = (await open().open("uid", files)).directories;
  await writeFile(join(data?.host ?? "", "kept"), "kept");
  const owner = process.getuid?.() ?? 0;
  const again = await open().open("uid", { ...files, volumes: [scratch, settings("two")] });
  expect([await readFile(join(again.directories[0]?.host ?? "", "kept"), "utf8"), given]).toEqual(["kept", []]);
  expect(await readFile(join(again.directories[1]?.host ?? "", "a.conf"), "utf8")).toBe("two");
  if (owner === 0) {
    await open().open("uid", files, 7);
    expect(given).toEqual(["volumes 7"]);
  }
});

test("a link that a guest has put where its path begins leads nowhere", async () => {
  const files = { volumes: [scratch], mounts: [at("scratch", "/data"), at("scratch", "/deep", { subPath: "a/b" })] };
  const [data] = (await open().open("uid", files)).directories;
  const outside = join(root, "outside");
  await mkdir(join(outside, "b"), { recursive: true });
  await rename(join(data?.host ?? "", "a"), join(data?.host ?? "", "moved"));
  await symlink(outside, join(data?.host ?? "", "a"));
  await expect(open().open("uid", files)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  expect((await stat(join(outside, "b"))).mode & 0o777).not.toBe(0o777);
});

test("what has outgrown its bound is told, and what no pod has any more is removed", async () => {
  await open().open("one", { volumes: [scratch], mounts: [at("scratch", "/data")] });
  await open().open("two", { volumes: [settings("x")], mounts: [at("settings", "/etc/app")] });
  expect(await open().outgrown()).toEqual([]);
  used = 1001;
  expect(await open().outgrown()).toEqual([
    { uid: "one", message: expect.stringMatching(/"scratch" exceeds the limit "1000"/) as string },
  ]);
  await open().sweep(new Set(["two"]));
  expect(await readdir(join(root, "volumes"))).toHaveLength(1);
  await open().remove("two");
  expect(await readdir(join(root, "volumes"))).toEqual([]);
});

test("a start that was cut off is begun anew", async () => {
  const files = { volumes: [scratch], mounts: [at("scratch", "/data")] };
  const [data] = (await open().open("uid", files)).directories;
  await writeFile(join(data?.host ?? "", "half"), "");
  await rm(join(data?.host ?? "", "../../volumes.json"));
  await open().open("uid", files);
  expect(await readdir(data?.host ?? "")).toEqual([]);
});
