import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { PodListener } from "./pod-listener.ts";

test("who connects before anybody accepts is not lost, and comes first", async () => {
  const path = join(tmpdir(), `listener-${process.pid}`);
  const listener = new PodListener();
  await once(listener.server.listen(path), "listening");
  const clients: Socket[] = [];
  const say = async (text: string): Promise<void> => {
    const client = connect(path);
    clients.push(client);
    await once(client, "connect");
    client.end(text);
  };
  onTestFinished(() => {
    for (const client of clients) client.destroy();
    listener.server.close();
  });
  const held = once(listener.server, "connection");
  await say("early");
  await held;
  const heard: string[] = [];
  listener.accept((socket) => {
    socket.setEncoding("utf8").on("data", (text: string) => heard.push(text));
  });
  await say("late");
  await expect.poll(() => heard).toEqual(["early", "late"]);
});

test("one that fails while nobody has it ends nothing, and is not given to who accepts then", async () => {
  const listener = new PodListener();
  await once(listener.server.listen(0, "127.0.0.1"), "listening");
  const { port } = listener.server.address() as AddressInfo;
  const clients: Socket[] = [];
  onTestFinished(() => {
    for (const client of clients) client.destroy();
    listener.server.close();
  });
  const held: Socket[] = [];
  listener.server.on("connection", (socket) => held.push(socket));
  for (const isReset of [true, false]) {
    const client = connect(port, "127.0.0.1");
    clients.push(client);
    await once(client, "connect");
    await expect.poll(() => held.length).toBe(clients.length);
    if (isReset) client.resetAndDestroy();
  }
  await expect.poll(() => held[0]?.errored).toMatchObject({ code: "ECONNRESET" });
  const given: Socket[] = [];
  listener.accept((socket) => given.push(socket));
  expect(given).toEqual([held[1]]);
  expect(given[0]?.listenerCount("error")).toBe(0);
});
