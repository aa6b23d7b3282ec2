import { execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import { constants } from "node:fs";
import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const run = promisify(execFile);
// What a test asks for is answered in a moment, or not at all.
const timeoutMs = 120_000;
const outputBytesMax = 16 * 1024 * 1024;

export interface KubectlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningKubectl extends AsyncDisposable {
  /** Standard output so far. */
  readonly stdout: () => string;
  /** Resolves once standard output matches. */
  waitFor(pattern: RegExp): Promise<string>;
}

export interface TypedKubectl extends RunningKubectl {
  /** Types this. */
  write(keys: string): void;
  /** Resolves with its exit code. */
  readonly ended: Promise<number>;
}

/** A real kubectl, with a home of its own, so that its caches and settings are nobody else's. */
export interface Kubectl extends AsyncDisposable {
  /** `Client Version: v1.32.5`, without the words. */
  readonly version: string;
  /** Runs it to its end; never rejects for its exit code. `input` is its standard input. */
  (args: readonly string[], input?: string): Promise<KubectlResult>;
  /** Starts it, for what goes on: `get -w`, `logs -f`. */
  start(args: readonly string[]): TypedKubectl;
  /** Starts it on a terminal of this size, as a person has one. */
  startOnTerminal(args: readonly string[], size: { readonly rows: number; readonly columns: number }): TypedKubectl;
}

/**
 * Finds kubectl: `binary` when it is given, else on the PATH. Dispatchers, which choose another kubectl by the server's
 * version, are fine: it is the server under test that they ask. Undefined when there is none.
 */
export async function findKubectl(kubeconfig: string, binary?: string): Promise<Kubectl | undefined> {
  const file = binary ?? (await onPath("kubectl"));
  if (file === undefined) return undefined;
  const home = await mkdtemp(join(tmpdir(), "shallop-kubectl-"));
  const environment = {
    // Editors and pagers of the person who runs the tests have no part in them.
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    KUBECONFIG: kubeconfig,
  };
  const kubectl = (args: readonly string[], input?: string): Promise<KubectlResult> =>
    new Promise((resolve) => {
      const child = execFile(
        file,
        args,
        { env: environment, timeout: timeoutMs, maxBuffer: outputBytesMax },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === "number" ? error.code : 255;
          resolve({ code, stdout, stderr });
        },
      );
      // It may be gone before it has read everything.
      child.stdin?.on("error", () => undefined);
      child.stdin?.end(input ?? "");
    });
  const { stdout } = await run(file, ["version", "--client"], { env: environment });
  return Object.assign(kubectl, {
    version: /v\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? "",
    start: (args: readonly string[]) => started(file, args, environment),
    startOnTerminal: (
      args: readonly string[],
      { rows, columns }: { readonly rows: number; readonly columns: number },
    ) => {
      const words = [file, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
      const command = `stty rows ${String(rows)} cols ${String(columns)}; exec ${words}`;
      return started("script", ["--quiet", "--return", "--flush", "--command", command, "/dev/null"], environment);
    },
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  });
}

/** The same, where nothing can be tested without it. */
export async function needKubectl(kubeconfig: string): Promise<Kubectl> {
  const found = await findKubectl(kubeconfig);
  if (found === undefined) throw new Error("kubectl is not on the PATH; node test/support/setup.ts installs it");
  return found;
}

function started(file: string, args: readonly string[], environment: NodeJS.ProcessEnv): TypedKubectl {
  const child = spawn(file, args, { env: environment, stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => undefined);
  let stdout = "";
  let stderr = "";
  let changed = (): void => undefined;
  child.stdout.on("data", (chunk) => {
    stdout += String(chunk);
    changed();
  });
  child.stderr.on("data", (chunk) => (stderr += String(chunk)));
  const ended = new Promise<number>((resolve) => {
    child.once("close", (code) => {
      resolve(code ?? 255);
      changed();
    });
  });
  return {
    stdout: () => stdout,
    write: (keys) => void child.stdin.write(keys),
    ended,
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const fail = (why: string): void =>
          reject(new Error(`kubectl ${args.join(" ")} ${why}: ${String(pattern)} did not come:\n${stdout}\n${stderr}`));
        const timer = setTimeout(() => fail("is silent"), timeoutMs);
        changed = () => {
          if (pattern.test(stdout)) {
            clearTimeout(timer);
            resolve(stdout);
          } else if (child.exitCode !== null) {
            clearTimeout(timer);
            fail("ended");
          }
        };
        changed();
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function onPath(name: string): Promise<string | undefined> {
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    const file = join(directory, name);
    try {
      await access(file, constants.X_OK);
      return file;
    } catch {
      // Not here.
    }
  }
  return undefined;
}
