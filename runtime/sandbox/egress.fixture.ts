// Run by a test in network and mount namespaces of its own: beside the machine there is a world with public and special
// addresses and a name server. A pod tries them, and the world tries the pod. Prints what came of it.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { SandboxMachine } from "./features.ts";
import { inside, launchOf, openSandbox, sandboxMachines } from "./sandbox.fixture.ts";
import { LinuxKernel } from "./kernel/linux.ts";
import { systemClock } from "@shallop/sdk/internal";

export interface EgressTried {
  readonly outcomes: Readonly<Record<string, string>>;
  /** Addresses at which the world was reached. */
  readonly seen: readonly string[];
  readonly name: string;
  readonly clusterName: string;
  /** Whether the machine passes packets on: before the first pod, with it, and at the end. */
  readonly forwards: readonly boolean[];
  readonly fromOutside: string;
  readonly tablesLeft: number;
  readonly proxied: ProxyTried;
}

/** What a pod of a node without nft's rules has tried. */
export interface ProxyTried {
  readonly environment: string;
  /** By destination. */
  readonly direct: Readonly<Record<string, string>>;
  readonly byProxy: Readonly<Record<string, string>>;
  readonly seen: string[];
}

const worldAddresses = ["93.184.216.34", "169.254.169.254", "10.200.0.1", "172.16.9.1", "192.168.9.1", "100.64.9.1"];
const allowed = "10.200.9.9";
const ip = (...args: string[]): void => void execFileSync("ip", args);

for (const mount of ["/run/netns", "/run/shallop"]) {
  execFileSync("mkdir", ["-p", mount]);
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", mount]);
}
ip("link", "set", "lo", "up");
ip("netns", "add", "world");
ip("link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", "world");
ip("address", "add", "198.51.100.2/24", "dev", "uplink");
ip("link", "set", "uplink", "up");
ip("-n", "world", "link", "set", "lo", "up");
ip("-n", "world", "link", "set", "eth0", "up");
ip("-n", "world", "address", "add", "198.51.100.1/24", "dev", "eth0");
for (const address of [...worldAddresses, allowed]) ip("-n", "world", "address", "add", `${address}/32`, "dev", "lo");
ip("route", "add", "default", "via", "198.51.100.1");

const listener = `
const net = require("node:net"), dgram = require("node:dgram");
net.createServer((socket) => { console.log(socket.localAddress.replace("::ffff:", "")); socket.on("error", () => {}); socket.end("world"); }).listen(80, "0.0.0.0", () => {
  const names = dgram.createSocket("udp4", (query, from) => {
    const end = query.indexOf(0, 12) + 5;
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 93, 184, 216, 34]);
    names.send(Buffer.concat([query.subarray(0, 2), Buffer.from([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]), query.subarray(12, end), record]), from.port, from.address);
  });
  names.bind(53, "198.51.100.1", () => console.log("ready"));
});`;
const world = spawn("ip", ["netns", "exec", "world", process.execPath, "-e", listener], {
  stdio: ["ignore", "pipe", "inherit"],
});
let heard = "";
world.stdout.setEncoding("utf8").on("data", (text: string) => (heard += text));
while (!heard.includes("ready")) await once(world.stdout, "data");

const resolvConf = `/tmp/shallop-egress-resolv-${process.pid}`;
execFileSync("sh", ["-c", `echo nameserver 198.51.100.1 >${resolvConf}`]);
execFileSync("mount", ["--bind", resolvConf, await realResolvConf()]);

