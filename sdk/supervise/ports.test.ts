import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../internal/clock.ts";
import { checkPorts, type WantedPort } from "./ports.ts";

/** Somebody who has a port. */
async function squatter(): Promise<{ readonly server: Server; readonly wanted: WantedPort }> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("it has no port");
  return { server, wanted: { port: address.port, flag: "--port", what: "the gateway" } };
}

test("a port that is taken is refused at once, with the flag that helps", async () => {
  const { wanted } = await squatter();
  await expect(checkPorts("127.0.0.1", [wanted])).rejects.toMatchObject({
    code: "PORT_IN_USE",
    message: `port ${wanted.port} for the gateway is in use; choose another with --port PORT`,
  });
});

test("one whose owner is on its way out is waited for", async () => {
  const { server, wanted } = await squatter();
  const free = checkPorts("127.0.0.1", [wanted], { clock: systemClock, waitMs: 20_000 });
  setTimeout(() => server.close(), 150);
  await expect(free).resolves.toBeUndefined();
});

test("patience has an end", async () => {
  const { wanted } = await squatter();
  const patience = { clock: systemClock, waitMs: 120 };
  await expect(checkPorts("127.0.0.1", [wanted], patience)).rejects.toMatchObject({ code: "PORT_IN_USE" });
});

test("what is no address of this machine is not waited for", async () => {
  const wanted = { port: 1, flag: "--port", what: "the gateway" };
  const patience = { clock: systemClock, waitMs: 600_000 };
  await expect(checkPorts("203.0.113.1", [wanted], patience)).rejects.toMatchObject({ code: "PORT_IN_USE" });
});
