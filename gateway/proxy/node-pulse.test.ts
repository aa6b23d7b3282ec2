import { PassThrough } from "node:stream";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { beforeEach, expect, test } from "vitest";
import { NodePulse } from "./node-pulse.ts";

let clock: FakeClock;
let asked: number;
let answers: boolean;
let pulse: NodePulse;
beforeEach(() => {
  clock = new FakeClock();
  asked = 0;
  answers = true;
  pulse = new NodePulse({
    clock,
    ask: () => {
      asked++;
      return answers ? Promise.resolve() : Promise.reject(new Error("silence"));
    },
  });
});

/** A tunnel; what it broke with is in `errors`. */
function tunnel(): { readonly stream: PassThrough; readonly errors: Error[] } {
  const stream = new PassThrough();
  const errors: Error[] = [];
  stream.on("error", (error) => errors.push(error));
  pulse.watch(stream);
  return { stream, errors };
}

async function seconds(count: number): Promise<void> {
  for (let second = 0; second < count; second++) await clock.advance(1_000);
}

test("a node without tunnels is left in peace", async () => {
  const { stream } = tunnel();
  await seconds(3);
  expect(asked).toBe(3);
  expect(pulse.isIdle).toBe(false);
  stream.destroy();
  await seconds(3);
  expect(asked).toBe(3);
  expect(pulse.isIdle).toBe(true);
});

test("one answer of five is a pulse", async () => {
  const { stream } = tunnel();
  for (let round = 0; round < 4; round++) {
    answers = false;
    await seconds(4);
    answers = true;
    await seconds(1);
    expect(pulse.isLost).toBe(false);
  }
  expect(stream.destroyed).toBe(false);
});

test("five without an answer end every tunnel; the first answer after them makes the node good again", async () => {
  const tunnels = [tunnel(), tunnel()];
  answers = false;
  await seconds(6);
  expect(pulse.isLost).toBe(true);
  expect(tunnels.map(({ stream, errors }) => [stream.destroyed, errors.length])).toEqual([
    [true, 1],
    [true, 1],
  ]);
  answers = true;
  await seconds(1);
  expect(pulse.isLost).toBe(false);
});

test("a tunnel that was made while the node went away is ended too", async () => {
  tunnel();
  answers = false;
  await seconds(6);
  const late = tunnel();
  await seconds(1);
  expect(late.stream.destroyed).toBe(true);
});

test("a node that stays silent is forgotten after a minute, so that nothing goes on for ever", async () => {
  tunnel();
  answers = false;
  await seconds(65);
  expect(pulse.isLost).toBe(false);
  const before = asked;
  await seconds(10);
  expect(asked).toBe(before);
});

test("nothing is asked after the end", async () => {
  tunnel();
  pulse.close();
  await seconds(3);
  expect(asked).toBe(0);
});
