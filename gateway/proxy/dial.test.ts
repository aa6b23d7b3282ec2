import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@shallop/sdk/internal";
import { gateAnswer } from "@shallop/sdk/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dialAddress, dialReading } from "./dial.ts";

// A gate behind which one address listens, which answers what it is told.
const gate: Server = createServer((socket) => {
  socket.once("data", (line: Buffer) => {
    if (line.toString() !== "10.88.0.2 8080\n") {
      socket.destroy();
      return;
    }
    socket.write(gateAnswer);
    socket.on("data", (data: Buffer) => socket.write(`heard ${data.toString()}`));
  });
});
let directory: string;
let path: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-dial-"));
  path = join(directory, "gate.sock");
  await once(gate.listen(path), "listening");
});
afterAll(async () => {
  gate.close();
  await rm(directory, { recursive: true });
});

test.each([
  ["dialAddress", dialAddress],
  ["dialReading", dialReading],
] as const)("%s goes through a gate, and its answer is none of the pod's bytes", async (_, dial) => {
  const socket = await dial({ host: "10.88.0.2", port: 8080, gate: path }, systemClock);
  const heard = once(socket.resume(), "data");
  socket.write("hello");
  expect(String(await heard)).toBe("heard hello");
  socket.destroy();
});

test("what a gate does not lead to takes no connection", async () => {
  const dialled = dialReading({ host: "10.88.0.3", port: 8080, gate: path }, systemClock);
  await expect(dialled).rejects.toMatchObject({ code: "CONNECT_FAILED" });
});
