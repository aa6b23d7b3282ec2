import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "@shallop/sdk/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSurface } from "../component/component-binary.ts";
import type { LocalWasmImage } from "../image/local-image.ts";
import { witnessText } from "../component/testing/witness.ts";
import type { ComponentFiles, PodLaunch, RunningPod } from "../pod/pod-runtime.ts";
import {
  componentImporting,
  coreModule,
  trappingStartComponent,
  unstoppableComponent,
  wasiComponent,
} from "./testing/components.ts";
import { toolComponent } from "../standalone/testing/programs.ts";
import { never, RuntimeFixture } from "./testing/runtime-fixture.ts";
import type { WireClient } from "./testing/wire-client.ts";
import type { WasmRuntime } from "./wasm-runtime.ts";

/** Ids of a process's worker threads. */
async function workerThreads(pid: number): Promise<readonly string[]> {
  const ids = await readdir(`/proc/${pid}/task`);
  const names = await Promise.all(ids.map((id) => readFile(`/proc/${pid}/task/${id}/comm`, "utf8").catch(() => "")));
  return ids.filter((_, index) => names[index]?.trim() === "WorkerThread");
}

const isOf =
  (service: string) =>
  (env: unknown): boolean =>
    JSON.stringify(env) === JSON.stringify([["K_SERVICE", service]]);

/** A command prints a file of a volume, and is told that it cannot make one there. */
async function commandReads(fixture: RuntimeFixture, runtime: WasmRuntime): Promise<void> {
  const image = await fixture.imageOf(await toolComponent());
  const base64 = Buffer.from("x=1").toString("base64");
  const files: ComponentFiles = {
    volumes: [{ name: "v", source: { kind: "files", files: [{ path: "a.conf", base64, mode: 0o400 }] } }],
    mounts: [{ volume: "v", mountPath: "/etc/app", readOnly: false }],
  };
  const command = async (...args: readonly string[]): Promise<[exitCode: number | undefined, said: string]> => {
    const launch = { ...fixture.launch(image), purpose: "either", command: ["tool"], args, files } as const;
    await runtime.start(launch, never);
    await fixture.until(() => fixture.exits.has(launch.uid));
    await runtime.stop(launch.uid, 0);
    return [fixture.exits.get(launch.uid)?.exitCode, fixture.logText(launch.uid)];
  };
  expect(await command("r", "a.conf")).toEqual([0, "x=1"]);
  // 100 and the error of preview 1: EROFS; EPERM.
  expect(await command("w", "new")).toEqual([169, ""]);
  expect(await command("r", "../../volumes.json")).toEqual([163, ""]);
}

