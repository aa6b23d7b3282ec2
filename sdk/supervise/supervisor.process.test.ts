import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
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
  const endMs = systemClock.nowMs() + 20_000;
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
