import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../internal/clock.ts";
import type { ProgramSpec } from "./program.ts";
import { Supervisor } from "./supervisor.ts";

let directory: string;
let supervisor: Supervisor;
let said: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "shallop-supervisor-"));
  said = [];
  supervisor = new Supervisor({
    clock: systemClock,
    logDirectory: join(directory, "logs"),
    env: {},
    onChange: (name, sentence) => said.push(`${name} ${sentence}`),
  });
});
afterEach(async () => {
  await supervisor.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** A small program that does what a platform's process might. */
function program(name: string, source: string): ProgramSpec {
  const main = join(directory, `${name}.mjs`);
  writeFileSync(main, source);
  return { name, main, args: [] };
}

const healthy = `
process.send({ type: "ready", facts: { url: "http://x" } });
process.on("SIGTERM", () => process.exit(0));
setInterval(() => {}, 1000);
`;

const until = async (condition: () => boolean): Promise<void> => {
  const endMs = systemClock.nowMs() + 120_000;
  while (!condition()) {
    if (systemClock.nowMs() > endMs) throw new Error(`not within 20 s; it said: ${said.join("; ")}`);
    await systemClock.sleep(20);
  }
};

const pidOf = (name: string): number => supervisor.status().find((program_) => program_.name === name)?.pid ?? 0;

test("resolves with the facts of the ready message", async () => {
  expect(await supervisor.start(program("web", healthy))).toEqual({ url: "http://x" });
  expect(supervisor.status()).toMatchObject([{ name: "web", state: "ready", restarts: 0 }]);
});

test("starts again what is killed, and counts it", async () => {
  await supervisor.start(program("web", healthy));
  const first = pidOf("web");
  process.kill(first, "SIGKILL");
  await until(() => supervisor.status()[0]?.state === "ready" && pidOf("web") !== first);
  expect(supervisor.status()[0]?.restarts).toBe(1);
  expect(said).toEqual(["web was ended by SIGKILL; starting it again in 100 ms", "web is back"]);
});

test("a program that crashes again and again is tried ever more slowly", async () => {
  await supervisor.start(
    program("web", `process.send({ type: "ready", facts: {} }); setTimeout(() => process.exit(3), 50);`),
  );
  await until(() => said.filter((line) => line.includes("ended with code 3")).length >= 3);
  const waits = said.flatMap((line) => /in (\d+) ms/.exec(line)?.[1] ?? []);
  expect(waits.slice(0, 3)).toEqual(["100", "200", "400"]);
});

test("a program that ends while it starts fails the start, with its last words", async () => {
  const failing = program("web", `console.error("the port 1 is taken"); process.exit(1);`);
  await expect(supervisor.start(failing)).rejects.toMatchObject({
    code: "START_FAILED",
    message: expect.stringContaining("the port 1 is taken") as string,
  });
});

test("keeps what programs write, and no more than two files of it", async () => {
  await supervisor.start(
    program(
      "loud",
      `process.send({ type: "ready", facts: {} }); const line = "x".repeat(1023) + "\\n"; for (let i = 0; i < 20000; i++) process.stdout.write(line); setInterval(() => {}, 1000); process.on("SIGTERM", () => process.exit(0));`,
    ),
  );
  const path = join(directory, "logs", "loud.log");
  await until(() => statSync(`${path}.1`, { throwIfNoEntry: false }) !== undefined && statSync(path).size > 0);
  await systemClock.sleep(500);
  expect(statSync(path).size).toBeLessThanOrEqual(8 * 1024 * 1024);
  expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(8 * 1024 * 1024);
  expect(readFileSync(path, "utf8").slice(0, 3)).toBe("xxx");
});

test("stop ends everything and nothing is started again", async () => {
  await supervisor.start(program("a", healthy));
  await supervisor.start(program("b", healthy));
  const pids = [pidOf("a"), pidOf("b")];
  await supervisor.stop();
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
  await systemClock.sleep(300);
  expect(supervisor.status().map(({ state }) => state)).toEqual(["stopped", "stopped"]);
});

const child = new URL("../internal/child.ts", import.meta.url).href;
/** Listens on a socket that outlives it, and says to everybody who it is. */
const keeping = (start: string): string => `
import { createServer } from "node:net";
import { aborted, announceReady, keepSocket, keptSockets, replaceOnHangup, stopSignal } from ${JSON.stringify(child)};
const stop = stopSignal();
const server = createServer((socket) => socket.on("error", () => {}).end(String(process.pid)));
const fd = keptSockets(process.env.SHALLOP_KEPT_SOCKETS).get("web");
${start}
server.listen(fd === undefined ? { port: 0, host: "127.0.0.1" } : { fd }, async () => {
  if (fd === undefined) keepSocket("web", server);
  replaceOnHangup();
  announceReady({ port: String(server.address().port) });
  await aborted(stop);
  server.close(() => process.disconnect());
});
`;

const ask = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(port, "127.0.0.1");
    socket.on("data", (chunk) => (text += chunk.toString()));
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
  });

test("who connects while a program is dead waits for the next process", async () => {
  const { port } = await supervisor.start(program("web", keeping("")));
  const first = pidOf("web");
  process.kill(first, "SIGKILL");
  await until(() => pidOf("web") !== first);
  expect(await ask(Number(port))).not.toBe(String(first));
  expect(await ask(Number(port))).toBe(String(pidOf("web")));
});

test("a program that asks for it is replaced, and nobody who connects is refused", async () => {
  const { port } = await supervisor.start(program("web", keeping("")));
  const first = pidOf("web");
  process.kill(first, "SIGHUP");
  const heard = new Set<string>();
  while (!heard.has(String(pidOf("web"))) || pidOf("web") === first) heard.add(await ask(Number(port)));
  await until(() => said.includes("web was replaced") && !isAlive(first));
  expect(supervisor.status()).toMatchObject([{ state: "ready", restarts: 0 }]);
  const second = pidOf("web");
  await supervisor.replace("web");
  expect(pidOf("web")).not.toBe(second);
});

test("of those that were replaced and do not end, the oldest is ended", async () => {
  const source = `process.on("SIGHUP", () => process.send({ type: "replace" }));
    process.send({ type: "ready", facts: {} });
    setInterval(() => {}, 1000);`;
  await supervisor.start(program("web", source));
  const pids: number[] = [];
  for (let count = 0; count < 6; count++) {
    const pid = pidOf("web");
    pids.push(pid);
    process.kill(pid, "SIGHUP");
    await until(() => pidOf("web") !== pid && supervisor.status()[0]?.state === "ready");
  }
  await until(() => pids.map(isAlive).join() === "false,false,true,true,true,true");
});

test("where the next process does not start, the old one goes on", async () => {
  const { port } = await supervisor.start(program("web", keeping("if (fd !== undefined) process.exit(7);")));
  const first = pidOf("web");
  process.kill(first, "SIGHUP");
  await until(() => said.some((line) => line.startsWith("web was not replaced")));
  expect([await ask(Number(port)), pidOf("web")]).toEqual([String(first), first]);
  expect(supervisor.status()[0]?.state).toBe("ready");
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
