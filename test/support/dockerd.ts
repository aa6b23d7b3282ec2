import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where `npm run setup` unpacks it: not on the PATH, for nobody but the tests shall find it. */
const unpacked = "/usr/local/lib/shallop-test";

const firstOf = (paths: readonly string[]): string | undefined => paths.find((path) => existsSync(path));

/** Docker's engine, if this machine has one. */
export const dockerdPath = (): string | undefined =>
  firstOf(["/usr/bin/dockerd", "/usr/sbin/dockerd", `${unpacked}/dockerd`]);

/** Docker's command. */
export const dockerPath = (): string | undefined =>
  firstOf(["/usr/local/bin/docker", "/usr/bin/docker", `${unpacked}/docker`]);

/** Takes engine and command from Debian's package: 36 MB, and no service is started. False when it could not. */
export function unpackDockerd(): boolean {
  const scratch = mkdtempSync(join(tmpdir(), "shallop-dockerd-"));
  try {
    const run = (program: string, args: readonly string[]): boolean =>
      spawnSync(program, [...args], { cwd: scratch, stdio: "ignore" }).status === 0;
    if (!run("apt-get", ["-o", "APT::Sandbox::User=root", "download", "docker.io"])) return false;
    const archive = readdirSync(scratch).find((name) => name.endsWith(".deb"));
    if (archive === undefined || !run("dpkg", ["-x", archive, "root"])) return false;
    mkdirSync(unpacked, { recursive: true });
    copyFileSync(join(scratch, "root/usr/sbin/dockerd"), `${unpacked}/dockerd`);
    copyFileSync(join(scratch, "root/usr/bin/docker"), `${unpacked}/docker`);
    return true;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
