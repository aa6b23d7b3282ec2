import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installSandbox } from "../../runtime/sandbox/install.ts";
import { unpackDebian13 } from "./debian.ts";
import { dockerdPath, dockerPath, unpackDockerd } from "./dockerd.ts";
import { installGoPrograms } from "./go-programs.ts";
import { rustForWasm, unpackRust } from "./rust.ts";

/** Programs of Debian's packages, and what is not tested without them. */
const tools: Readonly<Record<string, { readonly packages: readonly string[]; readonly untested: string }>> = {
  runc: { packages: ["runc"], untested: "native pods by runc" },
  nft: { packages: ["nftables"], untested: "native pods' way out" },
  crun: { packages: ["crun"], untested: "native pods by crun" },
  skopeo: { packages: ["skopeo"], untested: "another client against the registry" },
  busybox: { packages: ["busybox-static"], untested: "a shell in a container, and RUN of Dockerfiles" },
  strace: { packages: ["strace"], untested: "a disk that fails" },
  clang: { packages: ["clang", "lld", "wasi-libc", "libclang-rt-dev-wasm32"], untested: "functions in C" },
  pip3: { packages: ["python3-pip"], untested: "functions in Python" },
  podman: { packages: ["podman"], untested: "podman against the registry" },
  buildah: { packages: ["buildah"], untested: "buildah against the registry" },
  containerd: { packages: ["containerd"], untested: "containerd against the registry" },
};

/**
 * Installs what the tests need and this machine lacks: what native pods need, other people's tools that ours are checked
 * with, and kubectl. As root on Debian it installs, elsewhere it says what is missing.
 */
await installSandbox((line) => console.log(line));
installTools();
installKubectl();
installRust();
installGoPrograms((line) => console.log(line));
installDockerd();

function installTools(): void {
  const missing = Object.entries(tools).filter(([name]) => !has(name));
  if (missing.length === 0) return;
  if (mayInstall()) {
    const names = missing.flatMap(([, { packages }]) => packages);
    console.log(`installing ${names.join(" and ")} from Debian's packages`);
    // A new machine has no package lists yet; where they are there, fetching them again would be waste.
    if (!aptInstalls(names) && apt("update")) aptInstalls(names);
  }
  for (const [name, { untested }] of missing) {
    if (!has(name)) console.log(`${name} is not there, and cannot be installed from here: not tested is ${untested}`);
  }
}

function aptInstalls(names: readonly string[]): boolean {
  return apt("install", "--no-install-recommends", ...names);
}

function apt(...args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync("apt-get", ["--quiet", "--yes", ...args], { stdio: "ignore", env }).status === 0;
}

function mayInstall(): boolean {
  return process.getuid?.() === 0 && has("apt-get");
}

function installDockerd(): void {
  if (dockerdPath() !== undefined && dockerPath() !== undefined) return;
  if (mayInstall()) console.log("unpacking dockerd from Debian's package");
  if (!mayInstall() || !unpackDockerd()) {
    console.log("dockerd is not there, and cannot be installed from here: not tested is Docker against the registry");
  }
}

function installKubectl(): void {
  if (has("kubectl")) return;
  if (!mayInstall()) {
    console.log("kubectl is not there, and cannot be installed from here; install kubectl 1.30 or newer");
    return;
  }
  console.log("installing kubectl from Debian's packages");
  try {
    installDebianKubectl();
  } catch (error) {
    console.log(`kubectl could not be installed (${String(error)}); install kubectl 1.30 or newer`);
  }
}

/**
 * Debian 12's own kubectl is 1.20, which no server of today supports. The next release's is one static program: it is
 * taken from this machine's own mirror, and nothing else of that release.
 */
function installDebianKubectl(): void {
  const scratch = mkdtempSync(join(tmpdir(), "shallop-kubectl-"));
  try {
    unpackDebian13(["kubectl"], scratch);
    copyFileSync(join(scratch, "usr/bin/kubectl"), "/usr/local/bin/kubectl");
    chmodSync("/usr/local/bin/kubectl", 0o755);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** A Rust whose standard library knows WebAssembly, where rustup's does not and Debian 12's is too old. */
function installRust(): void {
  if (rustForWasm() !== undefined) return;
  if (!mayInstall() || !has("cargo") || process.arch !== "x64") {
    console.log("not tested are functions in Rust: get Rust, and say rustup target add wasm32-wasip1");
    return;
  }
  console.log("installing Debian 13's Rust for WebAssembly beside this machine's");
  try {
    unpackRust();
  } catch (error) {
    console.log(`Rust for WebAssembly could not be installed (${String(error)})`);
  }
}

function has(command: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${command}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
