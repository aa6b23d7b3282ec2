import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../sdk/internal/index.ts";

/** A registry in a process of its own. */
export interface Registry extends AsyncDisposable {
  readonly name: string;
  /** `127.0.0.1:40123`. */
  readonly host: string;
}

const startMsMax = 20_000;

export async function startOurRegistry(directory: string): Promise<Registry> {
  const program = fileURLToPath(new URL("../../runtime/image/registry/serve.fixture.ts", import.meta.url));
  const child = spawn(process.execPath, [program, directory], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return registryOf("shallop", new URL(line.toString().split(" ")[0] ?? "").host, child);
}

/** Debian's package `docker-registry`: installed, or unpacked here, so that no service of it is started. */
export async function startDebianRegistry(directory: string): Promise<Registry | undefined> {
  await mkdir(directory, { recursive: true });
  const program = await debianRegistry(directory);
  if (program === undefined) return undefined;
  const port = await freePort();
  const config = join(directory, "config.yml");
  await writeFile(
    config,
    [
      "version: 0.1",
      "log: {level: error, accesslog: {disabled: true}}",
      `storage: {filesystem: {rootdirectory: ${directory}/data}, cache: {blobdescriptor: inmemory}}`,
      `http: {addr: "127.0.0.1:${port}"}`,
      "",
    ].join("\n"),
  );
  const child = spawn(program, ["serve", config], { stdio: "ignore" });
  const host = `127.0.0.1:${port}`;
  for (let waitedMs = 0; waitedMs < startMsMax; waitedMs += 50) {
    const answer = await fetch(`http://${host}/v2/`).catch(() => undefined);
    if (answer?.ok === true) return registryOf("docker-registry", host, child);
    await systemClock.sleep(50);
  }
  child.kill();
  throw new Error("docker-registry does not answer");
}

async function debianRegistry(directory: string): Promise<string | undefined> {
  const installed = "/usr/bin/docker-registry";
  if (existsSync(installed)) return installed;
  if (spawnSync("apt-get", ["download", "docker-registry"], { cwd: directory, stdio: "ignore" }).status !== 0) {
    return undefined;
  }
  const archive = (await readdir(directory)).find((name) => name.endsWith(".deb"));
  if (archive === undefined) return undefined;
  spawnSync("dpkg", ["-x", archive, "root"], { cwd: directory, stdio: "ignore" });
  return join(directory, "root", installed);
}

function registryOf(name: string, host: string, child: ChildProcess): Registry {
  return {
    name,
    host,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
