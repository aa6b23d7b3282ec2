import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chown, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type ApiObject,
  label,
  nodes,
  type Node,
  type Pod,
  pods,
  type Resource,
  type Revision,
  revisions,
} from "../../sdk/api/index.ts";
import { httpsClient, type HttpsClient, readCredentials, type Selector } from "../../sdk/client/index.ts";
import { keptCaches } from "../../sdk/internal/testing/index.ts";
import { askControl, controlSocketPath, type ProgramStatus } from "../../sdk/supervise/index.ts";

const shallopBin = fileURLToPath(new URL("../../sdk/bin/shallop.js", import.meta.url));

export interface PlatformOptions {
  /** Settings of config-autoscaler: `["stable-window=6s"]`. */
  readonly autoscaler?: readonly string[];
  /** Address to listen on; loopback when absent. */
  readonly host?: string;
  /** Addresses by which other machines, or network namespaces, reach the API. */
  readonly advertise?: readonly string[];
  /** More flags of `shallop up`. */
  readonly args?: readonly string[];
  /** Keep the data directory of an earlier platform. */
  readonly dataDirectory?: string;
  readonly ports?: PlatformPorts;
  /** Variables beside this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Whose processes they are; this process's own user when absent. */
  readonly user?: number;
}

export interface PlatformPorts {
  readonly gateway: number;
  readonly api: number;
  readonly registry: number;
  readonly agent: number;
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly ms: number;
}

/** A whole platform: real processes on free ports of the loopback interface, in a directory of its own. */
export class Platform implements AsyncDisposable {
  readonly dataDirectory: string;
  readonly ports: PlatformPorts;
  readonly #process: ChildProcess;
  #output = "";
  readonly #beganMs = performance.now();
  #startMs = 0;
  #client: Promise<HttpsClient> | undefined;

