import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { WireConnection, webSocketType } from "@shallop/sdk/wire";
import { figure } from "./figures.ts";
import { proportionalBytes } from "./processes.ts";

export interface IdleBench {
  readonly connections: number;
}
export const largeIdleBench: IdleBench = { connections: 10_000 };
export const smallIdleBench: IdleBench = { connections: 200 };

interface Held {
  readonly connections: number;
  readonly webSockets: number;
  readonly heapBytes: number;
}

const host = "host: idle.default.localhost\r\n";
const get = `GET / HTTP/1.1\r\n${host}user-agent: bench\r\naccept: */*\r\n\r\n`;
const handshake = `GET /room HTTP/1.1\r\n${host}upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
// Connections that are made at the same time; more would wait in the listening socket's queue.
const atOnce = 100;

/** What clients that say nothing cost the gateway: connections that have had an answer, and WebSockets of a function at rest. */
export async function idleBench({ connections: count }: IdleBench): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "idle-"));
  const socket = join(folder, "pod.sock");
  const pod = createServer(answering).listen(socket);
  try {
    await once(pod, "listening");
    console.log(`\n${count} clients that say nothing, at a gateway of their own`);
    await held("an idle connection of HTTP/1.1", { socket, count, request: get, goalKib: 10 });
    await held("an idle WebSocket of a component", { socket, count, request: handshake, goalKib: 20 });
  } finally {
    pod.close();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Kind {
  /** Of the pod. */
  readonly socket: string;
  readonly count: number;
  readonly request: string;
  readonly goalKib: number;
}

async function held(name: string, { socket, count, request, goalKib }: Kind): Promise<void> {
  const program = fileURLToPath(new URL("idle-gateway.ts", import.meta.url));
  const gateway = fork(program, [socket, `${count}`], { execArgv: ["--expose-gc"] });
  try {
    const [port] = (await once(gateway, "message")) as [number];
    // What is made for the first ones only is no cost of one more.
    close(await opened(port, request, atOnce));
    const before = await memoryOf(gateway, 0);
    const clients = await opened(port, request, count);
    const after = await memoryOf(gateway, count);
    close(clients);
    const kib = (bytes: number): string => `${(bytes / count / 1024).toFixed(1)} KiB`;
    const heap = kib(after.heapBytes - before.heapBytes);
    const words = `goal ${goalKib} KiB; of it in use by JavaScript ${heap}; ${(after.residentBytes / 1024 ** 2).toFixed(0)} MiB in all`;
    figure(name, kib(after.residentBytes - before.residentBytes), words);
  } finally {
    gateway.kill();
  }
}

function answering(socket: Socket): void {
  const connection = new WireConnection(socket, {
    request: ({ headers }, stream) => {
      const isEvent = headers.includes("x-shallop-websocket");
      return {
        data: (chunk) => stream.consumed(chunk.length),
        end: () => {
          stream.respond({ status: 200, headers: ["content-type", isEvent ? webSocketType : "text/plain"] });
          if (!isEvent) stream.write(Buffer.from("hello\n"));
          stream.end();
        },
        failed: () => undefined,
      };
    },
    closed: () => connection.destroy(),
  });
}

/** Connections that have had their answer, the chosen number of them. */
async function opened(port: number, request: string, count: number): Promise<readonly Socket[]> {
  const clients: Socket[] = [];
  while (clients.length < count) {
    const some = Array.from({ length: Math.min(atOnce, count - clients.length) }, () => connect(port, "127.0.0.1"));
    await Promise.all(
      some.map(async (socket) => {
        socket.on("error", () => undefined);
        socket.write(request);
        const [answer] = (await once(socket, "data")) as [Buffer];
        if (!/^HTTP\/1\.1 (?:200|101) /.test(answer.toString("latin1"))) throw new Error(answer.toString("latin1"));
        socket.resume();
      }),
    );
    clients.push(...some);
  }
  return clients;
}

function close(clients: readonly Socket[]): void {
  for (const client of clients) client.destroy();
}

/** Once the gateway has so many connections. */
async function memoryOf(gateway: ChildProcess, count: number): Promise<Held & { readonly residentBytes: number }> {
  for (;;) {
    gateway.send("collect");
    const [held] = (await once(gateway, "message")) as [Held];
    if (held.connections === count) return { ...held, residentBytes: proportionalBytes(gateway.pid ?? 0) };
    await new Promise((resolve) => void setTimeout(resolve, 100));
  }
}
