import { createServer } from "node:net";
import { expect, test } from "vitest";
import { systemClock } from "@shallop/sdk/internal";
import { untilConnectable } from "./probe.ts";

test("resolves once something listens, and not before", async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await new Promise<unknown>((resolve) => server.close(resolve));
  let connectable = false;
  const waiting = untilConnectable({ host: "127.0.0.1", port }, systemClock, AbortSignal.timeout(5000)).then(
    () => (connectable = true),
  );
  await systemClock.sleep(40);
  expect(connectable).toBe(false);
  await using again = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => again.listen(port, "127.0.0.1", resolve));
  await waiting;
});

test("ends when it is given up", async () => {
  const giveUp = new AbortController();
  const waiting = untilConnectable({ host: "127.0.0.1", port: 1 }, systemClock, giveUp.signal);
  const refused = expect(waiting).rejects.toThrow();
  await systemClock.sleep(20);
  giveUp.abort(new Error("enough"));
  await refused;
});
