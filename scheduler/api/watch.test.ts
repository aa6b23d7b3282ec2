import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type JsonObject, pods } from "@shallop/sdk/api";
import { silentLog } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { SqliteStore } from "../store/sqlite-store.ts";
import { admin, at, openApi, pod, refusal, type TestApi } from "./api.fixture.ts";
import { inProcessClient } from "./client.ts";
import { deleteObject } from "./delete.ts";
import { negotiate } from "./http/negotiate.ts";
import { WatchStreams } from "./http/watch-stream.ts";
import { patchObject } from "./patch.ts";
import { adminUser, controllersUser } from "./user.ts";
import { watchObjects, type WatchFrame, type WatchOptions } from "./watch.ts";
import { createObject } from "./write.ts";

const collection = at("pods", "default");

/** What was written is delivered within a few turns. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Frames of a watch as short texts: `ADDED web 3`, `BOOKMARK 4 end`. */
class Watcher {
  readonly #stop = new AbortController();
  readonly #frames: AsyncGenerator<readonly WatchFrame[], void, undefined>;
  readonly seen: string[] = [];
  readonly done: Promise<void>;

  constructor(api: TestApi, options: WatchOptions) {
    this.#frames = watchObjects(api, collection, { ...options, user: adminUser }, this.#stop.signal);
    this.done = this.#collect();
  }

  async #collect(): Promise<void> {
    for await (const batch of this.#frames) for (const frame of batch) this.seen.push(brief(frame));
  }

  async stop(): Promise<string[]> {
    await turns();
    this.#stop.abort();
    await this.done;
    return this.seen;
  }
}

function brief(frame: WatchFrame): string {
  if (frame.type === "ERROR") return `ERROR ${frame.fault.code}`;
  if (frame.type === "BOOKMARK") return `BOOKMARK ${frame.resourceVersion}${frame.initial ? " end" : ""}`;
  const { name, resourceVersion, labels } = frame.object.metadata;
  return `${frame.type} ${name} ${resourceVersion}${labels === undefined ? "" : ` ${JSON.stringify(labels)}`}`;
}

const create = (api: TestApi, name: string, labels?: JsonObject) =>
  createObject(api, collection, pod(name, labels === undefined ? {} : { labels }), admin);
const relabel = (api: TestApi, name: string, app: string | null) =>
  patchObject(api, at("pods", "default", name), { kind: "merge", body: { metadata: { labels: { app } } } }, admin);

test("changes come in order, once each, from after the version that was named", async () => {
  const api = await openApi();
  const first = await create(api, "a");
  const watcher = new Watcher(api, { resourceVersion: first.metadata.resourceVersion });
  await create(api, "b");
  await relabel(api, "a", "x");
  await deleteObject(api, at("pods", "default", "b"), admin);
  expect(await watcher.stop()).toEqual(["ADDED b 4", 'MODIFIED a 5 {"app":"x"}', "DELETED b 6"]);
});

test.each([{ resourceVersion: undefined }, { resourceVersion: "0" }])(
  "from version $resourceVersion the present state comes first",
  async ({ resourceVersion }) => {
    const api = await openApi();
    await create(api, "a");
    const watcher = new Watcher(api, resourceVersion === undefined ? {} : { resourceVersion });
    await create(api, "b");
    expect(await watcher.stop()).toEqual(["ADDED a 3", "ADDED b 4"]);
  },
);

test("an object that leaves a selector is deleted for the watcher, with what it was and the new version", async () => {
  const api = await openApi();
  const watcher = new Watcher(api, { labelSelector: "app=x", resourceVersion: String(api.store.head()) });
  await create(api, "a", { app: "x" });
  await create(api, "other", { app: "y" });
  await relabel(api, "a", "y");
  await relabel(api, "a", "x");
  await relabel(api, "a", null);
  await deleteObject(api, at("pods", "default", "a"), admin);
  expect(await watcher.stop()).toEqual([
    'ADDED a 3 {"app":"x"}',
    'DELETED a 5 {"app":"x"}',
    'ADDED a 6 {"app":"x"}',
    'DELETED a 7 {"app":"x"}',
  ]);
});

test("one name is one object, not those that begin with it", async () => {
  const api = await openApi();
  const watcher = new Watcher(api, { fieldSelector: "metadata.name=web", resourceVersion: "0" });
  await create(api, "web");
  await create(api, "web2");
  expect(await watcher.stop()).toEqual(["ADDED web 3"]);
});

test("a watch-list ends its state with a marked bookmark", async () => {
  const api = await openApi();
  await create(api, "a");
  const watcher = new Watcher(api, {
    sendInitialEvents: true,
    resourceVersionMatch: "NotOlderThan",
    allowWatchBookmarks: true,
  });
  await create(api, "b");
  expect(await watcher.stop()).toEqual(["ADDED a 3", "BOOKMARK 3 end", "ADDED b 4"]);
});

