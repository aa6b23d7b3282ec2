import { fork } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PodEndpoint } from "@shallop/sdk/api";
import { WireConnection } from "@shallop/sdk/wire";
import { putLoad } from "../test/support/load.ts";
import { FakeCluster, fakePod } from "./gateway.fake.ts";

/**
 * Warm requests per second through the gateway to a wasm pod and to a native pod, against bare `node:http`. Each server
 * is a process of its own. `node gateway/gateway.bench.ts [seconds] [connections]`
 */
const socket = join(tmpdir(), `gateway-bench-${process.pid}.sock`);
const [role = "", ...rest] = process.argv.slice(2);

const roles: Readonly<Record<string, () => Promise<unknown>>> = {
  hello: async () => {
    const server = createHttpServer((_incoming, outgoing) => {
      outgoing.writeHead(200, { "content-type": "text/plain", "content-length": "6" });
      outgoing.end("hello\n");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  },
  wire: async () => {
    const path = rest[0] ?? "";
    const body = Buffer.from("hello\n");
    const server = createServer(
      (accepted) =>
        new WireConnection(accepted, {
          request: (_head, stream) => ({
            data: (chunk) => stream.consumed(chunk.length),
            end: () => {
              stream.respond({ status: 200, headers: ["content-type", "text/plain", "content-length", "6"] });
              stream.write(body);
              stream.end();
            },
            failed: () => undefined,
          }),
          closed: () => undefined,
        }),
    );
    server.listen(path);
    await once(server, "listening");
    return path;
  },
  gateway: async () => {
    const cluster = await FakeCluster.start({ requestsPerConnectionMax: Number.MAX_SAFE_INTEGER });
    const endpoints: Readonly<Record<string, PodEndpoint>> = {
      wasm: { protocol: "wire", socket: rest[0] ?? "" },
      native: { protocol: "http1", host: "127.0.0.1", port: Number(rest[1]) },
    };
    for (const [name, endpoint] of Object.entries(endpoints)) {
      cluster.service(name);
      cluster.gateway.cluster.set("pods", fakePod(`${name}-00001-a`, `${name}-00001`, { endpoint }));
    }
    return cluster.port;
  },
};

async function startRole(name: string, ...args: string[]): Promise<{ readonly answer: unknown; stop: () => void }> {
  const child = fork(import.meta.filename, [name, ...args]);
  const [answer] = (await once(child, "message")) as [unknown];
  return { answer, stop: () => void child.kill() };
}

async function main(): Promise<void> {
  const seconds = Number(role === "" ? 3 : role);
  const connections = Number(rest[0] ?? 32);
  const hello = await startRole("hello");
  const wire = await startRole("wire", socket);
  const gateway = await startRole("gateway", socket, String(hello.answer));
  const cases = [
    ["node:http hello", Number(hello.answer), "hello"],
    ["gateway → wasm pod", Number(gateway.answer), "wasm.default.localhost:8080"],
    ["gateway → native pod", Number(gateway.answer), "native.default.localhost:8080"],
  ] as const;
  for (const [name, port, host] of cases) {
    await putLoad({ port, host, connections, durationMs: 500 });
    const result = await putLoad({ port, host, connections, durationMs: seconds * 1000 });
    const { requestsPerSecond, p50Ms, p99Ms, statuses, broken } = result;
    const figures = `${Math.round(requestsPerSecond)} requests/s, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`;
    process.stdout.write(`${name}: ${figures}, ${JSON.stringify(statuses)}, broken ${broken}\n`);
  }
  for (const { stop } of [hello, wire, gateway]) stop();
  await rm(socket, { force: true });
}

const start = roles[role];
if (start === undefined) await main();
else process.send?.(await start());
