import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RegistryUsers } from "../../sdk/image/index.ts";
import { type RegistryServer, startRegistryServer, usersFile } from "../../runtime/image/registry/server.ts";
import { CertificateAuthority } from "../../scheduler/api/pki/authority.ts";

/** A client that hangs is told apart from one that works; none needs more than some seconds. */
const runTimeoutMs = 240_000;

interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * The built-in registry, as other people's clients meet it: on one port without a login, on one with a login, on one
 * with a login and TLS.
 */
export class OpenRegistry implements AsyncDisposable {
  readonly directory: string;
  readonly server: RegistryServer;
  readonly user = { name: "dev", password: "pass word:1" };
  /** PEM, and the file that it is in. */
  readonly authority: { readonly certificate: string; readonly file: string };

  private constructor(directory: string, server: RegistryServer, authority: OpenRegistry["authority"]) {
    this.directory = directory;
    this.server = server;
    this.authority = authority;
  }

  static async start(): Promise<OpenRegistry> {
    const directory = await mkdtemp(join(tmpdir(), "shallop-clients-"));
    const registry = join(directory, "registry");
    const { authority } = await CertificateAuthority.create(Date.now());
    const names = ["127.0.0.1", "localhost"];
    const tls = await authority.issue({ commonName: "registry", names, usages: ["server"] }, Date.now());
    const file = join(directory, "ca.crt");
    await writeFile(file, authority.certificate);
    const server = await startRegistryServer({
      directory: registry,
      port: 0,
      more: [
        { port: 0, login: "token" },
        { port: 0, login: "token", tls },
      ],
    });
    const opened = new OpenRegistry(directory, server, { certificate: authority.certificate, file });
    await new RegistryUsers(usersFile(registry)).set({ name: opened.user.name, read: [], write: ["*"] }, "pass word:1");
    return opened;
  }

  /** `127.0.0.1:40123` of each port. */
  get plain(): string {
    return this.#host(0);
  }

  get guarded(): string {
    return this.#host(1);
  }

  get secure(): string {
    return this.#host(2);
  }

  #host(index: number): string {
    return new URL(this.server.urls[index] ?? "").host;
  }

  /** What a tag points at. */
  async digestOf(name: string, reference: string): Promise<string | null> {
    const { headers } = await fetch(`http://${this.plain}/v2/${name}/manifests/${reference}`, {
      method: "HEAD",
    });
    return headers.get("docker-content-digest");
  }

  /** Runs a client to its end, with a home of its own. @throws Error with what it complained of */
  async run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const child = spawn(program, [...args], {
      cwd: this.directory,
      env: {
        PATH: process.env["PATH"],
        HOME: this.directory,
        SSL_CERT_FILE: this.authority.file,
        DOCKER_CONFIG: join(this.directory, "docker"),
        REGISTRY_AUTH_FILE: join(this.directory, "auth.json"),
        XDG_RUNTIME_DIR: this.directory,
        ...options.env,
      },
      timeout: runTimeoutMs,
    });
    let output = "";
    let complaint = "";
    child.stdout.on("data", (chunk) => (output += String(chunk)));
    child.stderr.on("data", (chunk) => (complaint += String(chunk)));
    child.stdin.end(options.input ?? "");
    const code = await new Promise((resolve, reject) => {
      child.once("close", resolve);
      child.once("error", reject);
    });
    if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${String(code)}: ${complaint}${output}`);
    return output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}
