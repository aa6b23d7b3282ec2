import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duplexPair } from "node:stream";
import { text } from "node:stream/consumers";
import { systemClock } from "@shallop/sdk/internal";
import { WireConnection, type WireStream } from "@shallop/sdk/wire";
import { expect, test } from "vitest";
import { createGate } from "../../sandbox/rootless/gate.ts";
import { ComponentFront } from "./component-front.ts";
import { hostPortsOf } from "./host-port.ts";
import { addressTarget, HostPorts } from "./host-ports.ts";

const here = "127.0.0.1";

/** A port that nobody has; somebody could take it before it is used, and then the test says so. */
async function listeningOn(server: Server, port = 0): Promise<number> {
  server.listen(port, here);
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listeningOn(server);
  server.close();
  await once(server, "close");
  return port;
}

const tcp = (hostPort: number, containerPort: number) =>
  ({ protocol: "TCP", hostIp: here, hostPort, containerPort }) as const;

test("bytes go through to the pod's port and back, each direction with its own end; not before it is there", async () => {
  const pod = createServer({ allowHalfOpen: true }, (socket) => {
    let said = "";
    socket.on("data", (chunk) => (said += String(chunk)));
    socket.once("end", () => socket.end(`got ${said}`));
  });
  const [podPort, hostPort] = [await listeningOn(pod), await freePort()];
  using ports = await HostPorts.open([tcp(hostPort, podPort)], systemClock);
  const early = connect(hostPort, here);
  early.on("error", () => undefined);
  await once(early, "close");
  ports.lead(addressTarget({ host: here }));
  const client = connect({ port: hostPort, host: here, allowHalfOpen: true });
  client.end("hello");
  expect(await text(client)).toBe("got hello");
  pod.close();
});

test("a port that another program has is refused, and none of the others is kept", async () => {
  const other = createServer();
  const [taken, free] = [await listeningOn(other), await freePort()];
  await expect(HostPorts.open([tcp(free, 1), tcp(taken, 1)], systemClock)).rejects.toMatchObject({
    code: "NO_CAPACITY",
  });
  const again = createServer();
  expect(await listeningOn(again, free)).toBe(free);
  again.close();
  other.close();
});

test("datagrams find the pod, and answers the one who asked", async () => {
  const pod = createSocket("udp4");
  pod.on("message", (message, from) => pod.send(`got ${String(message)}`, from.port, from.address));
  pod.bind(0, here);
  await once(pod, "listening");
  const hostPort = await freePort();
  const port = { protocol: "UDP", hostIp: here, hostPort, containerPort: pod.address().port } as const;
  using ports = await HostPorts.open([port], systemClock);
  ports.lead(addressTarget({ host: here }));
  const client = createSocket("udp4");
  const answer = once(client, "message");
  client.send("hello", hostPort, here);
  expect(String((await answer)[0])).toBe("got hello");
  client.close();
  pod.close();
});

/** Asks over a connection that the front serves. */
function ask(front: ComponentFront, method: string, body = ""): Promise<{ status: number; body: string }> {
  const [near, far] = duplexPair();
  front.serve(far);
  return new Promise((resolve, reject) => {
    const asked = request({ createConnection: () => near, method, path: "/p?q=1", headers: { host: "x" } });
    asked.once("error", reject);
    asked.once("response", (response) => {
      text(response).then((said) => resolve({ status: response.statusCode ?? 0, body: said }), reject);
    });
    asked.end(body);
  });
}

test("datagrams find a pod behind a gate, and answers the one who asked, whole", async () => {
  const pod = createSocket("udp4");
  pod.on("message", (message, from) => pod.send(`got ${String(message)}`, from.port, from.address));
  pod.bind(0, here);
  await once(pod, "listening");
  const directory = await mkdtemp(join(tmpdir(), "shallop-gate-"));
  const path = join(directory, "gate.sock");
  const gate = createGate().listen(path);
  await once(gate, "listening");
  const hostPort = await freePort();
  const port = { protocol: "UDP", hostIp: here, hostPort, containerPort: pod.address().port } as const;
  using ports = await HostPorts.open([port], systemClock);
  ports.lead(addressTarget({ host: here, gate: path }));
  const ask = async (client: Socket, text: string): Promise<string> => {
    const answer = once(client, "message");
    client.send(text, hostPort, here);
    return String((await answer)[0]);
  };
  const [one, other] = [createSocket("udp4"), createSocket("udp4")];
  const long = "x".repeat(60_000);
  expect(await Promise.all([ask(one, "a"), ask(other, long)])).toEqual(["got a", `got ${long}`]);
  expect(await ask(one, "b")).toBe("got b");
  for (const socket of [one, other, pod]) socket.close();
  gate.close();
  await rm(directory, { recursive: true });
});

test("a component answers HTTP: target, headers and body reach it, and a fault is a status", async () => {
  using front = new ComponentFront({
    requestTimeoutMs: 1000,
    dial: async () => {
      const [near, far] = duplexPair();
      const pod = new WireConnection(far, {
        closed: () => undefined,
        request: ({ method, target, authority }, stream: WireStream) => {
          if (method === "DELETE") stream.abort("GUEST_FAILED", "it trapped");
          let said = "";
          return {
            data: (chunk) => {
              said += String(chunk);
              stream.consumed(chunk.length);
            },
            end: () => {
              stream.respond({ status: 201, headers: ["content-type", "text/plain", "connection", "x"] });
              stream.write(Buffer.from(`${method} ${target} ${authority} ${String(said.length)}`));
              stream.end();
            },
            failed: () => undefined,
          };
        },
      });
      expect(pod.openStreams).toBe(0);
      return near;
    },
  });
  const large = "x".repeat(300_000);
  expect(await ask(front, "POST", large)).toEqual({ status: 201, body: "POST /p?q=1 x 300000" });
  expect(await ask(front, "DELETE")).toEqual({ status: 502, body: "GUEST_FAILED: it trapped\n" });
});

test("ports that a pod asks for", () => {
  const ports = [
    { containerPort: 80, hostPort: 8080 },
    { containerPort: 53, hostPort: 53, hostIP: "10.0.0.1", protocol: "UDP" },
    { containerPort: 1 },
  ];
  expect(hostPortsOf({ containers: [{ image: "i", ports }] })).toEqual([
    { protocol: "TCP", hostIp: "", hostPort: 8080, containerPort: 80 },
    { protocol: "UDP", hostIp: "10.0.0.1", hostPort: 53, containerPort: 53 },
  ]);
});
