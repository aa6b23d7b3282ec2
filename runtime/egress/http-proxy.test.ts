import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer as createNetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { text } from "node:stream/consumers";
import { systemClock } from "@shallop/sdk/internal";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HttpProxy } from "./http-proxy.ts";

// A server of the world's, which says what it has heard.
const world: Server = createServer((incoming, response) => {
  void text(incoming).then((body) => {
    response.setHeader("x-more", ["1", "2"]);
    response.end(JSON.stringify({ method: incoming.method, url: incoming.url, headers: incoming.headers, body }));
  });
});
const names = new Map([
  ["world.example", "127.0.0.9"],
  ["inner.example", "127.0.0.8"],
]);
let proxy: HttpProxy;
let stranger: HttpProxy;
let [port, proxyPort, strangerPort] = [0, 0, 0];

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
};

beforeAll(async () => {
  await once(world.listen(0, "127.0.0.9"), "listening");
  ({ port } = world.address() as AddressInfo);
  [proxyPort, strangerPort] = [await freePort(), await freePort()];
  const settings = {
    allowed: ["127.0.0.9/32"],
    clock: systemClock,
    resolve: async (name: string) => {
      const address = names.get(name);
      if (address === undefined) throw new Error("no such name");
      return [{ address, family: 4 }];
    },
  };
  proxy = await HttpProxy.open(
    { ...settings, podOf: () => ({ namespace: "default", uid: "asking" }) },
    { port: proxyPort, host: "127.0.0.1" },
  );
  stranger = await HttpProxy.open({ ...settings, podOf: () => undefined }, { port: strangerPort, host: "127.0.0.1" });
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await stranger[Symbol.asyncDispose]();
  world.close();
  world.closeAllConnections();
});

interface Asked {
  readonly status: number | undefined;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

async function ask(url: string, { method = "GET", body = "", headers = {}, at = proxyPort } = {}): Promise<Asked> {
  const asked = request({ host: "127.0.0.1", port: at, method, path: url, headers, agent: false });
  asked.end(body);
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
}

/** What comes back on a connection that begins so. */
async function speak(at: number, first: string): Promise<string> {
  const socket = connect({ port: at, host: "127.0.0.1" });
  socket.on("error", () => undefined).end(first);
  return text(socket).catch(() => "");
}

test("passes a request on, and an answer back, without what concerns the connection", async () => {
  const answer = await ask(`http://world.example:${port}/a?b=c`, {
    method: "POST",
    body: "hello",
    headers: { "proxy-authorization": "Basic eA==", "x-own": "1", connection: "x-hop", "x-hop": "2" },
  });
  expect(answer).toMatchObject({ status: 200, headers: { "x-more": "1, 2" } });
  const heard = JSON.parse(answer.body) as { headers: Record<string, string> };
  expect(heard).toMatchObject({ method: "POST", url: "/a?b=c", body: "hello", headers: { "x-own": "1" } });
  expect(heard.headers["host"]).toBe(`world.example:${port}`);
  expect(Object.keys(heard.headers)).not.toEqual(expect.arrayContaining(["x-hop"]));
  expect(Object.keys(heard.headers)).not.toEqual(expect.arrayContaining(["proxy-authorization"]));
});

test("makes tunnels, and takes what comes with the wish for one", async () => {
  const inner = "GET /inner HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const said = await speak(proxyPort, `CONNECT world.example:${port} HTTP/1.1\r\nHost: x\r\n\r\n${inner}`);
  expect(said).toMatch(/^HTTP\/1\.1 200 Connection Established\r\n\r\nHTTP\/1\.1 200 OK/);
  expect(said).toContain("/inner");
});

test.each([
  ["http://inner.example/", 403],
  ["http://127.0.0.1/", 403],
  ["http://169.254.169.254/latest", 403],
  ["http://nowhere.example/", 502],
  ["http://world.example:1/", 502],
  ["/no/proxy/request", 403],
  ["ftp://world.example/", 403],
])("%s is refused with %i", async (url, status) => expect((await ask(url)).status).toBe(status));

test.each(["inner.example:80", "[::1]:80", "world.example", "world.example:0", "world.example:99999", ""])(
  "no tunnel to %j",
  async (authority) => {
    expect(await speak(proxyPort, `CONNECT ${authority} HTTP/1.1\r\nHost: x\r\n\r\n`)).not.toMatch(/^HTTP\/1\.1 2/);
  },
);

test("whoever is no pod is sent away", async () => {
  expect(await speak(strangerPort, `CONNECT world.example:${port} HTTP/1.1\r\nHost: x\r\n\r\n`)).toBe("");
});

test("peers of a pod's networks: a component by its door, a native pod by the gate; nobody of other networks", async () => {
  const directory = await mkdtemp(join(tmpdir(), "shallop-proxy-"));
  const gatePath = join(directory, "gate.sock");
  // What a gate sees of the world is another network: every address is ours there.
  const gate = createNetServer((client) => {
    client.once("data", () => {
      client.write("+");
      pipeline(client, connect({ port, host: "127.0.0.9" }), client, () => undefined);
    });
  });
  await once(gate.listen(gatePath), "listening");
  const at = await freePort();
  const settings = {
    allowed: [],
    clock: systemClock,
    gate: gatePath,
    resolve: () => Promise.reject(new Error("none")),
  };
  const podOf = () => ({ namespace: "default", uid: "asking" });
  await using peers = await HttpProxy.open({ ...settings, podOf }, { port: at, host: "127.0.0.1" });
  const [component, native, other] = ["10.104.0.1", "10.104.0.2", "10.104.0.3"];
  if (component === undefined || native === undefined || other === undefined) throw new Error("three addresses");
  const member = (pod: string, network: string, address: string, to?: string) => ({
    ...{ pod, address, networks: [{ network, names: [pod] }] },
    ...(to === undefined ? {} : { to }),
  });
  peers.lead({
    ...{ names: [], aliases: [] },
    doors: [{ protocol: "TCP", address: component, port: 80, to: { address: "127.0.0.9", port } }],
    peers: [
      member("asking", "a", "10.104.0.9", "10.88.0.9"),
      member("component", "a", component),
      member("native", "a", native, "10.88.0.2"),
      member("other", "b", other, "10.88.0.3"),
    ],
  });
  const statusOf = async (host: string) => (await ask(`http://${host}/`, { at })).status;
  expect(await Promise.all(["component", "native", "other", other].map(statusOf))).toEqual([200, 200, 502, 502]);
  gate.close();
  await rm(directory, { recursive: true });
});