  private constructor(
    dataDirectory: string,
    ports: PlatformPorts,
    {
      args,
      environment = {},
      user,
    }: Pick<PlatformOptions, "environment" | "user"> & { readonly args: readonly string[] },
  ) {
    this.dataDirectory = dataDirectory;
    this.ports = ports;
    this.#process = spawn(process.execPath, [shallopBin, "up", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, XDG_CACHE_HOME: keptCaches, ...environment },
      ...(user === undefined ? {} : { uid: user, gid: user }),
    });
    const keep = (chunk: Buffer): void => void (this.#output += chunk.toString("utf8"));
    this.#process.stdout?.on("data", keep);
    this.#process.stderr?.on("data", keep);
  }

  /** Resolves when `shallop up` has printed what is reachable where. */
  static async start(options: PlatformOptions = {}): Promise<Platform> {
    const dataDirectory = options.dataDirectory ?? (await mkdtemp(join(tmpdir(), "shallop-platform-")));
    const ports = options.ports ?? (await freePorts());
    if (options.user !== undefined) await chown(dataDirectory, options.user, options.user);
    const args = [
      ...["--data", dataDirectory, "--port", String(ports.gateway), "--api-port", String(ports.api)],
      ...["--registry-port", String(ports.registry), "--agent-port", String(ports.agent), "--node-name", "node-a"],
      ...(options.host === undefined ? [] : ["--host", options.host]),
      ...(options.advertise ?? []).flatMap((host) => ["--advertise", host]),
      ...(options.autoscaler ?? []).flatMap((setting) => ["--autoscaler", setting]),
      ...(options.args ?? []),
    ];
    const platform = new Platform(dataDirectory, ports, { ...options, args });
    await platform.#until(/export KUBECONFIG=/);
    platform.#startMs = performance.now() - platform.#beganMs;
    return platform;
  }

  /** From the call to what is reachable where. */
  get startMs(): number {
    return this.#startMs;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** What `shallop up` has printed. */
  get output(): string {
    return this.#output;
  }

  get kubeconfig(): string {
    return join(this.dataDirectory, "kubeconfig");
  }

  /** Runs `shallop ARGS` against this platform. */
  shallop(...args: readonly string[]): Promise<CliResult> {
    return shallop([...args, "--data", this.dataDirectory]);
  }

  /** As `shallop`, and throws unless it exits with 0. */
  async run(...args: readonly string[]): Promise<string> {
    const result = await this.shallop(...args);
    if (result.code !== 0)
      throw new Error(`shallop ${args.join(" ")} exited with ${result.code}:\n${result.stdout}${result.stderr}`);
    return result.stdout;
  }

  // This process asks: what is looked at until it changes should not start a program for each look. On a slow machine those
  // would be most of its load.

  /** Pods of a service of the namespace `default`. */
  podsOf(service: string): Promise<readonly Pod[]> {
    return this.#list(pods, { namespace: "default", labelSelector: `${label.service}=${service}` });
  }

  revisionsOf(service: string): Promise<readonly Revision[]> {
    return this.#list(revisions, { namespace: "default", labelSelector: `${label.service}=${service}` });
  }

  nodes(): Promise<readonly Node[]> {
    return this.#list(nodes, {});
  }

  /** What the supervisor says of its programs. */
  async programs(): Promise<readonly ProgramStatus[]> {
    const answer = await askControl(controlSocketPath(this.dataDirectory), { command: "status" });
    return (answer as { readonly programs: readonly ProgramStatus[] }).programs;
  }

  /** Asks a service through the gateway. */
  ask(
    host: string,
    path = "/",
    options: { readonly method?: string; readonly body?: string; readonly headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    return ask(this.ports.gateway, { host: `${host}.localhost`, path, ...options });
  }

  /** The end of each process's log, for a failure's message. */
  async logs(): Promise<string> {
    const directory = join(this.dataDirectory, "logs");
    const files = await readdir(directory).catch(() => []);
    const texts = await Promise.all(
      files.map(async (file) => `--- ${file}\n${(await readFile(join(directory, file), "utf8")).slice(-4_000)}`),
    );
    return [this.#output, ...texts].join("\n");
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGTERM");
    await gone;
  }

  /** `kill -9` of the supervisor alone. */
  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGKILL");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    (await this.#client)?.close();
    await this.stop();
    await rm(this.dataDirectory, { recursive: true, force: true });
  }

  async #list<T extends ApiObject>(resource: Resource<T>, selector: Selector): Promise<readonly T[]> {
    this.#client ??= readCredentials(join(this.dataDirectory, "credentials/admin.json")).then((admin) =>
      httpsClient(admin),
    );
    return (await (await this.#client).list(resource, selector)).items;
  }

  #until(pattern: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(this.#output)) return;
        this.#process.stdout?.off("data", look);
        // An end in order, later, is nobody's concern here: the logs are being removed then.
        this.#process.off("exit", ended);
        resolve();
      };
      const ended = (code: number | null): void => {
        this.logs().then((logs) => reject(new Error(`shallop up ended with code ${String(code)}:\n${logs}`)), reject);
      };
      this.#process.stdout?.on("data", look);
      this.#process.once("exit", ended);
    });
  }
}

/** Runs `shallop ARGS`. */
export function shallop(args: readonly string[], cwd?: string): Promise<CliResult> {
  return new Promise((resolve) => {
    const env = { ...process.env, XDG_CACHE_HOME: keptCaches };
    execFile(
      process.execPath,
      [shallopBin, ...args],
      { env, maxBuffer: 64 * 1024 * 1024, ...(cwd === undefined ? {} : { cwd }) },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

/** One HTTP request on a connection of its own. */
export function ask(
  port: number,
  options: {
    readonly host: string;
    readonly path: string;
    readonly method?: string;
    readonly body?: string;
    readonly headers?: Record<string, string>;
  },
): Promise<Answer> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        port,
        host: "127.0.0.1",
        path: options.path,
        method: options.method ?? "GET",
        headers: { host: options.host, ...options.headers },
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", reject);
        response.once("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString("utf8"),
            ms: performance.now() - began,
          }),
        );
      },
    );
    sent.once("error", reject);
    sent.end(options.body);
  });
}

/** Calls `probe` until it gives a value; throws with `what` when it has not after `timeoutMs`. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  timeoutMs = 120_000,
): Promise<T> {
  const until = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > until) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function freePorts(): Promise<PlatformPorts> {
  const [gateway, api, registry, agent] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  return { gateway, api, registry, agent };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
