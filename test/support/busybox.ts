import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Platform } from "./platform.ts";

const applets =
  "sh hostname ls cat tar test sleep echo ps id stty tty env nc httpd wget nslookup mkdir rm dd touch true false kill df head tr wc ln cp date grep seq md5sum";

/** A small native image with a shell: Debian's static busybox. Serves `/www` on port 8080. Its reference. */
export async function publishBusybox(
  platform: Pick<Platform, "run">,
  directory: string,
  registry = "",
): Promise<string> {
  const root = join(directory, "busybox");
  for (const name of ["bin", "etc", "www"]) mkdirSync(join(root, "rootfs", name), { recursive: true });
  const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
  copyFileSync(busybox, join(root, "rootfs/bin/busybox"));
  for (const applet of applets.split(" ")) symlinkSync("busybox", join(root, "rootfs/bin", applet));
  writeFileSync(join(root, "rootfs/www/index.html"), "hello from busybox\n");
  const native = [
    "native:",
    "  - rootfs: rootfs",
    `    platform: linux/${process.arch === "x64" ? "amd64" : process.arch}`,
  ];
  const entrypoint = '    entrypoint: [/bin/httpd, -f, -p, "8080", -h, /www]';
  writeFileSync(join(root, "shallop.yaml"), ["name: busybox", 'version: "1"', ...native, entrypoint, ""].join("\n"));
  const reference = `${registry}busybox:1`;
  await platform.run("build", root, "--tag", reference, "--push");
  return reference;
}
