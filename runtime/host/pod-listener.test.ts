import { once } from "node:events";
import { connect, type Socket } from "node:net";
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
