import { createHash } from "node:crypto";
import { readFile, readlink, writeFile } from "node:fs/promises";
import type { CellFacts } from "./cell-ability.ts";

type Trial = CellFacts["trial"];

/**
 * Trials that have worked, kept in a file: they are not made again as long as all is the same that a cell depends on: this
 * start of the machine, the namespaces and rights of this process, and Node. Those that have failed are.
 */
export function rememberTrials(trial: Trial, file: string): Trial {
  return async (tree, ownUser) => {
    const key = createHash("sha256")
      .update(JSON.stringify([tree, ownUser, await circumstances()]))
      .digest("hex");
    const known = await readKnown(file);
    if (known.includes(key)) return undefined;
    const problem = await trial(tree, ownUser);
    // A file that cannot be written costs the next process a trial.
    if (problem === undefined) {
      await writeFile(file, JSON.stringify([...known.slice(1 - knownMax), key]), { mode: 0o600 }).catch(
        () => undefined,
      );
    }
    return problem;
  };
}

// Of as many kinds of containers and users as share a home directory.
const knownMax = 16;

async function readKnown(file: string): Promise<readonly string[]> {
  try {
    const value: unknown = JSON.parse(await readFile(file, "utf8"));
    return Array.isArray(value) ? value.filter((key) => typeof key === "string") : [];
  } catch {
    return [];
  }
}

/** What decides whether a cell can be made. */
async function circumstances(): Promise<readonly unknown[]> {
  const texts = [
    "/proc/sys/kernel/random/boot_id",
    "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "/proc/sys/user/max_user_namespaces",
    "/proc/self/attr/current",
  ];
  const read = await Promise.all(texts.map((path) => readFile(path, "utf8").catch(() => "")));
  const links = ["mnt", "user", "pid", "net"].map((name) => readlink(`/proc/self/ns/${name}`).catch(() => ""));
  const status = await readFile("/proc/self/status", "utf8").catch(() => "");
  const rights = status.match(/^(?:Uid|Gid|Cap\w+|NoNewPrivs|Seccomp):.*$/gm) ?? [];
  return [read, await Promise.all(links), rights, process.execPath, process.version];
}
