import { mkdir, writeFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import { annotation, type PodEndpoint } from "@shallop/sdk/api";
import { systemClock } from "@shallop/sdk/internal";
import { standbyDirectoryName, standbyFileName } from "@shallop/sdk/wire";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeAgent, type FakeAgentOptions, FakeAuthority } from "../agent.fake.ts";
import { call, start } from "../client.fake.ts";
import { activation, fakeNode, fakePod, saying } from "../gateway.fake.ts";
import type { AgentTls } from "../proxy/dial.ts";
import { compileNode, unknownRevision } from "../route/target.ts";
import { AgentClient } from "./agent-client.ts";

const target = unknownRevision("default", "cold-00001");
const never = new AbortController().signal;

async function startAgent(options: FakeAgentOptions): Promise<FakeAgent> {
  const agent = await FakeAgent.start(options);
  onTestFinished(() => agent[Symbol.dispose]());
  return agent;
}

function client(tls?: AgentTls): AgentClient {
  const made = new AgentClient({ clock: systemClock, machine: "here", tls });
  onTestFinished(() => made.close());
  return made;
}

const answering =
  (status: number, body: unknown): RequestListener =>
  (_incoming, outgoing) => {
    outgoing.statusCode = status;
    outgoing.end(typeof body === "string" ? body : JSON.stringify(body));
  };

const socketOf = (endpoint: PodEndpoint): string => (endpoint.protocol === "wire" ? endpoint.socket : "");

describe("AgentClient", () => {
  const good = activation("cold-00001-a", { protocol: "wire", socket: "/run/a.sock" });

  test("asks an agent of this machine over its unix socket", async () => {
    const cluster = await start();
    const socket = join(cluster.folder, "agent.sock");
    const asked: string[] = [];
    await startAgent({
      socket,
      respond: (incoming, outgoing) => {
        void incoming.toArray().then((chunks: Buffer[]) => {
          asked.push(`${incoming.method} ${incoming.url} ${Buffer.concat(chunks).toString()}`);
          outgoing.end(JSON.stringify(good));
        });
      },
    });
    const node = compileNode(fakeNode("n1", { [annotation.agentSocket]: socket }));
    expect(await client().activate(node, target, { signal: never })).toEqual(good);
    expect(asked).toEqual(['POST /v1/activate {"namespace":"default","revision":"cold-00001"}']);
  });

  test("finds what a node of this machine has answered ahead, and believes no other file", async () => {
    const cluster = await start();
    const activationSocket = join(cluster.folder, "activate.sock");
    const directory = join(cluster.folder, standbyDirectoryName);
    const file = join(directory, standbyFileName({ namespace: "default", revision: "cold-00001" }));
    const node = compileNode(fakeNode("n1", { [annotation.activationSocket]: activationSocket }));
    expect(client().standby(node, target)).toBeUndefined();
    await mkdir(directory);
    await writeFile(file, JSON.stringify(good));
    expect(client().standby(node, target)).toEqual(good);
    expect(client().standby(node, unknownRevision("other", "cold-00001"))).toBeUndefined();
    expect(client().standby(compileNode(fakeNode("n1")), target), "a node that says of no such place").toBeUndefined();
    const elsewhere = compileNode(
      fakeNode("n2", { [annotation.activationSocket]: activationSocket, [annotation.machine]: "elsewhere" }),
    );
    expect(client().standby(elsewhere, target)).toBeUndefined();
    for (const text of ["", "{", "[]", "{}", JSON.stringify({ ...good, endpoint: { protocol: "ftp" } })]) {
      await writeFile(file, text);
      expect(client().standby(node, target), text).toBeUndefined();
    }
  });

  test("asks in frames where the agent of this machine speaks them", async () => {
    const cluster = await start();
    const asked: string[] = [];
    const { endpoint } = await cluster.wirePod(({ method, target: path }, stream) => ({
      data: (chunk) => void asked.push(`${method} ${path} ${chunk.toString()}`),
      end: () => {
        stream.respond({ status: 200, headers: [] });
        stream.write(Buffer.from(JSON.stringify(good)));
        stream.end();
      },
      failed: () => undefined,
    }));
    const annotations = { [annotation.agentSocket]: "/nowhere", [annotation.activationSocket]: socketOf(endpoint) };
    const near = compileNode(fakeNode("n1", annotations));
    const asking = client();
    for (const _ of ["first", "over the same connection"])
      expect(await asking.activate(near, target, { signal: never })).toEqual(good);
    expect(new Set(asked)).toEqual(new Set(['POST /v1/activate {"namespace":"default","revision":"cold-00001"}']));
    const gone = compileNode(fakeNode("n1", { [annotation.activationSocket]: "/nowhere/activate.sock" }));
    await expect(asking.activate(gone, target, { signal: never })).rejects.toMatchObject({ code: "CONNECT_FAILED" });
  });

  const answers: { name: string; status: number; body: unknown; code: string }[] = [
    { name: "not prepared", status: 409, body: { code: "NOT_PREPARED", message: "m" }, code: "NOT_PREPARED" },
    { name: "no room", status: 503, body: { code: "NO_CAPACITY", message: "m" }, code: "NO_CAPACITY" },
    { name: "no variant", status: 422, body: { code: "NO_USABLE_VARIANT", message: "m" }, code: "NO_USABLE_VARIANT" },
    { name: "a code of its own", status: 500, body: { code: "WHATEVER", message: "m" }, code: "START_FAILED" },
    { name: "no JSON", status: 200, body: "<html>", code: "START_FAILED" },
    { name: "half an activation", status: 200, body: { podName: "a" }, code: "START_FAILED" },
    {
      name: "an activation without phases",
      status: 200,
      body: { podName: "a", podUid: "b", started: true },
      code: "START_FAILED",
    },
    { name: "more than an activation can be", status: 200, body: "x".repeat(100_000), code: "CONNECT_FAILED" },
  ];
  test.each(answers)("$name is $code", async ({ status, body, code }) => {
    const cluster = await start();
    const socket = join(cluster.folder, "agent.sock");
    await startAgent({ socket, respond: answering(status, body) });
    const node = compileNode(fakeNode("n1", { [annotation.agentSocket]: socket }));
    await expect(client().activate(node, target, { signal: never })).rejects.toMatchObject({ code });
  });

  test("an agent that is not there is CONNECT_FAILED", async () => {
    const node = compileNode(fakeNode("n1", { [annotation.agentSocket]: "/nowhere/agent.sock" }));
    await expect(client().activate(node, target, { signal: never })).rejects.toMatchObject({ code: "CONNECT_FAILED" });
    const elsewhere = compileNode(fakeNode("n2", { [annotation.machine]: "there" }));
    await expect(client().activate(elsewhere, target, { signal: never })).rejects.toMatchObject({
      code: "CONNECT_FAILED",
    });
    const odd = compileNode(fakeNode("n2", { [annotation.machine]: "there", [annotation.agentAddress]: "nonsense" }));
    await expect(client().activate(odd, target, { signal: never })).rejects.toMatchObject({ code: "CONNECT_FAILED" });
  });

  test("is stopped by its signal", async () => {
    const cluster = await start();
    const socket = join(cluster.folder, "agent.sock");
    await startAgent({ socket, respond: () => undefined });
    const node = compileNode(fakeNode("n1", { [annotation.agentSocket]: socket }));
    const stop = new AbortController();
    const asked = client().activate(node, target, { signal: stop.signal });
    stop.abort();
    await expect(asked).rejects.toMatchObject({ code: "CONNECT_FAILED" });
    // One that has stopped already is asked nothing.
    const late = client().activate(node, target, { signal: stop.signal });
    await expect(late).rejects.toMatchObject({ code: "CONNECT_FAILED" });
  });
});

