import { setImmediate as turn } from "node:timers/promises";
import { silentLog } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import type { PeerMessage } from "@shallop/sdk/wire";
import { expect, test } from "vitest";
import { PeerGateways } from "./peer-gateways.ts";

const message = (data: string): PeerMessage => ({ service: "default/chat", topic: "news", data });

function knowing(send: (address: string, messages: readonly PeerMessage[], signal: AbortSignal) => Promise<void>) {
  const clock = new FakeClock();
  const asked: (readonly string[])[] = [];
  const lost: number[] = [];
  const peers = new PeerGateways({
    clock,
    log: silentLog,
    name: "me",
    send: (address, messages, signal) => {
      asked.push([address, ...messages.map(({ data }) => data as string)]);
      return send(address, messages, signal);
    },
    lost: (count) => lost.push(count),
  });
  peers.know([{ name: "me", peerAddress: "a:1" }, { name: "you", peerAddress: "b:1" }, { name: "silent" }]);
  return { clock, peers, asked, lost: () => lost.reduce((sum, count) => sum + count, 0) };
}

test("what gathers while a question is under way is the next question; itself it asks nothing", async () => {
  const answer = Promise.withResolvers<void>();
  const { peers, asked } = knowing(() => answer.promise);
  expect([peers.count, peers.isEmpty]).toEqual([3, false]);
  for (const data of ["1", "2", "3"]) peers.tell(message(data));
  expect(asked).toEqual([["b:1", "1"]]);
  answer.resolve();
  await turn();
  expect(asked).toEqual([
    ["b:1", "1"],
    ["b:1", "2", "3"],
  ]);
});

test("one that is away is asked again after a second with what has come since; the oldest of too much is dropped", async () => {
  let isAway = true;
  const { clock, peers, asked, lost } = knowing(() => (isAway ? Promise.reject(new Error("away")) : Promise.resolve()));
  peers.tell(message("lost"));
  await turn();
  const large = "x".repeat(1024 * 1024);
  for (let index = 0; index < 12; index++) peers.tell(message(`${index}${large}`));
  await clock.advance(900);
  expect(asked.length).toBe(1);
  isAway = false;
  await clock.advance(200);
  await turn();
  const heard = asked.slice(1).map(([, ...data]) => data.map((text) => text.replaceAll("x", "")));
  // 8 MiB, less than eight with their numbers; one to a question.
  expect(heard).toEqual([["5"], ["6"], ["7"], ["8"], ["9"], ["10"], ["11"]]);
  // The one that was under way, and five that were too many.
  expect(lost()).toBe(6);
});

test("10,000 messages wait, and no more; one that is named no more is forgotten, and its question given up", async () => {
  const { peers, asked, lost } = knowing(
    (_address, _messages, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
  );
  peers.tell(message("under way"));
  for (let index = 0; index < 10_005; index++) peers.tell(message(String(index)));
  peers.know([{ name: "me" }]);
  expect([peers.count, peers.isEmpty]).toEqual([1, true]);
  await turn();
  expect(asked).toEqual([["b:1", "under way"]]);
  expect(lost()).toBe(10_006);
});

test("a question that is not answered is given up after five seconds", async () => {
  const { clock, peers, asked } = knowing(
    (_address, _messages, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
  );
  peers.tell(message("lost"));
  for (let index = 0; index < 10_005; index++) peers.tell(message(String(index)));
  await clock.advance(6_100);
  await turn();
  expect(asked.map(([, ...data]) => [data.length, data[0]])).toEqual([
    [1, "lost"],
    [10_000, "5"],
  ]);
});
