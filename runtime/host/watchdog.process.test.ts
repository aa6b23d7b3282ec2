import { describeError } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import type { RunningPod } from "../pod/pod-runtime.ts";
import { spinningStartComponent, unstoppableComponent } from "./testing/components.ts";
import { hostileComponent } from "./testing/hostile-guests.ts";
import { never, RuntimeFixture } from "./testing/runtime-fixture.ts";

/** Resolves when the pod answers on a connection of its own. */
const answersAgain = (fixture: RuntimeFixture, pod: RunningPod): Promise<void> =>
  fixture.until(async () => {
    try {
      using client = await fixture.connect(pod);
      return (await client.get("/hello", { requestId: "again" })).head.status === 200;
    } catch {
      return false;
    }
  });

const codeOf = (answer: Promise<unknown>): Promise<string> =>
  answer.then(
    () => "answered",
    (error: unknown) => (error as { code?: string }).code ?? describeError(error),
  );

test("a guest that spins is taken off its thread, and requests that wait in the same pod go on", async () => {
  await using fixture = await RuntimeFixture.open();
  const runtime = await fixture.runtime();
  const pod = await runtime.start(fixture.launch(await fixture.guestImage()), never);
  using client = await fixture.connect(pod);
  const echoes = ["", "", ""];
  const waiting = echoes.map((_none, index) =>
    client.send("/echo", { method: "POST", requestId: `echo-${index}` }, (chunk, stream) => {
      echoes[index] += chunk.toString();
      stream.consumed(chunk.length);
    }),
  );
  for (const { stream } of waiting) stream.write(Buffer.from("before "));
  await fixture.until(() => echoes.every((echo) => echo === "before "));
  const began = fixture.clock.nowMs();
  await expect(client.get("/spin", { requestId: "spin", timeoutMs: 300 })).rejects.toMatchObject({
    code: "GUEST_TIMEOUT",
    message: "The function did not answer within 300ms.",
  });
  expect(fixture.clock.nowMs() - began).toBeLessThan(10_000);
  for (const { stream } of waiting) {
    stream.write(Buffer.from("after"));
    stream.end();
  }
  for (const { answer } of waiting) await answer;
  expect(echoes).toEqual(["before after", "before after", "before after"]);
  expect((await client.get("/hello")).head.status).toBe(200);
  await fixture.until(() => fixture.notices.some(({ reason }) => reason === "GuestTimeout"));
  expect(fixture.exits.size).toBe(0);
});

test("of a crowd with guests that spin each gets its own end, and the pod goes on", async () => {
  await using fixture = await RuntimeFixture.open();
  const runtime = await fixture.runtime();
  const pod = await runtime.start(fixture.launch(await fixture.guestImage()), never);
  using client = await fixture.connect(pod);
  // All in one write, so in one turn of the pod's event loop: what is to follow there is lost with the guest that spins.
  const answers = Array.from({ length: 20 }, (_, index) =>
    codeOf(client.get(index % 5 === 0 ? "/spin" : "/hello", { requestId: `r-${index}`, timeoutMs: 2_000 })),
  );
  const codes = await Promise.all(answers);
  for (const code of codes) expect(["answered", "GUEST_TIMEOUT", "REFUSED", "CONNECTION_LOST"]).toContain(code);
  // A thread that was stopped inside a function of the host is another one by now, and so is the connection.
  await answersAgain(fixture, pod);
});

test("CPU time is measured from outside: waiting costs none, and what is used up ends the request", async () => {
  await using fixture = await RuntimeFixture.open();
  const runtime = await fixture.runtime();
  const launch = fixture.launch(await fixture.guestImage(), "default", { cpuTimeMs: 400 });
  const pod = await runtime.start(launch, never);
  using client = await fixture.connect(pod);
  const sleep = client.get("/sleep", { requestId: "sleep", timeoutMs: 1500 });
  await expect(client.get("/spin", { requestId: "spin" })).rejects.toMatchObject({
    code: "GUEST_CPU",
    message: "The function used more than 400ms of CPU time.",
  });
  await expect(sleep).rejects.toMatchObject({ code: "GUEST_TIMEOUT" });
  expect((await client.get("/hello")).head.status).toBe(200);
  await fixture.until(() => fixture.notices.some(({ reason }) => reason === "GuestCpu"));
});

test("a guest that spins while it starts holds nobody up for longer than its limit", async () => {
  await using fixture = await RuntimeFixture.open();
  const runtime = await fixture.runtime();
  const image = await fixture.imageOf(await spinningStartComponent());
  const pod = await runtime.start(fixture.launch(image, "default", { cpuTimeMs: 500 }), never);
  using client = await fixture.connect(pod);
  for (const requestId of ["a", "b"]) {
    await expect(client.get("/", { requestId })).rejects.toMatchObject({ code: "GUEST_CPU" });
  }
  expect(client.connection.accepting).toBe(true);
  expect(fixture.exits.size).toBe(0);
});

