import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inventoryOf } from "./inventory.ts";
import { eventually, type Platform } from "./platform.ts";

const shallopBin = fileURLToPath(new URL("../../sdk/bin/shallop.js", import.meta.url));

export interface JoinedNodeOptions {
  readonly name: string;
  /** How it reaches the API; loopback when absent. */
  readonly server?: string;
  /** The address it serves on; loopback when absent. */
  readonly host?: string;
  /** The network namespace it runs in. */
  readonly networkNamespace?: string;
  /** Variables beside this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Another node of a platform: `shallop agent --join`, with a data directory of its own. */
export class JoinedNode implements AsyncDisposable {
  readonly name: string;
  readonly dataDirectory: string;
  readonly #process: ChildProcess;
  #output = "";

  private constructor(
    { name, environment = {} }: JoinedNodeOptions,
    dataDirectory: string,
    [program = "", ...args]: readonly string[],
  ) {
    this.name = name;
    this.dataDirectory = dataDirectory;
    const env = { ...process.env, ...environment };
    this.#process = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env });
    const keep = (chunk: Buffer): void => void (this.#output += chunk.toString("utf8"));
    this.#process.stdout?.on("data", keep);
    this.#process.stderr?.on("data", keep);
  }

  /** Resolves when the control plane says that the node is ready. */
  static async start(platform: Platform, options: JoinedNodeOptions): Promise<JoinedNode> {
    const { name, networkNamespace: namespace } = options;
    const dataDirectory = await mkdtemp(join(tmpdir(), `shallop-${name}-`));
    const token = (await readFile(join(platform.dataDirectory, "join-token"), "utf8")).trim();
    const node = new JoinedNode(options, dataDirectory, [
      ...(namespace === undefined ? [] : ["ip", "netns", "exec", namespace]),
      ...[process.execPath, shallopBin, "agent", "--join", options.server ?? `https://127.0.0.1:${platform.ports.api}`],
      ...["--token", token, "--data", dataDirectory, "--name", name, "--host", options.host ?? "127.0.0.1"],
      ...["--port", "0", "--registry-port", "0"],
    ]);
    try {
      await eventually(
        `node ${name} is ready`,
        async () => ((await readyOf(platform, name)) === "True" ? true : undefined),
        120_000,
      );
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw new Error(`node ${name} did not join:\n${node.output}`, { cause: error });
    }
    return node;
  }

  get output(): string {
    return this.#output.slice(-8_000);
  }

  /** The machine is gone: every process of the node is, at once and without a word. */
  async lose(): Promise<void> {
    // To look takes its time on a busy machine: all of them are known before the first one dies. The second look is for what began meanwhile.
    for (let look = 0; look < 2; look++) {
      const { processes } = await inventoryOf(this.dataDirectory);
      this.#process.kill("SIGKILL");
      for (const { pid } of processes) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It went with another.
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const gone = new Promise((resolve) => this.#process.once("exit", resolve));
      this.#process.kill("SIGTERM");
      await gone;
    }
    await this.lose();
    await rm(this.dataDirectory, { recursive: true, force: true });
  }
}

/** What the Node object says of a node: `True`, `False`, `Unknown`. */
export async function readyOf(platform: Platform, name: string): Promise<string | undefined> {
  const node = (await platform.nodes()).find(({ metadata }) => metadata.name === name);
  return node?.status?.conditions?.find(({ type }) => type === "Ready")?.status;
}
