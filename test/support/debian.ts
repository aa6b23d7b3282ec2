import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Unpacks packages of Debian 13 into a directory, from this machine's own mirror, and nothing else of that release: what is
 * installed stays as it is.
 */
export function unpackDebian13(packages: readonly string[], directory: string): void {
  const scratch = mkdtempSync(join(tmpdir(), "shallop-debian-"));
  try {
    for (const name of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(scratch, name), { recursive: true });
    const sources = join(scratch, "sources.list");
    writeFileSync(
      sources,
      `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${debianMirror()} trixie main\n`,
    );
    writeFileSync(join(scratch, "status"), "");
    const options = [
      ["Dir::Etc::sourcelist", sources],
      ["Dir::Etc::sourceparts", "-"],
      ["Dir::State::lists", join(scratch, "lists")],
      ["Dir::Cache", join(scratch, "cache")],
      // As if nothing were installed: apt would else look for the version that is.
      ["Dir::State::status", join(scratch, "status")],
      ["APT::Sandbox::User", "root"],
    ].flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    execFileSync("apt-get", [...options, "update"], { stdio: "ignore" });
    execFileSync("apt-get", [...options, "download", ...packages], { cwd: scratch, stdio: "ignore" });
    const archives = readdirSync(scratch).filter((name) => name.endsWith(".deb"));
    if (archives.length !== packages.length) throw new Error("not all packages arrived");
    for (const archive of archives) execFileSync("dpkg", ["-x", join(scratch, archive), directory]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Unpacks packages of this machine's own Debian into a directory, with what they need and the machine lacks. */
export function unpackDebian(packages: readonly string[], directory: string): void {
  const scratch = mkdtempSync(join(tmpdir(), "shallop-debian-"));
  try {
    mkdirSync(join(scratch, "archives/partial"), { recursive: true });
    const options = [
      "-o",
      `Dir::Cache=${scratch}`,
      "-o",
      "APT::Sandbox::User=root",
      "--yes",
      "--no-install-recommends",
    ];
    execFileSync("apt-get", [...options, "--download-only", "install", ...packages], { stdio: "ignore" });
    const archives = readdirSync(join(scratch, "archives")).filter((name) => name.endsWith(".deb"));
    for (const archive of archives) execFileSync("dpkg", ["-x", join(scratch, "archives", archive), directory]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The mirror that this machine installs Debian from. */
function debianMirror(): string {
  const listed = execFileSync("apt-get", ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], {
    encoding: "utf8",
  });
  const mirror = listed.split("\n").find((uri) => /\/debian\/?$/.test(uri));
  if (mirror === undefined) throw new Error("this machine has no Debian mirror");
  return mirror;
}
