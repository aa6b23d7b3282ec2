import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { namespaces, services } from "@shallop/sdk/api";
import { httpsClient, readCredentials } from "@shallop/sdk/client";
import type { ReadyMessage } from "@shallop/sdk/internal";
import { systemClock as clock, systemRandom as random } from "@shallop/sdk/internal";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const program = join(import.meta.dirname, "main.ts");
const node = join(import.meta.dirname, "../node_modules/.bin/node");

let dataDir = "";
const children: ChildProcess[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "shallop-scheduler-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = exited(child);
      child.kill("SIGKILL");
      await gone;
    }
  }
  await rm(dataDir, { recursive: true });
});

function start(...flags: string[]): { readonly child: ChildProcess; readonly stderr: () => string } {
  const child = fork(program, ["--data", dataDir, "--port", "0", ...flags], {
    execPath: node,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  children.push(child);
  let stderr = "";
  child.stderr?.on("data", (chunk) => (stderr += String(chunk)));
  return { child, stderr: () => stderr };
}
const exited = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.once("exit", resolve));
const ready = (child: ChildProcess): Promise<ReadyMessage> =>
  new Promise((resolve, reject) => {
    child.once("message", (message) => resolve(message as ReadyMessage));
    child.once("exit", (code) => reject(new Error(`exited with ${String(code)} before it was ready`)));
  });

async function client() {
  const credentials = await readCredentials(join(dataDir, "credentials/admin.json"));
  return httpsClient(credentials, { clock, random, name: "test" });
}

describe("the control plane as a process", () => {
  test("starts, serves, remembers over a kill, stops in order", async () => {
    const first = start();
    const { facts } = await ready(first.child);
    expect(facts["kubeconfig"]).toBe(join(dataDir, "kubeconfig"));
    expect(await readFile(facts["kubeconfig"] ?? "", "utf8")).toContain(facts["url"]);
    expect((await stat(join(dataDir, "credentials/admin.json"))).mode & 0o777).toBe(0o600);
    const api = await client();
    await api.create(services, {
      apiVersion: "serving.knative.dev/v1",
      kind: "Service",
      metadata: { name: "hello", namespace: "default" },
      spec: { template: { spec: { containers: [{ image: `hello@sha256:${"a".repeat(64)}` }] } } },
    });
    // The controllers run: they have said something about it.
    await until(
      async () => (await api.get(services, "default", "hello")).status?.latestCreatedRevisionName === "hello-00001",
    );
    api.close();
    const killed = exited(first.child);
    first.child.kill("SIGKILL");
    await killed;

    const second = start();
    await ready(second.child);
    const again = await client();
    expect((await again.list(namespaces)).items.map(({ metadata }) => metadata.name)).toContain("default");
    expect((await again.get(services, "default", "hello")).status?.latestCreatedRevisionName).toBe("hello-00001");
    again.close();
    const stopped = exited(second.child);
    second.child.kill("SIGTERM");
    expect(await stopped).toBe(0);
    expect(second.stderr()).toContain("stopping");
  });

  test("a second process on the same directory says what is wrong, and harms nothing", async () => {
    const first = start();
    await ready(first.child);
    const second = start();
    expect(await exited(second.child)).toBe(1);
    expect(second.stderr()).toMatch(/another process has it open/);
    const api = await client();
    expect((await api.list(namespaces)).items.length).toBeGreaterThan(0);
    api.close();
  });

  test("a port in use", async () => {
    const first = start();
    const { facts } = await ready(first.child);
    const other = await mkdtemp(join(tmpdir(), "shallop-scheduler-"));
    const second = start("--data", other, "--port", new URL(facts["url"] ?? "").port);
    expect(await exited(second.child)).toBe(1);
    expect(second.stderr()).toContain("--port");
    await rm(other, { recursive: true });
  });

  test("a flag that does not fit", async () => {
    const { child, stderr } = start("--autoscaler", "stable-window=1s");
    expect(await exited(child)).toBe(1);
    expect(stderr()).toContain("stable-window");
  });

  test("it ends with its supervisor", async () => {
    const { child } = start();
    await ready(child);
    const gone = exited(child);
    child.disconnect();
    expect(await gone).toBe(0);
  });
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const endMs = clock.nowMs() + 120_000;
  while (!(await holds())) {
    if (clock.nowMs() > endMs) throw new Error("not within 10 s");
    await clock.sleep(20);
  }
}