test("a guest that spins for a client that has gone is stopped, and none that spins for one that waits", async () => {
  await using fixture = await RuntimeFixture.open();
  const runtime = await fixture.runtime();
  const pod = await runtime.start(fixture.launch(await fixture.guestImage()), never);
  using client = await fixture.connect(pod);
  const spin = client.get("/spin").catch((error: unknown) => error);
  await fixture.clock.sleep(300);
  // Somebody else's: the guest is not at work for it.
  await runtime.abandoned(pod.uid, ["r-2"]);
  await fixture.clock.sleep(600);
  expect(fixture.notices).toEqual([]);
  await runtime.abandoned(pod.uid, ["r-2", "r-1"]);
  expect(await spin).toMatchObject({ code: "CANCELLED" });
  expect(fixture.notices).toContainEqual({ uid: pod.uid, reason: "GuestCancelled" });
  await answersAgain(fixture, pod);
  await runtime.abandoned(pod.uid, ["r-1"]);
  await fixture.clock.sleep(400);
  expect(fixture.notices).toHaveLength(1);
  // It was waiting when its client left, and spins before its thread has heard of that.
  await runtime.abandoned(pod.uid, ["later"]);
  await expect(client.get("/spin", { requestId: "later" })).rejects.toMatchObject({ code: "CANCELLED" });
  await fixture.until(() => fixture.notices.length === 2);
});

test("a process that stands still while the time of a crowd runs out ends its requests late, and is not taken for one that spins", async () => {
  await using fixture = await RuntimeFixture.open();
  const runtime = await fixture.runtime();
  const image = await fixture.imageOf(await hostileComponent());
  const limits = { requestTimeoutMs: 1500, memoryBytes: 1024 * 1024 * 1024 };
  const pod = await runtime.start(fixture.launch(image, "default", limits), never);
  using client = await fixture.connect(pod);
  const crowd = Array.from({ length: 400 }, (_none, index) => codeOf(client.get("/p", { requestId: `r-${index}` })));
  await fixture.clock.sleep(1000);
  const pids = await fixture.hostPids();
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  await fixture.clock.sleep(1000);
  for (const pid of pids) process.kill(pid, "SIGCONT");
  for (const code of await Promise.all(crowd)) expect(["GUEST_TIMEOUT", "REFUSED"]).toContain(code);
  expect((await client.get("/a")).head.status).toBe(200);
  expect(fixture.notices.map(({ reason }) => reason)).not.toContain("ProcessRestarted");
  expect(fixture.exits.size).toBe(0);
});

test("another pod of the process loses nothing by a guest that spins", async () => {
  await using fixture = await RuntimeFixture.open();
  const runtime = await fixture.runtime();
  const image = await fixture.guestImage();
  const spinning = await runtime.start(fixture.launch(image, "default", { requestTimeoutMs: 300 }), never);
  const neighbour = await runtime.start(fixture.launch(image), never);
  using victim = await fixture.connect(spinning);
  using other = await fixture.connect(neighbour);
  let answered = 0;
  const spin = victim.get("/spin");
  const over = new AbortController();
  const load = (async () => {
    while (!over.signal.aborted) {
      await other.get("/hello");
      answered++;
    }
  })();
  expect(["GUEST_TIMEOUT", "CONNECTION_LOST"]).toContain(await codeOf(spin));
  over.abort();
  await load;
  expect(answered).toBeGreaterThan(0);
  expect(fixture.exits.size).toBe(0);
});

test("a guest that nothing stops ends with its process, and every pod of that is started again", async () => {
  await using fixture = await RuntimeFixture.open();
  const runtime = await fixture.runtime();
  const neighbour = await runtime.start(fixture.launch(await fixture.guestImage()), never);
  const image = await fixture.imageOf(await unstoppableComponent());
  const limits = { cpuTimeMs: 300, requestTimeoutMs: 60_000, memoryBytes: 1024 * 1024 * 1024 };
  const wedged = await runtime.start(fixture.launch(image, "default", limits), never);
  using victim = await fixture.connect(wedged);
  const began = fixture.clock.nowMs();
  const guilty = victim.get("/");
  const bystander = fixture.until(() => fixture.clock.nowMs() - began > 50).then(() => codeOf(victim.get("/")));
  // Its thread says nothing any more, and the pod's next requests have nobody to answer them.
  await expect(guilty).rejects.toMatchObject({
    code: "GUEST_CPU",
    message: "The function used more than 300ms of CPU time.",
  });
  expect(await bystander).toBe("CONNECTION_LOST");
  // 300 ms, and 500 ms until the last of the watchdog's means, of the thread's own time: of which it has a tenth where others are at work.
  expect(fixture.clock.nowMs() - began).toBeLessThan(30_000);
  await answersAgain(fixture, neighbour);
  await fixture.until(async () => {
    try {
      using client = await fixture.connect(wedged);
      return client.connection.accepting;
    } catch {
      return false;
    }
  });
  expect(fixture.notices).toContainEqual({ uid: wedged.uid, reason: "GuestUnstoppable" });
  expect(fixture.notices).toContainEqual({ uid: neighbour.uid, reason: "ProcessRestarted" });
  expect(fixture.exits.size).toBe(0);
});
