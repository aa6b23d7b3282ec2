import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { annotation, label, type Node, nodes, type Pod, pods, type Revision, revisions } from "@shallop/sdk/api";
import { componentNames } from "@shallop/sdk/build";
import { ContentStore, parseReference, pushImage, RegistryClient, writeImage } from "@shallop/sdk/image";
import type { Activation } from "@shallop/sdk/wire";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { guestComponent } from "../host/testing/components.ts";
import { WireClient } from "../host/testing/wire-client.ts";
import { FakeApiServer, FakeAuthority } from "./api-server.fake.ts";
import { requestCertificate } from "./certificate-request.ts";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));
const registryPort = 5000 + (process.pid % 20_000);

let directory: string;
let server: FakeApiServer;
let image: string;
let agent: ChildProcess;
let startedMs = 0;
const output: string[] = [];

async function startAgent(): Promise<Record<string, string>> {
  const begun = performance.now();
  agent = fork(
    main,
    [
      `--data=${path.join(directory, "data")}`,
      `--join=${server.url}`,
      `--token=${server.joinToken}`,
      "--name=n1",
      "--port=0",
      `--registry-port=${String(registryPort)}`,
      `--builtin-registry=127.0.0.1:${String(registryPort)}`,
    ],
    { stdio: ["ignore", "inherit", "pipe", "ipc"], execArgv: [] },
  );
  agent.stderr?.on("data", (chunk: Buffer) => output.push(chunk.toString()));
  return new Promise((resolve, reject) => {
    agent.once("message", (message: { facts: Record<string, string> }) => {
      startedMs = performance.now() - begun;
      resolve(message.facts);
    });
    agent.once("exit", (code) => reject(new Error(`the agent ended with ${String(code)}: ${output.join("")}`)));
  });
}

async function endAgent(signal: NodeJS.Signals): Promise<void> {
  const ended = new Promise((resolve) => agent.once("exit", resolve));
  agent.kill(signal);
  await ended;
}

async function until<T>(read: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
  const deadline = performance.now() + 120_000;
  for (;;) {
    const value = await read();
    if (value !== undefined) return value;
    if (performance.now() > deadline)
      throw new Error(`waited in vain for ${what}; the agent said:\n${output.join("")}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const nodeObject = (): Node | undefined => server.api.find(nodes, undefined, "n1");
const ready = (name: string): Pod | undefined => {
  const pod = server.api.find(pods, "default", name);
  const isReady = pod?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
  // Where it is asked is written by itself.
  return isReady && pod.metadata.annotations?.[annotation.endpoint] !== undefined ? pod : undefined;
};
const endpointOf = (pod: Pod): { readonly socket: string } =>
  JSON.parse(pod.metadata.annotations?.[annotation.endpoint] ?? "{}") as { socket: string };

async function ask(socket: string, target: string): Promise<string> {
  using client = await WireClient.connect(socket);
  const { head, body } = await client.get(target);
  return `${String(head.status)} ${body.toString()}`;
}

function activate(revision: string): Promise<Activation> {
  const socketPath = nodeObject()?.metadata.annotations?.[annotation.agentSocket] ?? "";
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, method: "POST", path: "/v1/activate" }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode === 200) resolve(JSON.parse(text) as Activation);
        else reject(new Error(text));
      });
    });
    request.once("error", reject);
    request.end(JSON.stringify({ namespace: "default", revision }));
  });
}

const putRevision = (name: string, imageDigest: string): Revision =>
  server.api.put(revisions, {
    apiVersion: "serving.knative.dev/v1",
    kind: "Revision",
    metadata: { name, namespace: "default", labels: { [label.service]: "hello" } },
    spec: { containers: [{ image: "hello:1" }] },
    status: { homeNodes: ["n1"], containerStatuses: [{ name: "user-container", imageDigest }] },
  });
const putPod = (name: string): Pod =>
  server.api.put(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { [label.service]: "hello" } },
    spec: { nodeName: "n1", containers: [{ name: "user-container", image }] },
  });

/** Writes the guest as an image and pushes it to the node's own registry. Gives its reference with digest. */
async function pushGuest(): Promise<string> {
  const { path: file } = await guestComponent();
  const store = await ContentStore.open(path.join(directory, "build"));
  const component = componentNames(await readFile(file));
  const written = await writeImage(store, { wasm: { path: file, component } });
  const reference = parseReference(`127.0.0.1:${String(registryPort)}/hello:1`, { defaultRegistry: "" });
  const { digest } = await pushImage(new RegistryClient(), store, { reference, target: written.index });
  return `127.0.0.1:${String(registryPort)}/hello@${digest}`;
}

describe("a node with its real parts", () => {
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "shallop-node-"));
    server = await FakeApiServer.listen(requestCertificate("api", ["127.0.0.1"]), await FakeAuthority.create());
    await startAgent();
    image = await pushGuest();
  });

  afterAll(async () => {
    if (agent.exitCode === null && agent.signalCode === null) await endAgent("SIGTERM");
    await server[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  test("registers itself with what it can do", async () => {
    const node = await until(nodeObject, "the node");
    expect(node.status?.conditions).toMatchObject([{ type: "Ready", status: "True" }, { type: "IsolationComplete" }]);
    expect(node.metadata.annotations?.[annotation.features]).toContain("wasi:http@0.2");
    console.log(`agent ready after ${startedMs.toFixed(0)} ms`);
  });

  test("runs a bound pod, and shows its log", async () => {
    putPod("bound");
    const pod = await until(() => ready("bound"), "the bound pod");
    expect(await ask(endpointOf(pod).socket, "/hello")).toMatch(/^200 /);
  });

  test("prepares a revision and activates it in milliseconds", async () => {
    putRevision("hello-00001", image);
    await until(() => server.api.find(revisions, "default", "hello-00001")?.status?.preparedNodes?.[0], "preparation");
    const before = performance.now();
    const activation = await activate("hello-00001");
    console.log(
      `activated in ${(performance.now() - before).toFixed(1)} ms, start ${activation.phasesMs.start.toFixed(1)} ms`,
    );
    expect(await ask((activation.endpoint as { socket: string }).socket, "/hello")).toMatch(/^200 /);
    await until(() => ready(activation.podName), "the recorded pod");
  });

  test("killed and started again, it takes its pods over", async () => {
    const before = endpointOf(ready("bound")!).socket;
    await endAgent("SIGKILL");
    expect(await ask(before, "/hello")).toMatch(/^200 /);
    await startAgent();
    expect(await ask(before, "/hello")).toMatch(/^200 /);
    expect(ready("bound")?.status?.containerStatuses?.[0]?.restartCount).toBe(0);
  });

  test("starts and activates while the control plane is away", async () => {
    await endAgent("SIGKILL");
    server.api.down = true;
    await startAgent();
    expect(await ask(endpointOf(server.api.find(pods, "default", "bound")!).socket, "/hello")).toMatch(/^200 /);
    const activation = await until(() => activate("hello-00001").catch(() => undefined), "an activation");
    expect(await ask((activation.endpoint as { socket: string }).socket, "/hello")).toMatch(/^200 /);
    server.api.down = false;
    await until(() => ready(activation.podName), "the recorded pod");
  });

  test("stopped in order, it leaves no pod behind", async () => {
    const { socket } = endpointOf(ready("bound")!);
    await endAgent("SIGTERM");
    await expect(ask(socket, "/hello")).rejects.toThrow();
    expect(nodeObject()?.status?.conditions).toMatchObject([{ type: "Ready", status: "False" }, {}]);
    await expect(stat(path.dirname(socket))).rejects.toThrow("ENOENT");
  });
});
