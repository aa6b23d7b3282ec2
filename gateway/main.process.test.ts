import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { annotation, type ApiObject } from "@shallop/sdk/api";
import { machineIdentity, type ReadyMessage } from "@shallop/sdk/internal";
import type { LoadReport, RevisionLoad } from "@shallop/sdk/wire";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeAgent, FakeAuthority } from "./agent.fake.ts";
import { call } from "./client.fake.ts";
import { activation, FakeCluster, fakeNode, fakeRevision, fakeRoute, saying } from "./gateway.fake.ts";
import type { AgentTls } from "./proxy/dial.ts";

/** The part of the API server that a gateway talks to: lists, watches that say nothing, and load reports. */
class FakeApi {
  readonly reports: LoadReport[] = [];
  readonly #objects: Readonly<Record<string, readonly ApiObject[]>>;
  readonly #tls: AgentTls;
  readonly #sockets = new Set<Socket>();
  #server = createServer();

  constructor(tls: AgentTls, objects: Readonly<Record<string, readonly ApiObject[]>>) {
    this.#tls = tls;
    this.#objects = objects;
  }

  async listen(port = 0): Promise<number> {
    this.#server = createServer(this.#tls, (incoming, outgoing) => {
      const url = new URL(incoming.url ?? "", "https://api");
      if (incoming.method === "POST" && url.pathname === "/shallop/v1/load") {
        void incoming.toArray().then((chunks: Buffer[]) => {
          this.reports.push(JSON.parse(Buffer.concat(chunks).toString()) as LoadReport);
          outgoing.writeHead(204).end();
        });
        return;
      }
      outgoing.writeHead(200, { "content-type": "application/json" });
      if (url.searchParams.get("watch") !== null) return outgoing.flushHeaders();
      const items = this.#objects[url.pathname.split("/").at(-1) ?? ""] ?? [];
      outgoing.end(JSON.stringify({ kind: "List", apiVersion: "v1", metadata: { resourceVersion: "1" }, items }));
    });
    this.#server.on("connection", (socket: Socket) => this.#sockets.add(socket));
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  kill(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

let folder: string;
let cluster: FakeCluster;
let api: FakeApi;
let agent: FakeAgent;
let arguments_: string[];
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gateway-main-"));
  cluster = await FakeCluster.start();
  const pod = await cluster.wirePod(saying("hello from the pod"));
  const agentSocket = join(folder, "agent.sock");
  agent = await FakeAgent.start({
    socket: agentSocket,
    respond: (_incoming, outgoing) => outgoing.end(JSON.stringify(activation("hello-00001-a", pod.endpoint))),
  });
  const authority = await FakeAuthority.create();
  const tls = await authority.issue("CN=api");
  const here = { [annotation.machine]: machineIdentity(), [annotation.agentSocket]: agentSocket };
  api = new FakeApi(tls, {
    nodes: [fakeNode("n1", here)],
    revisions: [fakeRevision("hello-00001")],
    routes: [fakeRoute("hello", [{ revisionName: "hello-00001", percent: 100 }])],
  });
  const port = await api.listen();
  const credentials = join(folder, "gateway.json");
  const { cert: certificate, key } = await authority.issue("O=shallop:gateway");
  const server = `https://127.0.0.1:${port}`;
  await writeFile(credentials, JSON.stringify({ server, token: "t", authority: tls.ca, certificate, key }));
  arguments_ = ["--credentials", credentials, "--port", "0", "--state", join(folder, "state.json")];
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  api.kill();
  agent[Symbol.dispose]();
  await cluster[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  readonly log: () => string;
}

async function startGateway(): Promise<Started> {
  const child = fork(join(import.meta.dirname, "main.ts"), arguments_, { silent: true, execArgv: [] });
  children.push(child);
  let log = "";
  child.stderr?.on("data", (chunk: Buffer) => (log += chunk.toString()));
  // Before that it gives its sockets away.
  const ready = new Promise<ReadyMessage>((resolve) => {
    child.on("message", (said: ReadyMessage | { readonly type: "keep-socket" }) => {
      if (said.type === "ready") resolve(said);
    });
  });
  const message = await Promise.race([ready, once(child, "exit").then(() => Promise.reject(new Error(log)))]);
  return { child, url: message.facts["url"] ?? "", log: () => log };
}

async function ask(url: string, service = "hello"): Promise<string> {
  const { status, body } = await call({ port: Number(new URL(url).port) }, service);
  return `${status} ${body}`;
}

describe("the gateway's process", () => {
  test("serves from zero, tells of its load, and stops when it is told to", async () => {
    const startedMs = performance.now();
    const { child, url } = await startGateway();
    expect(performance.now() - startedMs).toBeLessThan(60_000);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(await ask(url)).toBe("200 hello from the pod");
    const told = (): readonly RevisionLoad[] => api.reports.flatMap(({ revisions }) => revisions);
    while (told().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(told()[0]).toMatchObject({ namespace: "default", revision: "hello-00001" });
    expect(api.reports[0]?.peerAddress).toMatch(/^127\.0\.0\.1:\d+$/);
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("goes on when the control plane is gone, and starts again without it", async () => {
    const first = await startGateway();
    expect(await ask(first.url)).toBe("200 hello from the pod");
    api.kill();
    expect(await ask(first.url)).toBe("200 hello from the pod");
    first.child.kill("SIGTERM");
    await once(first.child, "exit");
    const second = await startGateway();
    expect(await ask(second.url)).toBe("200 hello from the pod");
    expect(await ask(second.url, "unheard")).toMatch(/^503 ROUTES_UNKNOWN/);
    expect(second.log()).toContain("serving what was known last");
  });

  test("without descriptors for more connections it goes on, and takes new ones when there are some again", async ({
    skip,
  }) => {
    if (process.platform !== "linux") skip("prlimit is Linux's");
    const { child, url } = await startGateway();
    expect(await ask(url)).toBe("200 hello from the pod");
    execFileSync("prlimit", ["--pid", String(child.pid), "--nofile=128:128"]);
    const flood = Array.from({ length: 300 }, () => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1");
      return socket.on("error", () => undefined);
    });
    await Promise.race(flood.map((socket) => once(socket, "close").catch(() => undefined)));
    expect(child.exitCode).toBe(null);
    for (const socket of flood) socket.destroy();
    let answer = "";
    while (answer !== "200 hello from the pod") answer = await ask(url).catch(String);
  });

  test("stops when its supervisor is gone", async () => {
    const { child } = await startGateway();
    child.disconnect();
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test.each([
    { name: "no credentials", change: () => [], says: "--credentials" },
    { name: "a flag that is none", change: (old: string[]) => [...old, "--nonsense"], says: "nonsense" },
    { name: "a file that is not there", change: () => ["--credentials", "/nowhere.json"], says: "/nowhere.json" },
    { name: "a port in use", change: (old: string[]) => [...old, "--port", String(cluster.port)], says: "in use" },
  ])("$name: one sentence, and exit code 1", async ({ change, says }) => {
    arguments_ = change(arguments_);
    const child = fork(join(import.meta.dirname, "main.ts"), arguments_, { silent: true, execArgv: [] });
    children.push(child);
    let log = "";
    child.stderr?.on("data", (chunk: Buffer) => (log += chunk.toString()));
    expect(await once(child, "exit")).toEqual([1, null]);
    expect(log).toContain(says);
    expect(log.trim().split("\n").length).toBe(1);
  });
});
