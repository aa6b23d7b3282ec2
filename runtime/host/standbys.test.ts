import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { HostPod } from "./control-protocol.ts";
import { parkingKey } from "./parked-components.ts";
import { Standbys, type StandbyThread } from "./standbys.ts";
import { hostPod } from "./testing/host-pod.ts";

/** One that is told what to listen for. */
class Thread implements StandbyThread {
  isGone = false;
  readonly standsBy = new Set<string>();
  /** What happens before it has heard of a withdrawal. */
  meanwhile: () => void = () => undefined;

  standBy({ start }: Parameters<StandbyThread["standBy"]>[0]): void {
    this.standsBy.add(start.uid);
  }

  async withdraw(uid: string): Promise<void> {
    await Promise.resolve();
    this.meanwhile();
    this.standsBy.delete(uid);
  }
}

async function standbys() {
  const directory = await mkdtemp(join(tmpdir(), "standbys-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const threads: { key: string; thread: Thread }[] = [];
  const pod = (uid: string, program = "one"): HostPod => hostPod(program, { uid, socketPath: join(directory, uid) });
  let paths = 0;
  const made = new Standbys({
    spare: {
      parkedWith: (key) => threads.find((each) => each.key === key)?.thread,
      has: (thread) => threads.some((each) => each.thread === thread),
    },
    socketPath: () => join(directory, `t${String(++paths)}`),
  });
  const rests = (program: string): Thread => {
    const thread = new Thread();
    threads.push({ key: parkingKey(pod("", program)), thread });
    return thread;
  };
  const leaves = (thread: Thread): void => {
    threads.splice(
      threads.findIndex((each) => each.thread === thread),
      1,
    );
  };
  return { made, pod, rests, leaves };
}

test("a pod waits for a thread with its component, and for another one when that is taken", async () => {
  const { made, pod, rests, leaves } = await standbys();
  made.add(pod("a"));
  made.add(pod("b"));
  made.add(pod("c", "two"));
  const other = rests("two");
  const thread = rests("one");
  made.spread();
  expect([...thread.standsBy]).toEqual(["a", "b"]);
  expect([...other.standsBy]).toEqual(["c"]);
  leaves(thread);
  expect(made.woken("a")?.uid).toBe("a");
  expect(made.woken("a")).toBeUndefined();
  const next = rests("one");
  made.spread();
  made.spread();
  expect([...next.standsBy]).toEqual(["b"]);
});

test("one that is withdrawn leaves no socket; one that comes up meanwhile keeps its own", async () => {
  const { made, pod, rests } = await standbys();
  const thread = rests("one");
  const [gone, up] = [pod("gone"), pod("up")];
  for (const each of [gone, up]) {
    made.add(each);
    await writeFile(each.socketPath, "");
  }
  await made.remove("gone");
  expect(existsSync(gone.socketPath)).toBe(false);
  thread.meanwhile = () => void made.woken("up");
  await made.clear();
  expect(existsSync(up.socketPath)).toBe(true);
  await made.remove("nobody");
});
