import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { createServer, type Server } from "node:net";
import path from "node:path";
import type { Duplex } from "node:stream";
import { silentLog } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { AgentServer, refuseSecondAgent } from "./agent-server.ts";
import { FakeAuthority } from "./api-server.fake.ts";
import { requestCertificate } from "./certificate-request.ts";
import { nodeMetrics } from "./node-metrics.ts";
import { FakeWorld } from "./world.fake.ts";

const ask = { namespace: "default", revision: "hello-00001" };

async function served(world: FakeWorld) {
  world.revision();
  await world.start();
  await world.until(() => world.agent.homes.all[0]?.preparation.phase === "prepared");
  const server = new AgentServer({
    clock: world.clock,
    log: silentLog,
    pods: world.agent.pods,
    logs: world.logs,
    usage: () => Promise.reject(new Error("not measured here")),
    activate: (request) => world.agent.activator.activate(request),
    metrics: nodeMetrics({ pods: world.agent.pods, runtimes: [] }),
  });
  const socketPath = path.join(world.directory, "agent.sock");
  await server.listenSocket(socketPath);
  return { server, socketPath, [Symbol.asyncDispose]: () => server.close() };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function call(socketPath: string, method: string, target: string, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, method, path: target, agent: false }, (response) => {
      readAll(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    request.once("error", reject);
    request.end(body);
  });
}

async function readAll(stream: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString();
}