describe("over mutual TLS, from another machine", () => {
  test("a cold request is activated and answered through the tunnel, a wasm pod", async () => {
    const authority = await FakeAuthority.create();
    const gatewayTls = await authority.issue("O=shallop:gateway, CN=system:gateway");
    const agents = client(gatewayTls);
    const cluster = await start({}, { tls: gatewayTls, agents });
    const pod = await cluster.wirePod(saying("from afar"));
    const agent = await startAgent({
      tls: await authority.issue("O=shallop:node, CN=system:node:n9"),
      respond: answering(200, activation("cold-00001-a", pod.endpoint)),
      tunnels: new Map([["uid-cold-00001-a", pod.endpoint]]),
    });
    const there = { [annotation.machine]: "there", [annotation.agentAddress]: agent.address };
    cluster.gateway.cluster.set("nodes", fakeNode("n9", there));
    cluster.service("cold", {}, ["n9"]);
    for (let round = 0; round < 3; round++) expect((await call(cluster, "cold")).body).toBe("from afar");
    // One connection to ask, one tunnel, and perhaps one that feels the pulse.
    expect(new Set(agent.clients)).toEqual(new Set(["shallop:gateway"]));
    expect(agent.tunnelsOpened).toBe(1);
  });

  test("a native pod, its connections kept", async () => {
    const authority = await FakeAuthority.create();
    const gatewayTls = await authority.issue("O=shallop:gateway");
    const cluster = await start({}, { tls: gatewayTls });
    const { endpoint } = await cluster.nativePod((incoming, outgoing) => incoming.pipe(outgoing));
    const agent = await startAgent({
      tls: await authority.issue("O=shallop:node"),
      respond: answering(500, ""),
      tunnels: new Map([["uid-far-00001-a", endpoint]]),
    });
    const there = { [annotation.machine]: "there", [annotation.agentAddress]: agent.address };
    cluster.gateway.cluster.set("nodes", fakeNode("n9", there));
    cluster.service("far");
    cluster.gateway.cluster.set("pods", fakePod("far-00001-a", "far-00001", { endpoint, node: "n9" }));
    const body = "x".repeat(1_000_000);
    for (let round = 0; round < 3; round++) {
      expect((await call(cluster, "far", { method: "POST", body })).body).toBe(body);
    }
    expect(agent.tunnelsOpened).toBe(1);
  });

  test("an agent of another authority, and one without that pod, are no way to it", async () => {
    const authority = await FakeAuthority.create();
    const impostor = await FakeAuthority.create("CN=impostor");
    const gatewayTls = await authority.issue("O=shallop:gateway");
    const cluster = await start({ activationTimeoutMs: 150 }, { tls: gatewayTls });
    const pod = await cluster.wirePod(saying("secret"));
    const tunnels = new Map([["uid-far-00001-a", pod.endpoint]]);
    const wrong = await startAgent({
      tls: await impostor.issue("O=shallop:node"),
      respond: answering(500, ""),
      tunnels,
    });
    const empty = await startAgent({ tls: await authority.issue("O=shallop:node"), respond: answering(500, "") });
    for (const address of [wrong.address, empty.address]) {
      cluster.gateway.cluster.set(
        "nodes",
        fakeNode("n9", { [annotation.machine]: "there", [annotation.agentAddress]: address }),
      );
      cluster.service("far", {}, []);
      cluster.gateway.cluster.set("pods", fakePod("far-00001-a", "far-00001", { endpoint: pod.endpoint, node: "n9" }));
      expect((await call(cluster, "far")).status).toBe(503);
    }
    expect(pod.seen).toEqual([]);
  });
});