test("bookmarks come each minute and at the end, with the version of the whole store", async () => {
  const api = await openApi();
  const watcher = new Watcher(api, { resourceVersion: "0", allowWatchBookmarks: true, timeoutSeconds: 90 });
  await createObject(api, at("pods", "kube-system"), pod("elsewhere"), admin);
  await api.clock.advance(60_000);
  await api.clock.advance(30_000);
  await watcher.done;
  expect(watcher.seen).toEqual(["BOOKMARK 3", "BOOKMARK 3"]);
});

test("a watch that names no timeout ends within an hour", async () => {
  const api = await openApi();
  const watcher = new Watcher(api, { resourceVersion: "0" });
  await api.clock.advance(3600_000);
  await watcher.done;
  expect(watcher.seen).toEqual([]);
});

test("a version that is forgotten, or of another store, is told as Expired", async () => {
  const api = await openApi();
  await create(api, "a");
  await create(api, "b");
  await api.store.compact(4);
  for (const resourceVersion of ["1", "99"]) {
    const watcher = new Watcher(api, { resourceVersion });
    await watcher.done;
    expect(watcher.seen).toEqual(["ERROR Expired"]);
  }
});

test.each<WatchOptions>([
  { sendInitialEvents: true },
  { sendInitialEvents: false, resourceVersionMatch: "Exact" },
  { resourceVersionMatch: "NotOlderThan" },
])("%j is refused", async (options) => {
  const api = await openApi();
  expect((await refusal(() => new Watcher(api, options))).code).toBe("Invalid");
});

test("a watcher that does not read is cut off, and loses nothing of what it was to get", async () => {
  const directory = await mkdtemp(join(tmpdir(), "shallop-watch-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(directory, { recursive: true, force: true }));
  const api = await openApi(cleanup.use(SqliteStore.open(join(directory, "state.db"))));
  const stop = new AbortController();
  const frames = watchObjects(api, collection, { resourceVersion: "2", user: adminUser }, stop.signal);
  const first = frames.next();
  await create(api, "first");
  await first;
  const writes = 10_001;
  for (let index = 0; index < writes; index += 1000) {
    await Promise.all(
      Array.from({ length: Math.min(1000, writes - index) }, (_, offset) =>
        api.store.put(
          `/registry/pods/default/p${index + offset}`,
          Buffer.from(JSON.stringify(stored(`p${index + offset}`))),
          0,
        ),
      ),
    );
  }
  await new Promise((resolve) => setImmediate(resolve));
  const second = await frames.next();
  expect(second.done === true ? 0 : second.value.length).toBe(10_000);
  expect(await frames.next()).toEqual({ done: true, value: undefined });
});

const stored = (name: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", uid: name },
});

test("the client in-process throws Expired, tells bookmarks, and ends when it is stopped", async () => {
  const api = await openApi();
  const client = inProcessClient(api, controllersUser);
  const stop = new AbortController();
  const bookmarks: string[] = [];
  const seen: string[] = [];
  const start = {
    namespace: "default",
    resourceVersion: "2",
    onBookmark: (version: string) => void bookmarks.push(version),
  };
  const watching = (async () => {
    for await (const { type, object } of client.watch(pods, start, stop.signal)) {
      seen.push(`${type} ${object.metadata.name}`);
    }
  })();
  await create(api, "a");
  await api.clock.advance(60_000);
  stop.abort();
  await watching;
  expect(seen).toEqual(["ADDED a"]);
  expect(bookmarks).toEqual(["3"]);
  await api.store.compact(3);
  const late = client.watch(pods, { resourceVersion: "1" }, new AbortController().signal);
  expect((await refusal(() => late[Symbol.asyncIterator]().next())).code).toBe("Expired");
});

test("a client that leaves while it waits ends its watch, and nobody calls that an error", async () => {
  const errors: string[] = [];
  const api = { ...(await openApi()), log: { ...silentLog, error: (message: string) => void errors.push(message) } };
  const streams = new WatchStreams(api, new AbortController().signal);
  const render = {
    kind: collection.kind,
    rendering: negotiate(undefined),
    includeObject: "Metadata",
    nowMs: 0,
  } as const;
  const response = streams.open(collection, { ...admin, resourceVersion: "2" }, render);
  const reader = response.body?.getReader();
  const waiting = reader?.read();
  await turns();
  await reader?.cancel();
  expect(await waiting).toMatchObject({ done: true });
  await create(api, "a");
  await turns();
  expect(errors).toEqual([]);
});