test("activates over the unix socket, a thousand requests in one start", async () => {
  await using world = await FakeWorld.open();
  await using it = await served(world);
  const answers = await Promise.all(
    Array.from({ length: 1000 }, () => call(it.socketPath, "POST", "/v1/activate", JSON.stringify(ask))),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(world.runtime.launches).toHaveLength(1);
  expect(JSON.parse(answers[0]!.text)).toMatchObject({ endpoint: { protocol: "wire" }, phasesMs: { prepare: 0 } });
  expect(await call(it.socketPath, "GET", "/v1/pulse")).toMatchObject({ status: 204, text: "" });
  const { podUid } = JSON.parse(answers[0]!.text) as { podUid: string };
  const requestIds = Array.from({ length: 500 }, () => crypto.randomUUID());
  for (const uid of [podUid, "another"]) {
    const told = await call(it.socketPath, "POST", `/v1/pods/${uid}/abandoned`, JSON.stringify({ requestIds }));
    expect(told.status).toBe(204);
  }
  const listed = await call(it.socketPath, "GET", "/v1/pods");
  expect(JSON.parse(listed.text)).toMatchObject([{ revision: "hello-00001", phase: "ready", variant: "wasm" }]);
});

test.each([
  ["POST", "/v1/activate", JSON.stringify({ ...ask, revision: "other" }), 409, "NOT_PREPARED"],
  ["POST", "/v1/activate", "{", 400, "BAD_REQUEST"],
  ["POST", "/v1/activate", '{"namespace":1,"revision":"r"}', 400, "BAD_REQUEST"],
  ["POST", "/v1/activate", `{"namespace":"${"x".repeat(5000)}"}`, 413, "BODY_TOO_LARGE"],
  ["GET", "/v1/activate", undefined, 405, "METHOD_NOT_ALLOWED"],
  ["GET", "/v1/pods/p/abandoned", undefined, 405, "METHOD_NOT_ALLOWED"],
  ["POST", "/v1/pods/p/abandoned", '{"requestIds":[1]}', 400, "BAD_REQUEST"],
  ["POST", "/v1/pods/p/abandoned", "[", 400, "BAD_REQUEST"],
  ["GET", "/nothing", undefined, 404, "NOT_FOUND"],
  ["GET", "/%ff/x", undefined, 400, "BAD_REQUEST"],
  ["GET", "/containerLogs/default/none/user-container", undefined, 404, "NOT_FOUND"],
  ["GET", "/v1/logs?namespace=default", undefined, 400, "BAD_REQUEST"],
  ["GET", "/v1/logs?namespace=default&service=hello&tailLines=-1", undefined, 400, "BAD_REQUEST"],
  ["GET", "/v1/logs?namespace=default&service=hello&sinceTime=soon", undefined, 400, "BAD_REQUEST"],
  ["GET", "/v1/pods/none/tunnel", undefined, 404, "NOT_FOUND"],
] as const)("%s %s is refused", async (...row) => {
  const [method, target, body, status, code] = row;
  await using world = await FakeWorld.open();
  await using it = await served(world);
  const answer = await call(it.socketPath, method, target, body);
  expect({ status: answer.status, code: (JSON.parse(answer.text) as { code: string }).code }).toEqual({ status, code });
});

test("shows a pod's log and a service's, also after the pod has ended", async () => {
  await using world = await FakeWorld.open();
  await using it = await served(world);
  const { podName } = await world.agent.activator.activate(ask);
  const { uid } = world.agent.pods.all[0]!;
  world.runtime.say(uid, "one", 1000);
  world.runtime.say(uid, "two", 2000);
  const log = `/containerLogs/default/${podName}/user-container`;
  expect((await call(it.socketPath, "GET", `${log}?tailLines=1&timestamps=true`)).text).toBe(
    "1970-01-01T00:00:02.000000000Z two\n",
  );
  expect((await call(it.socketPath, "GET", `/containerLogs/default/${podName}/other`)).status).toBe(404);
  world.agent.pods.all[0]?.stop(0);
  // It goes from the list as soon as the API knows.
  await world.until(() => (world.agent.pods.all[0]?.state.phase ?? "ended") === "ended");
  const service = await call(it.socketPath, "GET", "/v1/logs?namespace=default&service=hello&prefix=true");
  expect(service.text).toBe(`[pod/${podName}/user-container] one\n[pod/${podName}/user-container] two\n`);
});

test("follows a log until the reader leaves", async () => {
  await using world = await FakeWorld.open();
  await using it = await served(world);
  const { podName } = await world.agent.activator.activate(ask);
  const { uid } = world.agent.pods.all[0]!;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const target = `/containerLogs/default/${podName}/user-container?follow=true`;
    httpRequest({ socketPath: it.socketPath, path: target, agent: false }, resolve).once("error", reject).end();
  });
  const seen: string[] = [];
  response.on("data", (chunk: Buffer) => seen.push(chunk.toString()));
  for (const line of ["one", "two"]) {
    world.runtime.say(uid, line);
    await world.until(() => seen.join("").endsWith(`${line}\n`));
  }
  response.destroy();
});

/** A pod that sends back what it gets, and says goodbye when its peer has ended. */
async function echoPod(socketPath: string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("data", (chunk) => {
      if (!socket.write(chunk)) {
        socket.pause();
        socket.once("drain", () => socket.resume());
      }
    });
    socket.on("end", () => socket.end("goodbye"));
    socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return server;
}

async function tunnelled(world: FakeWorld): Promise<{ pod: Server; uid: string }> {
  const socket = path.join(world.directory, "pod.sock");
  world.endpointOf = () => ({ protocol: "wire", socket });
  const pod = await echoPod(socket);
  const { podUid } = await world.agent.activator.activate(ask);
  return { pod, uid: podUid };
}

function upgrade(request: ReturnType<typeof httpRequest>): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    request.once("upgrade", (_response, socket) => resolve(socket));
    request.once("response", (response) => reject(new Error(`status ${String(response.statusCode)}`)));
    request.once("error", reject);
    request.end();
  });
}

const headers = { connection: "Upgrade", upgrade: "shallop-tunnel" };

