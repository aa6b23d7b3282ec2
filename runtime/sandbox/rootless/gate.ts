import { createSocket } from "node:dgram";
import { connect, createServer, type Server, type Socket } from "node:net";
import {
  DatagramReader,
  encodeDatagram,
  gateAnswer,
  type GatedAddress,
  gateLineBytesMax,
  parseGateLine,
} from "@shallop/sdk/wire";

// A pod of this machine accepts in microseconds; one that does not within this time is stuck.
const connectTimeoutMs = 5000;
// What a host has of descriptors by default, and two for each connection, leave this.
const connectionsMax = 4096;

/**
 * The way to pods whose network is another one than the machine's: a unix socket in front of it. Knows no pod and keeps
 * nothing, so that it serves those of every agent that comes and goes. Who may open the socket may reach pods.
 */
export function createGate(): Server {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => void serve(client));
  server.maxConnections = connectionsMax;
  return server;
}

async function serve(client: Socket): Promise<void> {
  client.on("error", () => client.destroy());
  const asked = await firstLine(client);
  const address = asked === undefined ? undefined : parseGateLine(asked.line);
  if (asked === undefined || address === undefined) return void client.destroy();
  if (address.protocol === "udp") return serveDatagrams(client, address, asked.rest);
  const pod = connect({ ...address, allowHalfOpen: true, noDelay: true, timeout: connectTimeoutMs });
  pod.once("timeout", () => pod.destroy());
  // Who breaks off takes the other along; who has said and heard all leaves the other to say the rest.
  pod.on("error", () => client.destroy());
  client.once("close", () => pod.destroy());
  pod.once("close", () => {
    if (!pod.readableEnded || !pod.writableFinished) client.destroy();
  });
  pod.once("connect", () => {
    pod.setTimeout(0);
    client.write(gateAnswer);
    if (asked.rest.length > 0) pod.write(asked.rest);
    client.pipe(pod).pipe(client);
  });
}

// What a client that does not read may owe; more is lost, as datagrams are.
const pendingBytesMax = 256 * 1024;

function serveDatagrams(client: Socket, { host, port }: GatedAddress, first: Buffer): void {
  const pod = createSocket("udp4");
  // Nobody listens: the client asks again, or gives up.
  pod.on("error", () => undefined);
  client.once("end", () => client.destroy()).once("close", () => pod.close());
  pod.on("message", (answer) => {
    const frame = encodeDatagram(answer);
    if (frame !== undefined && client.writableLength < pendingBytesMax) client.write(frame);
  });
  // Connected, so that nobody else's datagrams come back for this client.
  pod.connect(port, host, () => {
    if (client.destroyed) return;
    const reader = new DatagramReader((datagram) => pod.send(datagram));
    client.write(gateAnswer);
    reader.push(first);
    client.on("data", (chunk: Buffer) => reader.push(chunk)).resume();
  });
}

/** Undefined: what came is none. */
function firstLine(client: Socket): Promise<{ readonly line: string; readonly rest: Buffer } | undefined> {
  return new Promise((resolve) => {
    let all = Buffer.alloc(0);
    const take = (data: Buffer): void => {
      all = Buffer.concat([all, data]);
      const end = all.indexOf("\n");
      if (end < 0 && all.length < gateLineBytesMax) return;
      client.off("data", take).pause();
      resolve(end < 0 ? undefined : { line: all.toString("latin1", 0, end), rest: all.subarray(end + 1) });
    };
    client.once("close", () => resolve(undefined)).once("end", () => resolve(undefined));
    client.on("data", take).resume();
  });
}
