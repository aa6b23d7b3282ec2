import { createHash } from "node:crypto";
import { chmod, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describeError, guestV8Flags, type Log } from "@shallop/sdk/internal";
import { jailNodeFlags, jailProgram } from "../component/jail.ts";
import { jailHeapBytesMax } from "../component/jails.ts";
import { practiceComponent } from "../component/practice-component.ts";
import { ownPackages } from "../sandbox/cell/visible-code.ts";
import { checkCommand } from "../sandbox/kernel/command.ts";

const fillProgram = fileURLToPath(new URL("fill-cache-main.ts", import.meta.url));
// Takes a second, on a busy machine some; without it everything works, and starts more slowly.
const timeoutMs = 60_000;
/** In the cache's directory: of which code it is. */
const markerFile = "filled";

/**
 * Compiles our own programs into Node's cache, from which host processes and jails start in a third of the time and with half the
 * memory. They only read it: what one of them could write, the next tenant's would run. So processes of their own fill
 * it, which never see a guest that is not ours. What is filled already is left as it is, also by another agent.
 */
export async function fillCompileCache(directory: string, log: Log): Promise<void> {
  try {
    await fill(directory);
  } catch (error) {
    log.warn("host processes start slowly: the compile cache is not filled", { error: describeError(error) });
  }
}

/** @throws KernelFault COMMAND_FAILED, COMMAND_TIMEOUT */
async function fill(directory: string): Promise<void> {
  const marker = join(directory, markerFile);
  const code = await codeIdentity();
  if ((await readFile(marker, "utf8").catch(() => "")) === code) return;
  const options = { env: { NODE_COMPILE_CACHE: directory }, timeoutMs };
  await checkCommand(process.execPath, [...guestV8Flags, "--no-warnings", fillProgram, directory], options);
  const input = Buffer.concat([Buffer.from("serve\n"), practiceComponent()]);
  await checkCommand(process.execPath, [...jailNodeFlags(jailHeapBytesMax), jailProgram], { ...options, input });
  await readableForAll(directory);
  await writeFile(`${marker}-${process.pid}`, code);
  await rename(`${marker}-${process.pid}`, marker);
}

/** Changes with Node, and with any file of ours. */
async function codeIdentity(): Promise<string> {
  const hash = createHash("sha256").update(`${process.version} ${process.arch}`);
  for (const directory of await ownPackages()) {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    for (const fact of await Promise.all(paths.toSorted().map(factOf))) hash.update(fact);
  }
  return hash.digest("hex");
}

async function factOf(path: string): Promise<string> {
  const { mtimeMs, size } = await stat(path);
  return `\n${path} ${mtimeMs} ${size}`;
}

/** There is nothing in it that not everybody may know; only our own code. */
async function readableForAll(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    // Another process may have replaced it meanwhile.
    await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644).catch(() => undefined);
  }
}
