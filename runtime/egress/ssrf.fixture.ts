// Run by a test in a network namespace of its own: gives the loopback interface every address that guests like to reach,
// listens on all of them, and lets a guest try them through the egress proxy. Prints what came of it.
import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, errorCode, systemClock } from "@shallop/sdk/internal";
import { type Resolve, systemResolve } from "../component/egress/egress.ts";
import { ProxiedEgress } from "../component/egress/proxied-egress.ts";
import { runCommand } from "../sandbox/kernel/command.ts";
import { EgressProxy } from "./egress-proxy.ts";

/** `host` → what a request to it got, and how many connections a listener there saw. */
export type Tried = Readonly<Record<string, { readonly outcome: string; readonly seen: number }>>;

const open = "93.184.216.34";
const allowed = "10.9.9.9";
const addresses = [
  ...["169.254.169.254/32", "10.0.0.1/32", `${allowed}/32`, "172.16.0.1/32", "192.168.0.1/32", "100.64.0.1/32"],
  ...[`${open}/32`, "fd00:ec2::254/128", "fe80::1/128", "fc00::1/128"],
];
const hosts = [
  ...[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "017700000001",
    "0",
    "0.0.0.0",
    "localhost",
  ],
  ...["[::1]", "::1", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0:0:0:0:ffff:127.0.0.1]"],
  ...["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]"],
  ...["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "[fe80::1]", "[fe80::1%lo]", "[fc00::1]", "224.0.0.1"],
  ...["metadata.test", "flip.test", "LOCALHOST.", "localhost6"],
  // Services that stand for names outside.
  ...["metadata.team", "self", "self.team.svc.cluster.local", "literal"],
];

const commands = ["link set lo up", ...addresses.map((address) => `address add ${address} dev lo nodad`)];
const { code, stderr } = await runCommand("ip", ["-batch", "-"], { input: commands.join("\n") });
assert(code === 0, `ip: ${stderr}`);

let seen = 0;
const server = createServer((request, response) => {
  if (request.url === "/redirect") response.writeHead(302, { location: `http://169.254.169.254:${port}/` }).end();
  else response.end("inside");
});
server.on("connection", () => seen++);
await once(server.listen(0, "::"), "listening");
const { port } = server.address() as AddressInfo;

// A name server of one's own: what it says of flip.test changes with every question, from a public address to ours.
let questions = 0;
const names = createSocket("udp4", (query, from) => {
  const isFlip = query.includes("flip");
  const isOpen = query.includes("public") || (isFlip && questions++ % 2 === 0);
  const address = isOpen ? open : isFlip ? "127.0.0.1" : "169.254.169.254";
  names.send(answerTo(query, address), from.port, from.address);
});
await once(names.bind(0, "127.0.0.1"), "listening");
const resolver = new Resolver();
resolver.setServers([`127.0.0.1:${names.address().port}`]);
const resolve: Resolve = async (hostname) => {
  if (!hostname.endsWith(".test")) return systemResolve(hostname);
  return (await resolver.resolve4(hostname)).map((address) => ({ address, family: 4 }));
};

/** The question with one A record of no lifetime behind it: RFC 1035, 4.1. */
function answerTo(query: Buffer, address: string): Buffer {
  const end = query.indexOf(0, 12) + 5;
  const head = Buffer.from([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)]);
  return Buffer.concat([query.subarray(0, 2), head, query.subarray(12, end), record]);
}

const socketPath = join(await mkdtemp(join(tmpdir(), "sh-ssrf-")), "s");
await using proxy = new EgressProxy({ clock: systemClock, resolve });
await proxy.open(socketPath, { allowed: [allowed], namespace: "team" });
const aliases = { metadata: "metadata.test", self: "localhost", literal: "127.0.0.1", outside: "public.test" };
proxy.lead({
  ...{ names: [], doors: [], peers: [] },
  aliases: Object.entries(aliases).map(([name, to]) => [`${name}.team.svc.cluster.local`, to]),
});
// A judge that lets everything pass: the guest's side was taken over, and only the proxy is in the way.
const egress = new ProxiedEgress(() => undefined, socketPath, systemClock);
const agents = await egress.agents();

async function get(host: string, path = "/"): Promise<{ readonly outcome: string; readonly location: string }> {
  try {
    const response = await new Promise<IncomingMessage>((answered, failed) => {
      const options = { agent: agents.http.agent, host: host.replace(/^\[|\]$/g, ""), port, path };
      // A connection of its own each, and none of an earlier one.
      const headers = { connection: "close" };
      agents.http
        .request({ ...options, headers }, answered)
        .once("error", failed)
        .end();
    });
    response.resume();
    return { outcome: String(response.statusCode), location: response.headers.location ?? "" };
  } catch (error) {
    return { outcome: errorCode(error) ?? String(error), location: "" };
  }
}

async function attempt(host: string, path?: string) {
  const before = seen;
  const { outcome, location } = await get(host, path);
  await systemClock.sleep(5);
  return { outcome, location, seen: seen - before };
}

const tried: Record<string, { outcome: string; seen: number }> = {};
for (const host of hosts) tried[host] = await attempt(host);
// Flipped: asked a second time it would be 127.0.0.1, and it is asked once for each request.
tried["flip.test again"] = await attempt("flip.test");
const redirect = await attempt(open, "/redirect");
tried["a public address"] = redirect;
tried["where it redirects to"] = await attempt(new URL(redirect.location).hostname);
tried["a public name by another one"] = await attempt("outside");
tried["an allowed address"] = await attempt(allowed);

// Datagrams, past the guest's own judge likewise.
const udpSeen: string[] = [];
const udp = createSocket("udp4", (data) => udpSeen.push(data.toString()));
await once(udp.bind(0, "0.0.0.0"), "listening");
const datagrams = egress.openDatagrams({ family: 4, host: "0.0.0.0", port: 0 });
const failures: string[] = [];
datagrams.start({ arrived: () => undefined, failed: (error) => failures.push(errorCode(error) ?? "?") });
for (const address of ["127.0.0.1", "169.254.169.254", "10.0.0.1", allowed]) {
  datagrams.send(Buffer.from(address), { address, port: udp.address().port }, () => undefined);
}
for (let tries = 0; tries < 200 && (udpSeen.length < 1 || failures.length < 3); tries++) await systemClock.sleep(10);
tried["datagrams"] = { outcome: `${failures.join(" ")} · ${udpSeen.join(" ")}`, seen: udpSeen.length };

process.stdout.write(JSON.stringify(tried satisfies Tried), () => process.exit(0));
