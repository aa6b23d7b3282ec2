import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { keptCaches } from "@shallop/sdk/internal/testing";

const bin = fileURLToPath(new URL("../../../sdk/bin/shallop.js", import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

interface StartOptions {
  /** The one that tests share, unless given. */
  readonly cache?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whom to start it as; only root may. */
  readonly uid?: number;
}

/** The command as a user starts it. */
export function startShallop(
  args: readonly string[],
  { cache = keptCaches, cwd, env, uid }: StartOptions = {},
): ChildProcess {
  return spawn(process.execPath, [bin, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...env, XDG_CACHE_HOME: cache },
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}

/** Runs it to its end, with `input` on its standard input. */
export async function shallop(
  args: readonly string[],
  options: StartOptions & { readonly input?: Uint8Array } = {},
): Promise<Outcome> {
  const child = startShallop(args, options);
  const stdout: Buffer[] = [];
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString("utf8")));
  // A guest that does not read its input closes it.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(options.input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout: Buffer.concat(stdout), stderr };
}
