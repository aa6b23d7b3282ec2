import { Agent } from "node:http";
import { expect, test } from "vitest";
import { call, start } from "./client.fake.ts";
import { saying } from "./gateway.fake.ts";
import { gatewayClass, gatewayOf, httpRoute, ruleTo } from "./route/routing.fixture.ts";

test("a thousand routes change under load, in less than a second, and no request is lost", async () => {
  const cluster = await start();
  const { cluster: objects } = cluster.gateway;
  await cluster.wireService("a", saying("a"));
  await cluster.wireService("b", saying("b"));
  objects.set("gatewayClasses", gatewayClass());
  objects.set("gateways", gatewayOf("edge"));
  const set = (service: string): void => {
    for (let index = 0; index < 1_000; index++)
      objects.set("httpRoutes", httpRoute(`r${index}`, [ruleTo(service, `/p${index}`)]));
  };
  set("a");
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const answers: string[] = [];
  const stop = new AbortController();
  const caller = async (): Promise<void> => {
    for (let index = 0; !stop.signal.aborted; index = (index + 37) % 1_000) {
      const { status, body } = await call(cluster, "a", {
        path: `/p${index}`,
        headers: { host: "example.com" },
        agent,
      });
      answers.push(`${status} ${body}`);
    }
  };
  const callers = Array.from({ length: 8 }, caller);
  while (answers.length < 100) await new Promise((resolve) => void setImmediate(resolve));
  const began = process.threadCpuUsage();
  set("b");
  const { user, system } = process.threadCpuUsage(began);
  const before = answers.length;
  while (answers.length < before + 200) await new Promise((resolve) => void setImmediate(resolve));
  stop.abort();
  await Promise.all(callers);
  agent.destroy();
  // Of this thread: what else the machine does is no matter.
  expect((user + system) / 1000).toBeLessThan(1_000);
  expect(new Set(answers)).toEqual(new Set(["200 a", "200 b"]));
  // Those that came after the change have gone to the new place.
  expect(new Set(answers.slice(before + 8))).toEqual(new Set(["200 b"]));
});