const [machine] = (await sandboxMachines()).machines;
if (machine === undefined) throw new Error("no native pods here");
const kernel = await LinuxKernel.open(systemClock);
await kernel.setForwards(false);
const forwards = [await kernel.forwards()];
{
  await using sandbox = await openSandbox(machine, { egressAllowed: [allowed] });
  const own = createServer((socket) => socket.end("machine")).listen(81, "0.0.0.0");
  const launch = launchOf({ uid: "egress" });
  const pod = await sandbox.runtime.start(launch, AbortSignal.timeout(120_000));
  const other = await sandbox.start({ uid: "other" });
  forwards.push(await kernel.forwards());
  const connectTo = (host: string, port: number): Promise<unknown> =>
    inside(
      pod,
      `return await new Promise((resolve) => { const socket = net.connect({ host: "${host}", port: ${port}, timeout: 3000 });
        socket.once("data", (data) => { socket.destroy(); resolve(String(data)); }).once("timeout", () => { socket.destroy(); resolve("timeout"); }).once("error", (error) => resolve(error.code)); })`,
    );
  const outcomes: Record<string, string> = {};
  for (const address of [...worldAddresses, allowed]) outcomes[address] = String(await connectTo(address, 80));
  outcomes["the machine's address"] = String(await connectTo("198.51.100.2", 81));
  outcomes["the bridge's address"] = String(await connectTo((pod.ip ?? "").replace(/\.\d+$/, ".1"), 81));
  outcomes["another pod"] = String(await connectTo(other.ip ?? "", 8080));
  const lookUp = (name: string): Promise<unknown> =>
    inside(
      pod,
      `const { Resolver } = await import("node:dns/promises"); return await new Resolver().resolve4("${name}").catch((error) => error.code);`,
    );
  const name = String(await lookUp("example.com"));
  const clusterName = String(await lookUp("hello.default.svc.cluster.local"));
  // The world has a route to the pod, and is turned away.
  ip("-n", "world", "route", "add", "10.88.0.0/16", "via", "198.51.100.2");
  const probe = `const s = require("node:net").connect({ host: "${pod.ip}", port: 8080, timeout: 1000 }); s.on("connect", () => { console.log("connected"); process.exit(); }); s.on("timeout", () => { console.log("timeout"); process.exit(); }); s.on("error", (e) => { console.log(e.code); process.exit(); })`;
  const fromOutside = execFileSync("ip", ["netns", "exec", "world", process.execPath, "-e", probe], {
    encoding: "utf8",
  }).trim();
  for (const uid of ["egress", "other"]) await sandbox.runtime.stop(uid, 0);
  own.close();
  await sandbox.runtime[Symbol.asyncDispose]();
  forwards.push(await kernel.forwards());
  const seen = heard.split("\n").filter((line) => line !== "" && line !== "ready");
  const tablesLeft = (await kernel.packetTables("shallop_")).length;
  heard = "";
  const proxied = await triedByProxy(machine);
  proxied.seen.push(...heard.split("\n").filter((line) => line !== ""));
  const tried: EgressTried = { outcomes, seen, name, clusterName, forwards, fromOutside, tablesLeft, proxied };
  console.log(JSON.stringify(tried));
}
world.kill("SIGKILL");
execFileSync("rm", ["-f", resolvConf]);

async function triedByProxy(machine: SandboxMachine): Promise<ProxyTried> {
  await using sandbox = await openSandbox(machine, { egressAllowed: [allowed], proxyAlone: true });
  const own = createServer((socket) => socket.end("machine")).listen(81, "0.0.0.0");
  const pod = await sandbox.start({ uid: "proxied" });
  const bridge = (pod.ip ?? "").replace(/\.\d+$/, ".1");
  const connecting = (host: string, port: number, first: string, answers: string): Promise<unknown> =>
    inside(
      pod,
      `return await new Promise((resolve) => { let heard = ""; const socket = net.connect({ host: "${host}", port: ${port}, timeout: 1000 }, () => socket.write("${first}"));
        socket.on("data", (data) => { heard += data; if (/${answers}/.test(heard)) { socket.destroy(); resolve(heard.match(/${answers}/)[0]); } }).once("timeout", () => { socket.destroy(); resolve("timeout"); }).once("error", (error) => resolve(error.code)).once("end", () => resolve("end")); })`,
    );
  const direct: Record<string, string> = {};
  for (const [host, port] of [
    ...["93.184.216.34", allowed].map((one) => [one, 80] as const),
    [bridge, 81],
    ["198.51.100.2", 81],
  ] as const)
    direct[host === bridge ? "the bridge's address" : host] = String(await connecting(host, port, "", "world|machine"));
  const byProxy: Record<string, string> = {};
  for (const host of [...worldAddresses, allowed, "example.com", "hello.default.svc.cluster.local", "127.0.0.1"])
    byProxy[host] = String(
      await connecting(
        bridge,
        3128,
        `CONNECT ${host}:80 HTTP/1.1\\r\\nHost: ${host}\\r\\n\\r\\n`,
        "world|HTTP.1.1 [45]\\d\\d",
      ),
    );
  const environment = String(await inside(pod, `return process.env.HTTPS_PROXY.replace("${bridge}", "BRIDGE")`));
  await sandbox.runtime.stop("proxied", 0);
  own.close();
  return { environment, direct, byProxy, seen: [] };
}

/** It may be a link. */
async function realResolvConf(): Promise<string> {
  await readFile("/etc/resolv.conf", "utf8");
  return execFileSync("readlink", ["-f", "/etc/resolv.conf"], { encoding: "utf8" }).trim();
}