describe("a Wasm pod", () => {
  let fixture: RuntimeFixture;
  let runtime: WasmRuntime;
  let image: LocalWasmImage;
  let pod: RunningPod;
  let client: WireClient;

  beforeAll(async () => {
    fixture = await RuntimeFixture.open();
    runtime = await fixture.runtime(["127.0.0.1"]);
    image = await fixture.guestImage();
    pod = await runtime.start(fixture.launch(image), never);
    client = await fixture.connect(pod);
  });
  afterAll(async () => {
    client[Symbol.dispose]();
    await fixture[Symbol.asyncDispose]();
  });

  test("answers, and says what the phases took", async () => {
    const { head, body } = await client.get("/hello");
    expect(head.status).toBe(200);
    expect(head.headers).toEqual(["content-type", "text/plain"]);
    expect(head.phasesMs).toEqual({ instantiate: expect.any(Number), handle: expect.any(Number) });
    expect(body.toString()).toBe("hello\n");
  });

  test("sees the request as it was sent, and of the environment only what the launch says", async () => {
    const { body } = await client.get("/head?a=1", { method: "PATCH", headers: ["x-one", "1", "x-one", "2"] });
    expect(body.toString()).toBe("patch /head?a=1 hello.test\nx-one: 1\nx-one: 2");
    expect(JSON.parse((await client.get("/env")).body.toString())).toEqual([["K_SERVICE", "guest"]]);
  });

  test("streams its answer as it is made", async () => {
    const chunks: string[] = [];
    const { stream, answer } = client.send("/ticks", {}, (chunk, sent) => {
      chunks.push(chunk.toString("utf8"));
      sent.consumed(chunk.length);
    });
    stream.end();
    await answer;
    // On a busy machine two of the three may arrive together; all three would mean that nothing is streamed.
    expect(chunks.length).toBeGreaterThan(1);
    expect(chunks.join("").match(/tick/g)).toHaveLength(3);
  });

  test("echoes 20 MB, and a reader that does not read holds it back", async () => {
    const total = 20 * 1024 * 1024;
    const chunk = Buffer.alloc(64 * 1024, 7);
    let received = 0;
    let paused: number[] | undefined = [];
    const { stream, answer } = client.send("/echo", { method: "POST" }, (data, sent) => {
      received += data.length;
      if (paused === undefined) sent.consumed(data.length);
      else paused.push(data.length);
    });
    for (let sent = 0; sent < total; sent += chunk.length) stream.write(chunk);
    stream.end();
    await fixture.until(() => received >= 256 * 1024);
    await fixture.clock.sleep(100);
    // One window of the wire, and not a byte more, until the reader goes on.
    expect(received).toBe(256 * 1024);
    const held = paused;
    paused = undefined;
    for (const bytes of held) stream.consumed(bytes);
    await answer;
    expect(received).toBe(total);
  });

  test("gives HEAD and 204 no body", async () => {
    const head = await client.get("/hello", { method: "HEAD" });
    expect([head.head.status, head.body.length]).toEqual([200, 0]);
    const status = await client.get("/status");
    expect([status.head.status, status.body.length]).toEqual([204, 0]);
  });

  test("may not set headers of the connection", async () => {
    expect((await client.get("/forbidden")).body.toString()).toBe("forbidden");
  });

  test.each([
    { path: "/throw", code: "GUEST_FAILED", log: "thrown on purpose" },
    { path: "/silent", code: "GUEST_FAILED", log: "without an answer" },
    { path: "/length", code: "GUEST_FAILED", log: "content-length" },
    { path: "/eat", code: "GUEST_MEMORY", log: "out of memory" },
  ])("that fails at $path gives $code, says why in its log, and goes on", async ({ path, code, log }) => {
    await expect(client.get(path)).rejects.toMatchObject({ code });
    await fixture.until(() => fixture.logText(pod.uid).includes(log));
    expect((await client.get("/hello")).head.status).toBe(200);
  });

  test("has used processor and memory, of which the agent is told", async () => {
    const before = (await runtime.counters()).find(({ uid }) => uid === pod.uid)?.containers[0];
    for (let count = 0; count < 50; count++) await client.get("/hello");
    const after = (await runtime.counters()).find(({ uid }) => uid === pod.uid)?.containers[0];
    expect(after?.cpuNs).toBeGreaterThan(before?.cpuNs ?? 0);
    expect(after?.memoryBytes).toBeGreaterThan(1 << 20);
    expect(after?.memoryBytes).toBeLessThan(1 << 30);
  });

  test("that waits too long gives GUEST_TIMEOUT while others go on", async () => {
    const slow = client.get("/sleep", { timeoutMs: 300 });
    expect((await client.get("/hello")).head.status).toBe(200);
    await expect(slow).rejects.toMatchObject({ code: "GUEST_TIMEOUT" });
  });

  test("serves on when clients leave half way", async () => {
    for (let round = 0; round < 20; round++) {
      const { stream } = client.send(round % 2 === 0 ? "/sleep" : "/ticks");
      stream.end();
      await fixture.clock.sleep(2);
      stream.abort("CANCELLED", "the client left");
    }
    expect((await client.get("/hello")).head.status).toBe(200);
  });

  test("logs lines with and without a newline, and a flood is cut and counted", async () => {
    await client.get("/say");
    await fixture.until(() => fixture.logText(pod.uid).includes("no newline"));
    expect(fixture.lines.get(pod.uid)?.find(({ text }) => text === "one line")?.stream).toBe("stdout");
    await client.get("/flood");
    await fixture.until(() => /\d+ lines lost here/.test(fixture.logText(pod.uid)));
    const bytes = (fixture.lines.get(pod.uid) ?? []).reduce((sum, { text }) => sum + text.length, 0);
    expect(bytes).toBeLessThan(8 * 1024 * 1024);
  });

  test("reaches the network through the egress check only", async () => {
    const server = createServer((_request, response) => response.end("from outside"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    expect((await client.get(`/fetch?127.0.0.1:${port}`)).body.toString()).toBe("200 from outside");
    // ::1 and the metadata address are not in this runtime's list.
    expect((await client.get("/fetch?[::1]:80")).body.toString()).toBe("error destination-IP-prohibited");
    expect((await client.get("/fetch?169.254.169.254")).body.toString()).toBe("error destination-IP-prohibited");
    server.closeAllConnections();
    server.close();
  });
});

describe("the Wasm runtime", () => {
  test("refuses requests above the pod's concurrency, and takes them again afterwards", async () => {
    await using fixture = await RuntimeFixture.open();
    const runtime = await fixture.runtime();
    const launch = fixture.launch(await fixture.guestImage(), "default", { concurrencyMax: 2 });
    using client = await fixture.connect(await runtime.start(launch, never));
    const running = [client.get("/ticks"), client.get("/ticks")];
    await expect(client.get("/hello")).rejects.toMatchObject({ code: "REFUSED" });
    await Promise.all(running);
    expect((await client.get("/hello")).head.status).toBe(200);
  });

  test("refuses to start a pod whose memory is smaller than its component needs", async () => {
    await using fixture = await RuntimeFixture.open();
    const runtime = await fixture.runtime();
    const image = await fixture.imageOf(await unstoppableComponent());
    const launch = fixture.launch(image, "default", { memoryBytes: 64 * 1024 * 1024 });
    await expect(runtime.start(launch, never)).rejects.toMatchObject({
      code: "EXITED",
      message: expect.stringContaining("1073741824 bytes of memory"),
    });
  });

  test("refuses to start a pod whose guest traps at its start", async () => {
    await using fixture = await RuntimeFixture.open();
    const runtime = await fixture.runtime();
    const image = await fixture.imageOf(await trappingStartComponent());
    await expect(runtime.start(fixture.launch(image), never)).rejects.toMatchObject({
      code: "EXITED",
      message: expect.stringMatching(/initialised.*unreachable/),
    });
  });

  test("keeps two namespaces in two processes, and reports the pods of one that is killed", async () => {
    await using fixture = await RuntimeFixture.open();
    const runtime = await fixture.runtime();
    const image = await fixture.guestImage();
    const first = await runtime.start(fixture.launch(image, "one"), never);
    await fixture.until(async () => (await fixture.hostPids()).length === 2);
    const before = await fixture.hostPids();
    const second = await runtime.start(fixture.launch(image, "two"), never);
    using client = await fixture.connect(second);
    expect((await client.get("/hello")).head.status).toBe(200);
    await fixture.until(async () => (await fixture.hostPids()).length === 3);
    // The process of the first namespace is the elder one; the younger one was blank.
    process.kill(Math.min(...before), "SIGKILL");
    await fixture.until(() => fixture.exits.has(first.uid));
    expect(fixture.exits.get(first.uid)).toMatchObject({ reason: "Error", exitCode: 137 });
    expect(fixture.exits.has(second.uid)).toBe(false);
    expect((await client.get("/hello")).head.status).toBe(200);
  });

  test("hands its pods to the next agent, which stops them", async () => {
    await using fixture = await RuntimeFixture.open();
    const first = await fixture.runtime();
    const image = await fixture.guestImage();
    const launch = fixture.launch(image);
    const pod = await first.start(launch, never);
    using client = await fixture.connect(pod);
    await first.close();
    expect((await client.get("/hello")).head.status).toBe(200);
    const second = await fixture.runtime();
    expect(await second.adopt()).toEqual([pod]);
    expect(await second.start(launch, never)).toEqual(pod);
    await second.stop(pod.uid, 1000);
    expect(client.connection.accepting).toBe(false);
    await expect(fixture.connect(pod)).rejects.toMatchObject({ code: "ENOENT" });
    expect((await readdir(fixture.runDirectory)).filter((name) => name.includes(pod.uid))).toEqual([]);
  });

  test("with volumes has a process to itself, which goes on with the next agent and goes with the pod", async () => {
    await using fixture = await RuntimeFixture.open();
    const first = await fixture.runtime();
    const image = await fixture.imageOf(await wasiComponent(witnessText(8, false)));
    const volumes: ComponentFiles["volumes"] = [{ name: "v", source: { kind: "emptyDir", inMemory: false } }];
    const launch = (readOnly: boolean): PodLaunch => ({
      ...fixture.launch(image),
      files: { volumes, mounts: [{ volume: "v", mountPath: "/v", readOnly }] },
    });
    const [writes, reads] = [launch(false), launch(true)];
    const pods = await Promise.all([writes, reads].map((one) => first.start(one, never)));
    const written = async (): Promise<readonly string[]> => {
      const entries = await readdir(join(fixture.directory, "hosts/volumes"), { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile() && entry.name !== "volumes.json").map(({ name }) => name);
    };
    const statuses = async (path: string): Promise<readonly (number | string)[]> =>
      Promise.all(
        pods.map(async (pod) => {
          using client = await fixture.connect(pod);
          return await client.get(path).then(
            ({ head }) => head.status,
            (error: unknown) => errorCode(error) ?? "failed",
          );
        }),
      );
    // It makes a file of the name that it is given, and traps when it cannot.
    expect(await statuses("/nABCDEFGH")).toEqual([200, "GUEST_FAILED"]);
    expect(await written()).toEqual(["ABCDEFGH"]);
    await first.close();
    const second = await fixture.runtime();
    expect(new Set((await second.adopt()).map(({ uid }) => uid))).toEqual(new Set(pods.map(({ uid }) => uid)));
    expect(await statuses("/nIJKLMNOP")).toEqual([200, "GUEST_FAILED"]);
    // Started again it finds them, by a process of another user; and they go with the pod.
    await second.stop(writes.uid, 0, "starts again");
    await second.start(writes, never);
    expect(await statuses("/nQRSTUVWX")).toEqual([200, "GUEST_FAILED"]);
    expect((await written()).toSorted()).toEqual(["ABCDEFGH", "IJKLMNOP", "QRSTUVWX"]);
    for (const { uid } of pods) await second.stop(uid, 0);
    expect(await readdir(join(fixture.directory, "hosts/volumes"))).toEqual([]);
    // The blank one is nobody's.
    await fixture.until(async () => (await fixture.hostPids()).length <= 1);
    await commandReads(fixture, second);
  });

  test("lets a pod finish what it has when it is stopped", async () => {
    await using fixture = await RuntimeFixture.open();
    const runtime = await fixture.runtime();
    const pod = await runtime.start(fixture.launch(await fixture.guestImage()), never);
    using client = await fixture.connect(pod);
    const ticks: string[] = [];
    const { stream, answer } = client.send("/ticks", {}, (chunk, sent) => {
      ticks.push(chunk.toString());
      sent.consumed(chunk.length);
    });
    stream.end();
    await fixture.until(() => ticks.length > 0);
    await runtime.stop(pod.uid, 5000);
    await answer;
    expect(ticks.join("")).toBe("tick 0\ntick 1\ntick 2\n");
  });

  test("gives a pod the thread of one that has finished, and nothing else of it", async () => {
    await using fixture = await RuntimeFixture.open();
    const runtime = await fixture.runtime();
    const image = await fixture.guestImage();
    const start = (service: string): Promise<RunningPod> =>
      runtime.start({ ...fixture.launch(image), env: [{ name: "K_SERVICE", value: service }] }, never);
    const env = async (pod: RunningPod): Promise<unknown> => {
      using client = await fixture.connect(pod);
      return JSON.parse((await client.get("/env")).body.toString());
    };
    const first = await start("first");
    expect(await env(first)).toEqual([["K_SERVICE", "first"]]);
    const pids = await fixture.hostPids();
    const threads = async (): Promise<readonly string[]> =>
      (await Promise.all(pids.map(workerThreads))).find((ids) => ids.length > 1) ?? [];
    // Its own, and the next one that is ready.
    await fixture.until(async () => (await threads()).length === 2);
    const before = await threads();
    await runtime.stop(first.uid, 5000);
    await expect(fixture.connect(first)).rejects.toThrow();
    const second = await start("second");
    // The first by a new instance, the others by forks.
    for (const _ of ["new", "captured", "again"]) expect(await env(second)).toEqual([["K_SERVICE", "second"]]);
    expect(await threads()).toEqual(before);
    expect(fixture.logText(second.uid)).toBe("");
    await runtime.stop(second.uid, 5000);
    // What the second has left serves a pod of the same environment, and no other.
    for (const service of ["second", "third"]) {
      const pod = await start(service);
      for (const _ of ["one", "another"]) expect(await env(pod)).toEqual([["K_SERVICE", service]]);
      await runtime.stop(pod.uid, 5000);
    }
    expect(await threads()).toEqual(before);
    // Pods beside each other: what a thread has parked ahead is of the one before.
    const beside: RunningPod[] = [];
    for (const service of ["fourth", "fifth", "sixth"]) {
      const pod = await start(service);
      beside.push(pod);
      for (const _ of ["one", "another"]) expect(await env(pod)).toEqual([["K_SERVICE", service]]);
      await fixture.clock.sleep(400);
    }
    for (const pod of beside) await runtime.stop(pod.uid, 5000);
  });

  test("has pods come up for whoever connects, in threads at rest with their component", async () => {
    await using fixture = await RuntimeFixture.open();
    const runtime = await fixture.runtime();
    const image = await fixture.guestImage();
    const launch = (service: string): PodLaunch => ({
      ...fixture.launch(image),
      env: [{ name: "K_SERVICE", value: service }],
    });
    const standby = async (service: string): Promise<RunningPod> => {
      const pod = await runtime.standBy(launch(service), never);
      if (pod === undefined) throw new Error("its namespace has a process");
      return pod;
    };
    /** As gateways do: the request goes with the connection. */
    const env = async (pod: RunningPod): Promise<unknown> => {
      using client = await fixture.connect(pod);
      return JSON.parse((await client.get("/env")).body.toString());
    };
    expect(runtime.canStandBy("default")).toBe(false);
    expect(await runtime.standBy(launch("early"), never)).toBeUndefined();
    const first = await runtime.start(launch("first"), never);
    expect(await env(first)).toEqual([["K_SERVICE", "first"]]);
    const [second, third] = [await standby("second"), await standby("third")];
    await runtime.stop(first.uid, 5000);
    expect(fixture.woken).toEqual([]);
    await fixture.until(() => env(second).then(isOf("second"), () => false));
    expect(await env(second)).toEqual([["K_SERVICE", "second"]]);
    await fixture.until(() => fixture.woken.length === 1);
    expect((await runtime.counters()).map(({ uid }) => uid)).toEqual([second.uid]);
    // It is a pod as any other: it drains, and its thread rests. By then at the latest the third has one.
    await runtime.stop(second.uid, 5000);
    await expect(fixture.connect(second)).rejects.toThrow();
    await fixture.until(() => env(third).then(isOf("third"), () => false));
    await fixture.until(() => fixture.woken.length === 2);
    expect(fixture.woken).toEqual([second, third]);
    const fourth = await standby("fourth");
    await runtime.withdraw(fourth.uid);
    await expect(fixture.connect(fourth)).rejects.toThrow();
    expect(fixture.lost).toEqual([fourth.uid]);
    // With the agent goes whoever would hear of it; what has come up goes on.
    const fifth = await standby("fifth");
    const { endpoint } = fifth;
    if (endpoint.protocol === "wire") await fixture.until(() => existsSync(endpoint.socket));
    await runtime.close();
    if (endpoint.protocol === "wire") await fixture.until(() => !existsSync(endpoint.socket));
    expect(await env(third)).toEqual([["K_SERVICE", "third"]]);
    const next = await fixture.runtime();
    expect((await next.adopt()).map(({ uid }) => uid)).toEqual([third.uid]);
    await next.stop(third.uid, 5000);
  });

  test("leaves no process, socket or thread behind", async () => {
    const fixture = await RuntimeFixture.open();
    const runtime = await fixture.runtime();
    const image = await fixture.guestImage();
    for (let round = 0; round < 5; round++) {
      const pod = await runtime.start(fixture.launch(image), never);
      using client = await fixture.connect(pod);
      await client.get("/hello");
      await runtime.stop(pod.uid, 1000);
    }
    const [pid = 0] = (await fixture.hostPids()).sort((a, b) => a - b);
    const threads = (await readdir(`/proc/${pid}/task`)).length;
    expect(threads).toBeLessThan(16);
    await runtime.close();
    await fixture.until(async () => (await fixture.hostPids()).length === 0);
    expect(await readdir(fixture.runDirectory)).toEqual([]);
    await fixture[Symbol.asyncDispose]();
  });

  test.each([
    { name: "no component", bytes: () => new TextEncoder().encode("#!/bin/sh\n"), code: "IMAGE_INVALID" },
    { name: "a core module", bytes: () => coreModule, code: "IMAGE_INVALID" },
    { name: "an unknown import", bytes: () => componentImporting("acme:db/query@1.0.0"), code: "IMPORTS_UNMET" },
  ])("refuses $name with $code and a sentence", async ({ bytes, code }) => {
    await using fixture = await RuntimeFixture.open();
    const runtime = await fixture.runtime();
    const launch = fixture.launch(await fixture.imageOf(bytes()));
    await expect(runtime.start(launch, never)).rejects.toMatchObject({ code });
  });

  test("refuses a truncated component, names the import that is missing, and those that an image does not list", async () => {
    await using fixture = await RuntimeFixture.open();
    const runtime = await fixture.runtime();
    const image = await fixture.guestImage();
    const whole = await readFile(image.componentPath);
    const { imports } = readSurface(whole);
    await runtime.prepare(image, never);
    const isKept = (name: string): boolean => name.startsWith("wasi:cli/environment");
    const silent = { ...image, listedImports: imports.filter((name) => !isKept(name)) };
    expect(runtime.unlistedImports(silent)).toEqual(imports.filter(isKept));
    expect(runtime.unlistedImports({ ...image, listedImports: imports })).toEqual([]);
    expect(runtime.unlistedImports(image), "an image that lists nothing hides nothing").toEqual([]);
    const cut = await fixture.imageOf(whole.subarray(0, whole.length >> 1));
    await expect(runtime.prepare(cut, never)).rejects.toMatchObject({ code: "IMAGE_INVALID" });
    const unmet = await fixture.imageOf(componentImporting("acme:db/query@1.0.0"));
    await expect(runtime.prepare(unmet, never)).rejects.toThrow("acme:db/query@1.0.0");
  });
});
