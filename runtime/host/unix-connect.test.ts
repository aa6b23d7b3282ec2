import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { systemClock } from "@shallop/sdk/internal";
import { expect, onTestFinished, test } from "vitest";
import { connectStarting } from "./unix-connect.ts";

async function path(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "sh-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, "s");
}

test("a process that listens after a while is waited for", async () => {
  const at = await path();
  const connecting = connectStarting(at, systemClock, new Promise<never>(() => undefined));
  const server = createServer();
  onTestFinished(() => void server.close());
  setTimeout(() => server.listen(at), 20);
  const socket = await connecting;
  expect(socket.readyState).toBe("open");
  socket.destroy();
});

test("one that has ended is not looked for any more", async () => {
  const clock = new FakeClock();
  let looks = 0;
  const sleep = clock.sleep.bind(clock);
  clock.sleep = (ms, signal) => {
    looks++;
    return sleep(ms, signal);
  };
  const { promise: failed, reject } = Promise.withResolvers<never>();
  const connecting = connectStarting(await path(), clock, failed);
  connecting.catch(() => undefined);
  await expect.poll(() => looks).toBe(1);
  reject(new Error("it ended with 1"));
  await expect(connecting).rejects.toThrow("it ended with 1");
  await clock.advance(60_000);
  expect(looks).toBe(1);
});
