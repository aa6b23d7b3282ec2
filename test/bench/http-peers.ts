import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { createRequire } from "node:module";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { systemClock } from "../../sdk/internal/index.ts";

/** A server that says hello on a port of this machine, in a process of its own. */
export interface HttpPeer extends Disposable {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

// jco makes bindings of a component when it starts: some seconds.
const startMsMax = 60_000;

export async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export async function start(name: string, port: number, [program = "", ...args]: readonly string[]): Promise<HttpPeer> {
  // A group of its own: jco leaves the process that serves behind when it is ended.
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"], detached: true });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} cannot be started: ${program}`);
  const peer = { name, port, pid, [Symbol.dispose]: () => endGroup(pid) };
  await answering(peer, child);
  return peer;
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid);
  } catch {
    // All of it has ended by itself.
  }
}

async function answering(peer: HttpPeer, child: ChildProcess): Promise<void> {
  const untilMs = systemClock.nowMs() + startMsMax;
  while (child.exitCode === null && systemClock.nowMs() < untilMs) {
    if ((await answerOf(peer.port).catch(() => undefined)) !== undefined) return;
    await systemClock.sleep(50);
  }
  peer[Symbol.dispose]();
  throw new Error(`${peer.name} does not answer`);
}

/** The body of one answer. */
export function answerOf(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ port, host: "127.0.0.1", agent: false }, (incoming) => {
      let body = "";
      incoming.setEncoding("utf8").on("data", (text: string) => (body += text));
      incoming.once("end", () => resolve(body));
    }).once("error", reject);
  });
}

/** What node:http does with nothing behind it. */
export async function bareNode(): Promise<HttpPeer> {
  const port = await freePort();
  return start("bare node:http", port, [process.execPath, here("hello-server.ts"), String(port)]);
}

export async function shallopServe(component: string, flags: readonly string[] = []): Promise<HttpPeer> {
  const port = await freePort();
  const command = [process.execPath, here("../../sdk/bin/shallop.js"), "serve", component];
  return start("shallop serve", port, [...command, "--addr", `127.0.0.1:${port}`, ...flags]);
}

export async function jcoServe(component: string): Promise<HttpPeer> {
  const port = await freePort();
  const command = join(dirname(createRequire(import.meta.url).resolve("@bytecodealliance/jco")), "jco.js");
  return start("jco serve", port, [
    process.execPath,
    command,
    "serve",
    component,
    "--host",
    "127.0.0.1",
    "--port",
    String(port),
  ]);
}

const workerdVersion = "1.20261117.1";
const worker = 'export default { fetch() { return new Response("hello, world\\n"); } };\n';
const workerdConfig = (port: number): string => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "worker", esModule = embed "worker.js")], compatibilityDate = "2026-01-01"))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);
`;

/** Cloudflare's server with a worker that says hello. It takes 160 MB: npm fetches it into a temporary directory, once. */
export async function workerd(): Promise<HttpPeer> {
  const port = await freePort();
  const directory = join(tmpdir(), `shallop-bench-workerd-${workerdVersion}`);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "worker.js"), worker);
  await writeFile(join(directory, "config.capnp"), workerdConfig(port));
  // Its install script only looks for the program that an optional dependency has brought already.
  const install = [
    "install",
    "--prefix",
    directory,
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    `workerd@${workerdVersion}`,
  ];
  await promisify(execFile)("npm", install);
  const found = createRequire(join(directory, "x.js")).resolve("workerd");
  const require = createRequire(found);
  const system = `${process.platform}-${process.arch === "x64" ? "64" : process.arch}`;
  const program = require.resolve(`@cloudflare/workerd-${system}/bin/workerd`);
  return start("workerd", port, [program, "serve", join(directory, "config.capnp")]);
}
