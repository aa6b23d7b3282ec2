import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { DatagramReader, encodeDatagram, passGate } from "@shallop/sdk/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createGate } from "./gate.ts";

const gate = createGate();
// Says its name first, as servers of HTTP/2 do, and then back what it hears, to the end.
const pod: Server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.write("pod:");
  socket.pipe(socket);
});
let directory: string;
let path: string;
let port: number;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-gate-"));
  path = join(directory, "gate.sock");
  await Promise.all([once(gate.listen(path), "listening"), once(pod.listen(0, "127.0.0.1"), "listening")]);
  ({ port } = pod.address() as AddressInfo);
});
afterAll(async () => {
  gate.close();
  pod.close();
  await rm(directory, { recursive: true });
});

const entered = async (): Promise<Socket> => {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
};

test("leads to an address, both ways and to both ends", async () => {
  const socket = await entered();
  await passGate(socket, { host: "127.0.0.1", port });
  socket.end("x".repeat(100_000));
  expect(await text(socket)).toBe(`pod:${"x".repeat(100_000)}`);
});

test("takes what comes together with the line", async () => {
  const socket = await entered();
  socket.end(`127.0.0.1 ${port}\nearly`);
  expect(await text(socket)).toBe("+pod:early");
});

test("datagrams keep their ends, and what is no datagram of the pod's does not come in", async () => {
  const udp = createSocket("udp4");
  udp.on("message", (message, from) => udp.send(message, from.port, from.address));
  udp.bind(0, "127.0.0.1");
  await once(udp, "listening");
  const socket = await entered();
  const answers: string[] = [];
  const reader = new DatagramReader((datagram) => answers.push(Buffer.from(datagram).toString()));
  socket.write(`127.0.0.1 ${udp.address().port} udp\n`);
  for (const text of ["one", "", "three"]) socket.write(encodeDatagram(Buffer.from(text)) ?? "");
  const [first] = (await once(socket, "data")) as [Buffer];
  expect(first.toString("latin1", 0, 1)).toBe("+");
  reader.push(first.subarray(1));
  socket.on("data", (chunk: Buffer) => reader.push(chunk));
  await expect.poll(() => answers.toSorted()).toEqual(["", "one", "three"]);
  socket.destroy();
  udp.close();
});

test("says that nobody listens", async () => {
  const socket = await entered();
  await expect(passGate(socket, { host: "127.0.0.1", port: 1 })).rejects.toThrow(
    "nobody takes a connection at 127.0.0.1:1",
  );
});

test.each([
  "localhost 80\n",
  "127.0.0.1 0\n",
  "127.0.0.1 80 \n",
  "127.0.0.1 80 sctp\n",
  "1".repeat(64),
  "GET / HTTP/1.1\r\n",
])("lets nobody in who says %j", async (line) => {
  const socket = await entered();
  socket.on("error", () => undefined).write(line);
  expect(await text(socket).catch(() => "")).toBe("");
});
