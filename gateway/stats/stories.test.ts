import { silentLog } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { Stories } from "./stories.ts";

function tell(send: (stories: readonly string[]) => Promise<void>) {
  const clock = new FakeClock();
  const sent: (readonly string[])[] = [];
  const stories = new Stories<string>({
    clock,
    log: silentLog,
    send: (some) => {
      sent.push(some);
      return send(some);
    },
  });
  return { clock, sent, stories };
}

const broken = (): Promise<void> => Promise.reject(new Error("read ECONNRESET"));

test("what was not taken is told again, with what came meanwhile", async () => {
  let isBroken = true;
  const { clock, sent, stories } = tell(() => (isBroken ? broken() : Promise.resolve()));
  stories.add("a");
  await clock.advance(1_000);
  stories.add("b");
  isBroken = false;
  await clock.advance(3_000);
  expect(sent).toEqual([["a"], ["a", "b"]]);
  stories.close();
});

test("whoever takes none for half a minute hears no more of them, and never of more than 200 at once", async () => {
  const { clock, sent, stories } = tell(broken);
  for (let number = 0; number < 150; number++) stories.add(`old ${number}`);
  await clock.advance(1_000);
  for (let number = 0; number < 150; number++) stories.add(`new ${number}`);
  await clock.advance(60_000);
  expect(sent).toHaveLength(30);
  expect(sent.at(-1)).toHaveLength(200);
  expect(sent.at(-1)?.[0]).toBe("old 0");
  stories.close();
});