test("a tunnel passes bytes both ways, a megabyte of them, and the end of one direction only", async () => {
  await using world = await FakeWorld.open();
  await using it = await served(world);
  const { pod, uid } = await tunnelled(world);
  const tunnel = await upgrade(httpRequest({ socketPath: it.socketPath, path: `/v1/pods/${uid}/tunnel`, headers }));
  const sent = Buffer.alloc(1024 * 1024, "shallop ");
  tunnel.write(sent);
  tunnel.end();
  const received = await readAll(tunnel);
  expect(received.length).toBe(sent.length + "goodbye".length);
  expect(received.endsWith("shallop goodbye")).toBe(true);
  pod.close();
});

test("a tunnel to a pod that accepts nothing is refused", async () => {
  await using world = await FakeWorld.open();
  await using it = await served(world);
  const { podUid } = await world.agent.activator.activate(ask);
  const request = httpRequest({ socketPath: it.socketPath, path: `/v1/pods/${podUid}/tunnel`, headers });
  await expect(upgrade(request)).rejects.toThrow("status 502");
});

/** An authority, and certificates of it. */
async function authority() {
  const root = await FakeAuthority.create();
  const issue = async (organisation: string) => {
    const { key, request } = requestCertificate("n1", ["127.0.0.1", "localhost"]);
    return { key, cert: await root.sign(request, organisation) };
  };
  return { ca: root.pem, issue };
}

test("the port serves gateways and the control plane, over mutual TLS, and nobody else", async () => {
  await using world = await FakeWorld.open();
  await using it = await served(world);
  const { pod, uid } = await tunnelled(world);
  const { ca, issue } = await authority();
  const own = await issue("system:nodes");
  const port = await it.server.listenPort("127.0.0.1", 0, { key: own.key, certificate: own.cert, authority: ca });
  const get = (client: object): Promise<Answer> =>
    new Promise((resolve, reject) => {
      httpsRequest({ host: "127.0.0.1", port, path: "/v1/pods", ca, agent: false, ...client }, (response) => {
        readAll(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
      })
        .once("error", reject)
        .end();
    });
  const gateway = await issue("shallop:gateway");
  expect((await get(gateway)).status).toBe(200);
  expect((await get(await issue("shallop:control-plane"))).status).toBe(200);
  expect((await get(await issue("system:nodes"))).status).toBe(403);
  await expect(get({})).rejects.toThrow();
  await expect(get(await (await authority()).issue("shallop:gateway"))).rejects.toThrow();

  const options = { host: "127.0.0.1", port, path: `/v1/pods/${uid}/tunnel`, ca, agent: false, headers } as const;
  const tunnel = await upgrade(httpsRequest({ ...options, ...gateway }));
  tunnel.write("hello");
  const first = await new Promise<Buffer>((resolve) => tunnel.once("data", resolve));
  expect(first.toString()).toBe("hello");
  tunnel.destroy();
  await expect(upgrade(httpsRequest({ ...options, ...(await issue("system:nodes")) }))).rejects.toThrow("status 403");

  const renewed = await issue("system:nodes");
  it.server.renew({ key: renewed.key, certificate: renewed.cert, authority: ca });
  expect((await get(gateway)).status).toBe(200);
  pod.close();
});

test("a second agent on a data directory is refused", async () => {
  await using world = await FakeWorld.open();
  await using it = await served(world);
  await expect(refuseSecondAgent(it.socketPath)).rejects.toThrow(/another node agent runs on this data directory/);
  await refuseSecondAgent(path.join(world.directory, "none.sock"));
});

test("Prometheus is told of the node's pods and of the agent itself", async () => {
  await using world = await FakeWorld.open();
  await using serving = await served(world);
  await call(serving.socketPath, "POST", "/v1/activate", JSON.stringify(ask));
  expect(await call(serving.socketPath, "GET", "/healthz")).toMatchObject({ status: 200, text: "ok" });
  const { status, text } = await call(serving.socketPath, "GET", "/metrics");
  expect(status).toBe(200);
  expect(text).toContain('shallop_node_pods{k8s_pod_status_phase="ready"} 1');
  expect(text).toMatch(/^process_memory_usage_bytes [1-9]/m);
});
