import { detectFeatures, findProgram, neededPrograms } from "./features.ts";
import { runCommand } from "./kernel/command.ts";

// A package list is tens of megabytes, runc is three; a mirror slower than this is not worth waiting for.
const aptMsMax = 300_000;

/**
 * Makes this machine able to run native pods, as far as it may: as root on a system with apt-get it installs what is
 * missing, else it says what is missing. Idempotent; quick when nothing is. Never fails: without native pods the rest
 * of Shallop works.
 */
export async function installSandbox(say: (line: string) => void): Promise<boolean> {
  const before = await detectFeatures();
  if (before.native && (await findProgram("nft")) !== undefined) {
    say(`native pods: ready, by ${before.machine?.runtime.kind} ${before.machine?.runtime.version}`);
    for (const warning of before.warnings) say(`  note: ${warning}`);
    return true;
  }
  const mayInstall = process.platform === "linux" && process.getuid?.() === 0;
  const apt = mayInstall ? await findProgram("apt-get") : undefined;
  if (apt !== undefined) await installMissing(apt, say);
  const after = apt === undefined ? before : await detectFeatures();
  if (after.native) say(`native pods: ready now, by ${after.machine?.runtime.kind} ${after.machine?.runtime.version}`);
  else say(`${after.nativeMissing}. Everything but native pods works.`);
  for (const warning of after.warnings) say(`  note: ${warning}`);
  return after.native;
}

async function installMissing(apt: string, say: (line: string) => void): Promise<void> {
  const packages = new Set<string>();
  for (const [program, debianPackage] of Object.entries(neededPrograms)) {
    if ((await findProgram(program)) === undefined) packages.add(debianPackage);
  }
  // Without it they have no way out; the rest of them works.
  if ((await findProgram("nft")) === undefined) await install(apt, ["nftables"], say);
  if (packages.size > 0 && !(await install(apt, [...packages], say))) return;
  // crun first: it starts in half the time, and some distributions' runc has known escapes.
  for (const runtime of ["crun", "runc"]) {
    if ((await detectFeatures()).native) return;
    if ((await findProgram(runtime)) === undefined) await install(apt, [runtime], say);
  }
}

/** Installs; when that fails, once more with fresh package lists, which new machines lack. */
async function install(apt: string, packages: readonly string[], say: (line: string) => void): Promise<boolean> {
  const what = packages.join(" ");
  say(`native pods: installing ${what}`);
  const args = ["install", "--yes", "--no-install-recommends", ...packages];
  if (await runApt(apt, args)) return true;
  say("native pods: fetching package lists");
  await runApt(apt, ["update"]);
  const installed = await runApt(apt, args);
  if (!installed) say(`native pods: ${what} could not be installed`);
  return installed;
}

async function runApt(apt: string, args: readonly string[]): Promise<boolean> {
  try {
    const result = await runCommand(apt, ["--quiet", ...args], {
      env: { DEBIAN_FRONTEND: "noninteractive" },
      timeoutMs: aptMsMax,
    });
    return result.code === 0;
  } catch {
    return false;
  }
}

if (import.meta.main) await installSandbox((line) => process.stderr.write(`${line}\n`));
