import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { IdleHosts } from "./idle-hosts.ts";

interface Host {
  readonly name: string;
}

function idleHosts() {
  const clock = new FakeClock();
  const ended: string[] = [];
  const hosts = new IdleHosts<Host>(clock, ({ name }) => ended.push(name));
  return { clock, ended, hosts };
}

test("all stay for three minutes, the last four for an hour more", async () => {
  const { clock, ended, hosts } = idleHosts();
  for (let index = 0; index < 6; index++) {
    hosts.idle({ name: String(index) });
    await clock.advance(1000);
  }
  await clock.advance(173_000);
  expect(ended).toEqual([]);
  await clock.advance(10_000);
  expect(ended).toEqual(["0", "1"]);
  await clock.advance(3_600_000);
  expect(ended).toEqual(["0", "1", "2", "3", "4", "5"]);
});

test("one that is used again begins anew", async () => {
  const { clock, ended, hosts } = idleHosts();
  const host = { name: "one" };
  hosts.idle(host);
  await clock.advance(200_000);
  hosts.used(host);
  await clock.advance(4_000_000);
  expect(ended).toEqual([]);
  hosts.idle(host);
  hosts.idle(host);
  await clock.advance(3_780_000);
  expect(ended).toEqual(["one"]);
});

test("nothing ends once nobody looks any more", async () => {
  const { clock, ended, hosts } = idleHosts();
  for (const name of ["one", "two"]) hosts.idle({ name });
  hosts.close();
  await clock.advance(4_000_000);
  expect(ended).toEqual([]);
});
