import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fakeNode, fakePod, fakeRevision, fakeRoute } from "./gateway.fake.ts";
import { Cluster } from "./route/cluster.ts";
import { StateFile } from "./state-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "state-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const ignore = (): void => undefined;
const emptyCluster = (): Cluster =>
  new Cluster("localhost", {
    revisionChanged: ignore,
    revisionGone: ignore,
    podChanged: ignore,
    podGone: ignore,
    certificatesChanged: ignore,
  });
const stateFile = (cluster: Cluster, clock = new FakeClock()): StateFile =>
  new StateFile(cluster, { file: join(folder, "deep", "state.json"), clock, log: silentLog });

function filled(): Cluster {
  const cluster = emptyCluster();
  cluster.set("nodes", fakeNode("n1"));
  cluster.set("revisions", fakeRevision("r"));
  cluster.set("pods", fakePod("p", "r", { endpoint: { protocol: "http1", host: "10.4.0.2", port: 80 } }));
  cluster.set("routes", fakeRoute("hello", [{ revisionName: "r", percent: 100 }]));
  return cluster;
}

describe("StateFile", () => {
  test("what one gateway wrote, the next one knows; pods are left out", async () => {
    const clock = new FakeClock();
    const written = stateFile(filled(), clock);
    written.changed();
    await clock.advance(1000);
    await written.close();
    const next = emptyCluster();
    await stateFile(next).load();
    expect(next.split("default/hello")?.revisions).toEqual(["default/r"]);
    expect(next.revision("default/r")?.homes).toEqual(["n1"]);
    expect(next.node("n1")?.machine).toBe("here");
    expect([...next.objects("pods")]).toEqual([]);
    expect(next.complete).toBe(false);
    expect(await readdir(join(folder, "deep"))).toEqual(["state.json"]);
  });

  test("is written by close, if something has changed, and not otherwise", async () => {
    const quiet = stateFile(filled());
    await quiet.close();
    expect(await readdir(folder)).toEqual([]);
    quiet.changed();
    await quiet.close();
    expect(JSON.parse(await readFile(join(folder, "deep", "state.json"), "utf8"))).toMatchObject({ version: 1 });
  });

  test.each(["", "{", "[]", "null", '{"version":2}', '{"version":1,"nodes":[{}],"revisions":[],"routes":[]}'])(
    "a file that says %j is no reason not to start",
    async (text) => {
      const file = join(folder, "state.json");
      await writeFile(file, text);
      const cluster = emptyCluster();
      await new StateFile(cluster, { file, clock: new FakeClock(), log: silentLog }).load();
      expect(cluster.router.size).toBe(0);
    },
  );

  test("a folder that cannot be written is no reason to stop", async () => {
    const file = join(folder, "file", "state.json");
    await writeFile(join(folder, "file"), "");
    const state = new StateFile(filled(), { file, clock: new FakeClock(), log: silentLog });
    await state.load();
    state.changed();
    await state.close();
  });
});
