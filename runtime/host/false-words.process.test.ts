import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { recordProcess } from "../sandbox/kernel/process-record.ts";
import type { HostMessage } from "./control-protocol.ts";
import { hostDirectory, hostSocket } from "./run-files.ts";
import { never, RuntimeFixture } from "./testing/runtime-fixture.ts";

test("a host process that was taken over ends, wakes and blames no pods but its own", async () => {
  await using fixture = await RuntimeFixture.open();
  const runtime = await fixture.runtime();
  const image = await fixture.guestImage();
  const victim = await runtime.start(fixture.launch(image, "victim"), never);
  const standby = await runtime.standBy(fixture.launch(image, "victim"), never);
  // It speaks as a host process does; whose it is, an earlier agent has written down.
  const directory = hostDirectory(fixture.runDirectory, "evil00");
  await mkdir(directory);
  const process = spawn("sleep", ["600"]);
  await recordProcess(`${directory}.pid`, { pid: process.pid ?? 0, note: "evil" });
  const sockets: Socket[] = [];
  const own = { ...fixture.launch(image, "evil"), uid: "evil-pod" };
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    const pods = [{ uid: own.uid, namespace: "evil", name: own.name, env: [], limits: own.limits, directories: [] }];
    socket.write(`${JSON.stringify({ type: "reply", id: 0, value: { namespace: "evil", pods } })}\n`);
  }).listen(hostSocket(directory));
  await once(server, "listening");
  await runtime.adopt();
  const exit = { exitCode: 1, reason: "Error", message: "it says" };
  const uids = [victim.uid, standby?.uid ?? "", own.uid];
  const lies: HostMessage[] = uids.flatMap((uid) => [
    { type: "woken", uid },
    { type: "noticed", uid, severity: "Warning", reason: "Blamed", message: "it says" },
    { type: "logged", uid, lines: [{ wallMs: 0, stream: "stdout", text: "it says", partial: false }] },
    { type: "exited", uid, exit },
  ]);
  sockets.at(-1)?.write(lies.map((lie) => `${JSON.stringify(lie)}\n`).join(""));
  // Said last, of its own pod: what came before has been heard.
  await fixture.until(() => fixture.exits.has(own.uid));
  expect([...fixture.exits.keys(), ...fixture.lines.keys(), ...fixture.notices.map(({ uid }) => uid)]).toEqual(
    Array.from({ length: 3 }, () => own.uid),
  );
  expect(fixture.woken).toEqual([]);
  using client = await fixture.connect(victim);
  expect((await client.get("/hello")).head.status).toBe(200);
  const gone = once(process, "exit");
  server.close();
  for (const socket of sockets) socket.destroy();
  await gone;
  await fixture.until(async () => !(await readdir(fixture.runDirectory)).includes("h-evil00"));
});
