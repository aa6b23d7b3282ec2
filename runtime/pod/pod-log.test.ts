import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { silentLog } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { formatLogLine, parseLogLine } from "./log-line.ts";
import { type LogQuery, readLogs } from "./log-reader.ts";
import { keptLog, LogStore } from "./log-store.ts";
import { logBounds, logBytes, type LogSubject, type PodLog } from "./pod-log.ts";

const plain: LogQuery = { follow: false, previous: false, timestamps: false, prefix: false, form: "text" };
const subject = (pod: string, openedWallMs = 0): LogSubject => ({
  namespace: "default",
  pod,
  uid: `uid-${pod}`,
  container: "user-container",
  service: "hello",
  openedWallMs,
});

async function openStore(bounds = logBounds, retention?: ConstructorParameters<typeof LogStore>[1]["retention"]) {
  const directory = await mkdtemp(path.join(tmpdir(), "shallop-log-"));
  const clock = new FakeClock();
  const settings = { bounds, clock, log: silentLog, ...(retention === undefined ? {} : { retention }) };
  const reopen = async (): Promise<LogStore> => {
    const store = new LogStore(directory, settings);
    await store.load();
    return store;
  };
  const store = await reopen();
  return {
    store,
    clock,
    directory,
    reopen,
    [Symbol.asyncDispose]: async () => {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function text(logs: readonly PodLog[], query: Partial<LogQuery> = {}): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of readLogs({ logs }, { ...plain, ...query }, AbortSignal.timeout(5000))) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const say = (log: PodLog, line: string, wallMs = 0): void =>
  log.append({ wallMs, stream: "stdout", text: line, partial: false });

test("a line is stored as container runtimes store it, escape sequences untouched", () => {
  const line = { wallMs: 5, stream: "stderr", text: "\u001b[31mred", partial: false } as const;
  expect(formatLogLine(line)).toBe("1970-01-01T00:00:00.005000000Z stderr F \u001b[31mred\n");
  expect(parseLogLine(formatLogLine(line).slice(0, -1))).toEqual({
    time: "1970-01-01T00:00:00.005000000Z",
    stream: "stderr",
    partial: false,
    text: "\u001b[31mred",
    trace: undefined,
  });
  expect(formatLogLine({ ...line, text: "a\nb" })).toMatch(/a\\nb\n$/);
  expect(parseLogLine("torn by a cra")).toBeUndefined();
});

test("a line says during which request it was written, in its tags and as an object", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const line = { wallMs: 5, stream: "stdout", text: "hi", partial: true, traceparent } as const;
  const time = "1970-01-01T00:00:00.005000000Z";
  expect(formatLogLine(line)).toBe(`${time} stdout P:${traceparent} hi\n`);
  const trace = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", flags: 1 };
  expect(parseLogLine(`${time} stdout P:${traceparent} hi`)).toEqual({
    ...{ time, stream: "stdout", partial: true, text: "hi", trace },
  });
  await using it = await openStore();
  const log = it.store.open(subject("a"));
  log.append(line);
  log.append({ ...line, partial: false, traceparent: "00-x y\n1970-01-01T00:00:00Z stdout F forged" });
  const [first, second, ...rest] = (await text([log], { form: "json" })).trimEnd().split("\n");
  const whose = { namespace: "default", service: "hello", pod: "a", container: "user-container" };
  const ids = { trace_id: trace.traceId, span_id: trace.spanId };
  expect(JSON.parse(first ?? "")).toEqual({ time, stream: "stdout", ...whose, message: "hi", partial: true, ...ids });
  expect(JSON.parse(second ?? "")).toEqual({ time, stream: "stdout", ...whose, message: "hi" });
  expect(rest).toEqual([]);
  expect(await text([log], { form: "cri" })).toBe(`${time} stdout P:${traceparent} hi\n${time} stdout F hi\n`);
});

test("what runtimes of others store, with tags that we do not know, is read", () => {
  const stored = "2026-01-01T00:00:00.000000001Z stdout F:some:tags hello";
  expect(parseLogLine(stored)).toMatchObject({ partial: false, text: "hello", trace: undefined });
});

test("reads back all, a tail, since a time, with timestamps, within a limit", async () => {
  await using it = await openStore();
  const log = it.store.open(subject("a"));
  for (let n = 1; n <= 5; n++) say(log, `line ${String(n)}`, n * 1000);
  expect(await text([log])).toBe("line 1\nline 2\nline 3\nline 4\nline 5\n");
  expect(await text([log], { tailLines: 2 })).toBe("line 4\nline 5\n");
  expect(await text([log], { tailLines: 0 })).toBe("");
  expect(await text([log], { tailLines: 99 })).toMatch(/^line 1\n/);
  expect(await text([log], { sinceWallMs: 4000 })).toBe("line 4\nline 5\n");
  expect(await text([log], { limitBytes: 10 })).toBe("line 1\nlin");
  expect(await text([log], { timestamps: true, tailLines: 1 })).toBe("1970-01-01T00:00:05.000000000Z line 5\n");
  expect(await text([log], { prefix: true, tailLines: 1 })).toBe("[pod/a/user-container] line 5\n");
  expect(await text([log], { form: "cri", tailLines: 1 })).toBe("1970-01-01T00:00:05.000000000Z stdout F line 5\n");
});

test("a log is at most two files of its bound, and a tail reaches over the rotation", async () => {
  await using it = await openStore({ ...logBounds, fileBytesMax: 1000 });
  const log = it.store.open(subject("a"));
  for (let n = 0; n < 100; n++) {
    say(log, `line ${String(n)} ${"x".repeat(50)}`, n);
    await log.flush();
  }
  expect(await logBytes(log)).toBeLessThanOrEqual(2000);
  expect(log.generation).toBeGreaterThan(5);
  const tail = await text([log], { tailLines: 15 });
  expect(tail.match(/line \d+/g)).toEqual(Array.from({ length: 15 }, (_, n) => `line ${String(n + 85)}`));
});

test("follow gives what comes, through rotations, and ends with the pod", async () => {
  await using it = await openStore({ ...logBounds, fileBytesMax: 2000 });
  const log = it.store.open(subject("a"));
  say(log, "first");
  const seen: string[] = [];
  const reading = (async () => {
    for await (const chunk of readLogs({ logs: [log] }, { ...plain, follow: true }, AbortSignal.timeout(5000))) {
      seen.push(chunk.toString());
    }
  })();
  for (let n = 0; n < 200; n++) {
    say(log, `line ${String(n)}`, n);
    // A few lines at a time, so that the reader keeps up: it may be one file behind, not three.
    if (n % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await log.end();
  await reading;
  expect(seen.join("")).toBe(`first\n${Array.from({ length: 200 }, (_, n) => `line ${String(n)}\n`).join("")}`);
});

test("follow ends when the reader leaves", async () => {
  await using it = await openStore();
  const log = it.store.open(subject("a"));
  say(log, "first");
  const leave = new AbortController();
  const reader = readLogs({ logs: [log] }, { ...plain, follow: true }, leave.signal);
  expect((await reader.next()).value?.toString()).toBe("first\n");
  leave.abort(new Error("gone"));
  expect((await reader.next()).done).toBe(true);
});

test("a long line is cut into pieces that read back as one", async () => {
  await using it = await openStore({ ...logBounds, lineBytesMax: 10 });
  const log = it.store.open(subject("a"));
  say(log, "0123456789abcdefghijXYZ");
  expect(await text([log])).toBe("0123456789abcdefghijXYZ\n");
  expect((await readFile(log.path("current.log"), "utf8")).match(/ [PF] /g)).toEqual([" P ", " P ", " F "]);
});

test("a flood loses lines, says how many, and goes on when it is over", async () => {
  await using it = await openStore({ ...logBounds, rateBytesPerS: 100, burstBytesMax: 500 });
  const log = it.store.open(subject("a"));
  for (let n = 0; n < 100; n++) say(log, "0123456789");
  await it.clock.advance(1000);
  say(log, "after");
  const lines = (await text([log])).trimEnd().split("\n");
  const lost = Number(/^shallop: (\d+) lines lost here/.exec(lines.at(-2) ?? "")?.[1]);
  expect(lost).toBeGreaterThan(80);
  expect(lines).toHaveLength(100 - lost + 2);
  expect(lines.at(-1)).toBe("after");
});

test("a flood that goes on is kept in stretches, with two losses told a second", async () => {
  await using it = await openStore({ ...logBounds, rateBytesPerS: 10_000, burstBytesMax: 10_000 });
  const log = it.store.open(subject("a"));
  for (let ms = 0; ms < 4000; ms += 10) {
    for (let n = 0; n < 10; n++) say(log, "0123456789");
    await it.clock.advance(10);
  }
  const lines = (await text([log])).trimEnd().split("\n");
  const told = lines.filter((line) => line.startsWith("shallop: "));
  expect(told.length).toBeGreaterThan(4);
  expect(told.length).toBeLessThanOrEqual(9);
});

test("a restart keeps the run before it", async () => {
  await using it = await openStore();
  const log = it.store.open(subject("a"));
  say(log, "first run");
  await log.beginRun();
  say(log, "second run");
  expect(await text([log])).toBe("second run\n");
  expect(await text([log], { previous: true })).toBe("first run\n");
});

test("a log that is continued goes on in the next pod's, over restarts, and after the agent's own", async () => {
  await using it = await openStore();
  const named = (pod: string, at: number): LogSubject => ({ ...subject(pod, at), continued: "c1" });
  const first = it.store.open(named("a", 1));
  say(first, "first");
  await first.beginRun();
  say(first, "again");
  // Not over yet, and not written down.
  const second = it.store.open(named("b", 2));
  say(second, "second");
  expect(await text([second])).toBe("first\nagain\nsecond\n");
  expect(it.store.find("default", "a")).toBeUndefined();
  await it.store.close();
  const third = (await it.reopen()).open(named("c", 3));
  expect(await text([third])).toBe("first\nagain\nsecond\n");
  say(third, "third");
  await third.end();
  expect((await readdir(it.directory)).map((name) => name.split("_")[1])).toEqual(["c"]);
  const other = it.store.open({ ...named("d", 4), namespace: "other" });
  expect(await text([other])).toBe("");
  const settings = { bounds: logBounds, clock: it.clock, log: silentLog };
  const kept = (continued: string) =>
    keptLog(it.directory, { namespace: "default", container: "user-container", continued }, settings);
  const found = await kept("c1");
  expect(await text(found === undefined ? [] : [found], { tailLines: 2 })).toBe("second\nthird\n");
  expect(await kept("c2")).toBeUndefined();
});

test("a pod that never spoke leaves no file", async () => {
  await using it = await openStore();
  it.store.open(subject("quiet"));
  await it.store.end("uid-quiet");
  expect(await readdir(it.directory)).toEqual([]);
  expect(it.store.find("default", "quiet")).toBeUndefined();
});

test("a service's pods are read as one, by time, the tail over all of them", async () => {
  await using it = await openStore();
  const [a, b] = [it.store.open(subject("a")), it.store.open(subject("b"))];
  for (let n = 0; n < 6; n++) say(n % 2 === 0 ? a : b, String(n), n);
  const { logs } = it.store.ofService("default", "hello");
  expect(await text(logs)).toBe("0\n1\n2\n3\n4\n5\n");
  expect(await text(logs, { tailLines: 3 })).toBe("3\n4\n5\n");
  expect(it.store.ofService("other", "hello").logs).toEqual([]);
});

test("following a service shows pods that come later", async () => {
  await using it = await openStore();
  say(it.store.open(subject("a")), "from a");
  const leave = new AbortController();
  const reader = readLogs(it.store.ofService("default", "hello"), { ...plain, follow: true }, leave.signal);
  expect((await reader.next()).value?.toString()).toBe("from a\n");
  const next = reader.next();
  say(it.store.open(subject("b")), "from b");
  expect((await next).value?.toString()).toBe("from b\n");
  leave.abort(new Error("gone"));
  await reader.next();
});

test("after a restart of the agent logs are found, go on, and a torn line does no harm", async () => {
  await using it = await openStore();
  const log = it.store.open(subject("a"));
  say(log, "before");
  await log.flush();
  await writeFile(log.path("current.log"), "1970-01-01T00:00:00.000000000Z stdout F whole\n1970-01-01T0", {
    flag: "a",
  });
  const store = await it.reopen();
  say(store.open(subject("a")), "after");
  const found = store.find("default", "a");
  expect(found === undefined ? "" : await text([found])).toBe("before\nwhole\nafter\n");
  await store.close();
});

test("a directory that is no log is removed, one that names another's is too", async () => {
  await using it = await openStore();
  const log = it.store.open(subject("a"));
  say(log, "x");
  await log.flush();
  await writeFile(path.join(log.directory, "subject.json"), JSON.stringify({ ...subject("b") }));
  const store = await it.reopen();
  expect(store.find("default", "b")).toBeUndefined();
  await expect(stat(log.directory)).rejects.toThrow();
});

test("logs of ended pods are kept within count and bytes, the newest first", async () => {
  await using it = await openStore(logBounds, { endedPerServiceMax: 2, endedMax: 10, endedBytesMax: 10_000 });
  for (let n = 0; n < 4; n++) {
    const log = it.store.open(subject(`p${String(n)}`, n));
    say(log, "x".repeat(n === 3 ? 9000 : 10));
    if (n > 0) await it.store.end(`uid-p${String(n)}`);
  }
  await it.store.sweep();
  expect(it.store.ofService("default", "hello").logs.map((log) => log.subject.pod)).toEqual(["p0", "p2", "p3"]);
  expect(await readdir(it.directory)).toHaveLength(3);
});
