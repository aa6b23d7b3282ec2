import { existsSync, lstatSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Host, PodStart } from "./known-host.ts";
import { StandbyPods } from "./standby-pods.ts";
import { hostPod } from "./testing/host-pod.ts";

async function standbys() {
  const directory = await mkdtemp(join(tmpdir(), "standby-pods-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const said: string[] = [];
  const pods = new StandbyPods({
    egress: {
      allow: async (socket) => void said.push(`allow ${socket}`),
      forbid: async (socket) => void said.push(`forbid ${socket}`),
    },
    egressAllowed: [],
    podSocket: (uid) => join(directory, `p-${uid}.sock`),
    lost: (uid) => said.push(`lost ${uid}`),
  });
  /** A host process, as far as this has to do with one. */
  const host = (name: string, refusal?: Error): Host =>
    ({
      process: {
        standBy: async ({ uid }: { uid: string }) => {
          if (refusal !== undefined) throw refusal;
          said.push(`${name}: stand by ${uid}`);
        },
        withdraw: async (uid: string) => {
          if (refusal !== undefined) throw refusal;
          said.push(`${name}: withdraw ${uid}`);
        },
      },
      place: {
        offer: () => "/prepared",
        podSocket: (uid: string) => `/${name}/${uid}`,
        egressSocket: (uid: string) => uid,
      },
      directories: [],
    }) as unknown as Host;
  const start = (uid: string): PodStart => ({ pod: hostPod("one", { uid }), pathOf: (file) => file });
  const link = (uid: string): boolean =>
    lstatSync(join(directory, `p-${uid}.sock`), { throwIfNoEntry: false }) !== undefined;
  return { pods, host, start, said, link };
}

test("a pod stands by where gateways look for it, with its way out, until it is withdrawn", async () => {
  const { pods, host, start, said, link } = await standbys();
  await pods.add(host("one"), start("a"));
  expect(link("a")).toBe(true);
  await pods.remove("a");
  expect([link("a"), existsSync("/one/a")]).toEqual([false, false]);
  expect(said).toEqual(["allow a", "one: stand by a", "one: withdraw a", "forbid a", "lost a"]);
  await pods.remove("a");
  expect(said).toHaveLength(5);
});

test("only its own process can say that it has come up", async () => {
  const { pods, host, start, said, link } = await standbys();
  const [one, other] = [host("one"), host("other")];
  await pods.add(one, start("a"));
  expect(pods.woken(other, "a")).toBeUndefined();
  expect(pods.woken(one, "a")?.uid).toBe("a");
  expect(pods.woken(one, "a")).toBeUndefined();
  await pods.remove("a");
  expect([link("a"), said.includes("lost a")], "it is a pod now").toEqual([true, false]);
});

test("a process that ends takes those with it that stood by in it, and one that refuses has none", async () => {
  const { pods, host, start, said, link } = await standbys();
  const dead = host("dead", new Error("the host process is gone"));
  await expect(pods.add(dead, start("a"))).rejects.toThrow("gone");
  expect([link("a"), said.at(-1)]).toEqual([false, "lost a"]);
  const one = host("one");
  await pods.add(one, start("b"));
  await pods.add(host("other"), start("c"));
  await pods.leave(one);
  expect([link("b"), link("c")]).toEqual([false, true]);
});
