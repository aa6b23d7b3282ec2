import { apiVersionOf, type Namespace, namespaces, type NewObject, nodes } from "@shallop/sdk/api";
import { silentLog } from "@shallop/sdk/internal";
import { FakeClock, seededRandom } from "@shallop/sdk/internal/testing";
import { describe, expect, test } from "vitest";
import { createApi } from "../../api/api.ts";
import { inProcessClient } from "../../api/client.ts";
import { controllersUser } from "../../api/user.ts";
import { FakeStore } from "../../store/store.fake.ts";
import { Mirror } from "./mirror.ts";

async function start() {
  const clock = new FakeClock();
  const random = seededRandom(1);
  const api = await createApi({ store: new FakeStore(), clock, random, log: silentLog });
  const client = inProcessClient(api, controllersUser);
  const stop = new AbortController();
  const changes: string[] = [];
  const mirror = new Mirror(client, namespaces, {
    signal: stop.signal,
    clock,
    random,
    log: silentLog,
    indexers: { team: ({ metadata }) => [metadata.labels?.["team"] ?? ""].filter((team) => team !== "") },
    onChange: ({ before, after }) => void changes.push(`${before?.metadata.name ?? ""}>${after?.metadata.name ?? ""}`),
  });
  await clock.advance(0);
  await mirror.synced;
  changes.length = 0;
  const make = (name: string, team?: string): Promise<Namespace> => {
    const object: NewObject<Namespace> = {
      apiVersion: apiVersionOf(namespaces),
      kind: "Namespace",
      metadata: { name, ...(team === undefined ? {} : { labels: { team } }) },
    };
    return client.create(namespaces, object);
  };
  const end = async (): Promise<void> => {
    stop.abort(new Error("over"));
    await mirror.stopped;
  };
  return { client, clock, mirror, changes, make, end };
}

describe("Mirror", () => {
  test("what was written is seen before the watch has told it, and only once", async () => {
    const { mirror, make, changes, clock, end } = await start();
    const made = await make("a");
    mirror.wrote(made);
    expect(mirror.get(undefined, "a")).toBe(made);
    await clock.advance(0);
    await clock.advance(0);
    expect(changes).toEqual([">a"]);
    await end();
  });

  test("an answer that comes after the deletion does not bring it back", async () => {
    const { mirror, client, make, clock, end } = await start();
    const made = await make("a");
    await clock.advance(0);
    await client.delete(namespaces, { name: "a" });
    await client.finalizeNamespace("a");
    for (let turn = 0; turn < 5; turn++) await clock.advance(0);
    mirror.wrote(made);
    expect(mirror.get(undefined, "a")).toBe(undefined);
    await end();
  });

  test("what we have had deleted counts as on its way out until that is seen", async () => {
    const { mirror, make, end } = await start();
    const made = await make("a");
    mirror.wrote(made);
    mirror.deleted(made);
    expect(mirror.get(undefined, "a")?.metadata.deletionTimestamp).toBeDefined();
    await end();
  });

  test("indexes follow the labels", async () => {
    const { mirror, client, make, end } = await start();
    mirror.wrote(await make("a", "red"));
    mirror.wrote(await make("b", "red"));
    const names = (team: string): string[] => mirror.indexed("team", team).map(({ metadata }) => metadata.name);
    expect(names("red")).toEqual(["a", "b"]);
    const patch = { type: "merge", body: { metadata: { labels: { team: "blue" } } } } as const;
    mirror.wrote(await client.patch(namespaces, { name: "a" }, patch));
    expect(names("red")).toEqual(["b"]);
    expect(names("blue")).toEqual(["a"]);
    expect(names("none")).toEqual([]);
    await end();
  });

  test("one that was made anew under the same name is another one", async () => {
    const { mirror, client, make, clock, changes, end } = await start();
    const first = await make("a");
    mirror.wrote(first);
    await client.delete(namespaces, { name: "a" });
    await client.finalizeNamespace("a");
    mirror.wrote(await make("a"));
    for (let turn = 0; turn < 5; turn++) await clock.advance(0);
    expect(mirror.byUid(first.metadata.uid)).toBe(undefined);
    expect(mirror.get(undefined, "a")?.metadata.uid).not.toBe(first.metadata.uid);
    expect(changes.at(-1)).toBe(">a");
    expect(nodes.namespaced).toBe(false);
    await end();
  });
});
