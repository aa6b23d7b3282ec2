import { seededRandom } from "@shallop/sdk/internal/testing";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { call, start, until } from "./client.fake.ts";
import { activation, fakePod, saying, type WireHandler } from "./gateway.fake.ts";

test.each([1, 2, 3])("whatever pods and clients do, no slot and no request is lost (seed %i)", async (seed) => {
  const random = seededRandom(seed);
  const cluster = await start();
  let healed = false;
  const moody: WireHandler = (head, stream) => {
    const mood = healed ? 0 : random.below(8);
    if (mood === 5) throw new Error("a bad day");
    if (mood === 6) stream.abort("REFUSED", "not now");
    if (mood === 7) for (const pod of pods) if (random.below(3) === 0) pod.connections.at(-1)?.destroy();
    if (mood === 4) return { data: () => undefined, end: () => undefined, failed: () => undefined };
    const handlers = saying("x".repeat(random.below(300_000)))(head, stream);
    const end = (): void => void setTimeout(() => handlers.end(), random.below(5));
    return { ...handlers, end };
  };
  cluster.service("moody", { containerConcurrency: 3, timeoutSeconds: 0.5 });
  const pods = [await cluster.wirePod(moody), await cluster.wirePod(moody), await cluster.wirePod(moody)];
  const show = (index: number, deleting = false): void => {
    const { endpoint } = pods[index]!;
    const pod = fakePod(`moody-00001-${index}`, "moody-00001", { endpoint, deleting });
    cluster.gateway.cluster.set("pods", pod);
    if (deleting) cluster.gateway.cluster.delete("pods", pod);
  };
  cluster.activate = async () => {
    await sleep(random.below(5));
    if (!healed && random.below(3) === 0) throw new Error("no room");
    const index = random.below(pods.length);
    return activation(`moody-00001-${index}`, pods[index]!.endpoint);
  };
  const clients = Array.from({ length: 150 }, async () => {
    await sleep(random.below(400));
    if (random.below(2) === 0) {
      const body = random.below(2) === 0 ? "GET / HTTP/1.1" : "POST / HTTP/1.1\r\ncontent-length: 100000";
      const client = cluster.connect().send(`${body}\r\nhost: moody.default.localhost\r\n\r\nsome`);
      await sleep(random.below(30));
      client.socket.destroy();
      return "left";
    }
    const method = random.below(2) === 0 ? "GET" : "POST";
    const body = "y".repeat(random.below(100_000));
    return call(cluster, "moody", method === "GET" ? {} : { method, body }).then(
      ({ status }) => String(status),
      () => "cut",
    );
  });
  const shaking = (async () => {
    for (let round = 0; round < 40; round++) {
      show(random.below(pods.length), random.below(3) === 0);
      await sleep(10);
    }
  })();
  const outcomes = new Set(await Promise.all(clients));
  await shaking;
  for (const outcome of outcomes) expect(["200", "502", "503", "504", "left", "cut"]).toContain(outcome);
  await until(() => cluster.gateway.load.open === 0);
  expect(cluster.gateway.load.waiting).toBe(0);
  healed = true;
  // On a machine that others keep busy a good answer may take its time.
  cluster.service("moody", { containerConcurrency: 3, timeoutSeconds: 30 });
  // Every slot of every pod is free again: nine at once, and none waits longer than the others take.
  for (let index = 0; index < pods.length; index++) show(index);
  const answers = await Promise.all(Array.from({ length: 30 }, () => call(cluster, "moody")));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 30 }, () => 200));
  await until(() => pods.every(({ connections }) => connections.every(({ openStreams }) => openStreams === 0)));
});
