import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type Store, type StoreEvent, StoreFault } from "./store.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value);

/** The code that a promise or a call is refused with. */
async function refusal(call: () => unknown): Promise<string | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error instanceof StoreFault ? error.code : `no StoreFault: ${String(error)}`;
  }
}

/** An event in short: `created /a=1@7`, `updated /a=2 was 1@8`. */
function brief({ type, key, value, previous, revision }: StoreEvent): string {
  const was = previous === undefined ? "" : ` was ${text(previous)}`;
  return `${type} ${key}=${text(value)}${was}@${revision}`;
}

/** Lets everything that was announced arrive. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await nextTurn();
}

/** What every Store does, whatever is behind it. `open` makes an empty one. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`Store contract: ${name}`, () => {
    readsAndWrites(open);
    lists(open);
    watches(open);
    compaction(open);
    closing(open);
  });
}

function readsAndWrites(open: () => Promise<Store>): void {
  test("an empty store is at revision 0 and has nothing", async () => {
    await using store = await open();
    expect(store.head()).toBe(0);
    expect(store.get("/a")).toBeUndefined();
    expect(store.list("")).toEqual({ entries: [], revision: 0, remaining: 0 });
  });

  test("what was put can be read, with the revision of its creation and of its last write", async () => {
    await using store = await open();
    const first = await store.put("/a", bytes("1"), 0);
    await store.put("/b", bytes("x"), 0);
    const second = await store.put("/a", bytes("2"), first);
    expect([first, second, store.head()]).toEqual([1, 3, 3]);
    expect(store.get("/a")).toMatchObject({ key: "/a", createRevision: 1, revision: 3 });
    expect(text(store.get("/a")?.value)).toBe("2");
  });

  test("an empty value is a value", async () => {
    await using store = await open();
    await store.put("/a", bytes(""), 0);
    expect(store.get("/a")?.value).toHaveLength(0);
  });

  test("a key that was deleted is gone, and made anew it has a new creation", async () => {
    await using store = await open();
    await store.put("/a", bytes("1"), 0);
    expect(await store.delete("/a", 1)).toBe(2);
    expect(store.get("/a")).toBeUndefined();
    await store.put("/a", bytes("2"), 0);
    expect(store.get("/a")).toMatchObject({ createRevision: 3, revision: 3 });
  });

  test("a write that expects another revision is refused and changes nothing", async () => {
    await using store = await open();
    await store.put("/a", bytes("1"), 0);
    expect(await refusal(() => store.put("/a", bytes("2"), 0))).toBe("REVISION_MISMATCH");
    expect(await refusal(() => store.put("/a", bytes("2"), 7))).toBe("REVISION_MISMATCH");
    expect(await refusal(() => store.put("/b", bytes("2"), 1))).toBe("REVISION_MISMATCH");
    expect(await refusal(() => store.delete("/a", 7))).toBe("REVISION_MISMATCH");
    expect(await refusal(() => store.delete("/b", 1))).toBe("REVISION_MISMATCH");
    expect(store.head()).toBe(1);
    expect(text(store.get("/a")?.value)).toBe("1");
  });

  test("of the writes of one turn each has its own outcome, as if they had come one by one", async () => {
    await using store = await open();
    await store.put("/a", bytes("0"), 0);
    const outcomes = await Promise.allSettled([
      store.put("/a", bytes("1"), 1),
      store.put("/a", bytes("lost"), 1),
      store.put("/a", bytes("2"), 2),
      store.delete("/a", 3),
      store.put("/a", bytes("3"), 0),
      store.put("/b", bytes("4"), 0),
    ]);
    expect(outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value : "refused"))).toEqual([
      2,
      "refused",
      3,
      4,
      5,
      6,
    ]);
    expect(store.get("/a")).toMatchObject({ createRevision: 5, revision: 5 });
  });

  test("a write is not to be seen before it is acknowledged", async () => {
    await using store = await open();
    const write = store.put("/a", bytes("1"), 0);
    expect(store.get("/a")).toBeUndefined();
    await write;
    expect(store.get("/a")).toBeDefined();
  });
}

function lists(open: () => Promise<Store>): void {
  const keys = (store: Store, prefix: string, options?: Parameters<Store["list"]>[1]): unknown => {
    const { entries, revision, remaining } = store.list(prefix, options);
    return { keys: entries.map((entry) => `${entry.key}=${text(entry.value)}`).join(" "), revision, remaining };
  };

  test("a list has the keys with a prefix, in order, in pages", async () => {
    await using store = await open();
    for (const key of ["/b/2", "/a/1", "/b/10", "/c", "/b/1", "/b"]) await store.put(key, bytes("v"), 0);
    expect(keys(store, "/b/")).toEqual({ keys: "/b/1=v /b/10=v /b/2=v", revision: 6, remaining: 0 });
    expect(keys(store, "/b/", { limit: 2 })).toEqual({ keys: "/b/1=v /b/10=v", revision: 6, remaining: 1 });
    expect(keys(store, "/b/", { limit: 2, startAfter: "/b/10" })).toEqual({
      keys: "/b/2=v",
      revision: 6,
      remaining: 0,
    });
    expect(keys(store, "/b/", { startAfter: "/a" })).toMatchObject({ keys: "/b/1=v /b/10=v /b/2=v" });
    expect(keys(store, "/b/", { startAfter: "/z" })).toMatchObject({ keys: "", remaining: 0 });
    expect(keys(store, "/nothing/")).toEqual({ keys: "", revision: 6, remaining: 0 });
  });

  test("a list at an older revision shows what was there then", async () => {
    await using store = await open();
    await store.put("/a", bytes("1"), 0);
    await store.put("/b", bytes("2"), 0);
    await store.put("/a", bytes("3"), 1);
    await store.delete("/b", 2);
    await store.put("/c", bytes("4"), 0);
    expect(keys(store, "/", { at: 0 })).toEqual({ keys: "", revision: 0, remaining: 0 });
    expect(keys(store, "/", { at: 2 })).toEqual({ keys: "/a=1 /b=2", revision: 2, remaining: 0 });
    expect(keys(store, "/", { at: 2, limit: 1 })).toEqual({ keys: "/a=1", revision: 2, remaining: 1 });
    expect(keys(store, "/", { at: 2, startAfter: "/a" })).toMatchObject({ keys: "/b=2" });
    expect(keys(store, "/", { at: 4 })).toMatchObject({ keys: "/a=3" });
    expect(keys(store, "/", { at: 5 })).toMatchObject({ keys: "/a=3 /c=4" });
    expect(await refusal(() => store.list("/", { at: 6 }))).toBe("FUTURE_REVISION");
  });
}

function watches(open: () => Promise<Store>): void {
  test("a watch tells every write under its prefix, once, in order, from where it was asked to", async () => {
    await using store = await open();
    await store.put("/a/1", bytes("1"), 0);
    await store.put("/a/1", bytes("2"), 1);
    const seen: string[] = [];
    store.watch("/a/", 1, (event) => seen.push(brief(event)));
    expect(seen).toEqual([]);
    await store.put("/b/1", bytes("x"), 0);
    await store.put("/a/2", bytes("3"), 0);
    await store.delete("/a/1", 2);
    await settle();
    expect(seen).toEqual(["updated /a/1=2 was 1@2", "created /a/2=3@4", "deleted /a/1=2 was 2@5"]);
  });

  test("a watch from the newest revision tells what comes after it", async () => {
    await using store = await open();
    await store.put("/a", bytes("1"), 0);
    const seen: string[] = [];
    store.watch("", 1, (event) => seen.push(brief(event)));
    await Promise.all([store.put("/b", bytes("2"), 0), store.put("/c", bytes("3"), 0)]);
    await settle();
    expect(seen).toEqual(["created /b=2@2", "created /c=3@3"]);
  });

  test("an event can be acted upon: what it tells is there already", async () => {
    await using store = await open();
    const values: (string | undefined)[] = [];
    store.watch("", 0, ({ key }) => values.push(text(store.get(key)?.value)));
    await store.put("/a", bytes("1"), 0);
    await settle();
    expect(values).toEqual(["1"]);
  });

  test("a watch that was stopped tells nothing more, even when it stops itself", async () => {
    await using store = await open();
    await store.put("/a", bytes("1"), 0);
    await store.put("/b", bytes("1"), 0);
    const seen: string[] = [];
    const past = store.watch("", 0, (event) => {
      seen.push(brief(event));
      past.stop();
    });
    const stopped = store.watch("", 0, (event) => seen.push(brief(event)));
    stopped.stop();
    await settle();
    await store.put("/c", bytes("1"), 0);
    await settle();
    expect(seen).toEqual(["created /a=1@1"]);
  });

  test("a watch that begins in an event goes on from where it was asked to", async () => {
    await using store = await open();
    const fromEvent: string[] = [];
    const fromHead: string[] = [];
    let begun = false;
    store.watch("", 0, ({ revision }) => {
      if (begun) return;
      begun = true;
      store.watch("", revision, (event) => fromEvent.push(brief(event)));
      store.watch("", 2, (event) => fromHead.push(brief(event)));
    });
    await Promise.all([store.put("/a", bytes("1"), 0), store.put("/b", bytes("2"), 0)]);
    await settle();
    await store.put("/c", bytes("3"), 0);
    await settle();
    expect(fromEvent).toEqual(["created /b=2@2", "created /c=3@3"]);
    expect(fromHead).toEqual(["created /c=3@3"]);
  });

  test("a watch from a revision that is not there yet is refused", async () => {
    await using store = await open();
    expect(await refusal(() => store.watch("", 1, () => undefined))).toBe("FUTURE_REVISION");
  });
}

function compaction(open: () => Promise<Store>): void {
  test("what is older than the compaction is refused, what is not still works", async () => {
    await using store = await open();
    await store.put("/a", bytes("1"), 0);
    await store.put("/a", bytes("2"), 1);
    await store.put("/b", bytes("3"), 0);
    await store.delete("/b", 3);
    await store.put("/a", bytes("4"), 2);
    await store.compact(3);
    expect(await refusal(() => store.list("", { at: 2 }))).toBe("COMPACTED");
    expect(await refusal(() => store.watch("", 2, () => undefined))).toBe("COMPACTED");
    expect(store.list("", { at: 3 }).entries.map(({ key, value }) => key + text(value))).toEqual(["/a2", "/b3"]);
    const seen: string[] = [];
    store.watch("", 3, (event) => seen.push(brief(event)));
    await settle();
    expect(seen).toEqual(["deleted /b=3 was 3@4", "updated /a=4 was 2@5"]);
  });

  test("compaction to the newest revision and beyond keeps all that there is now", async () => {
    await using store = await open();
    await store.put("/a", bytes("1"), 0);
    await store.put("/b", bytes("2"), 0);
    await store.delete("/b", 2);
    await store.compact(1000);
    await store.compact(1);
    expect(store.head()).toBe(3);
    expect(store.list("").entries.map(({ key }) => key)).toEqual(["/a"]);
    expect(await store.put("/b", bytes("3"), 0)).toBe(4);
  });

  test("compaction does not take away what a watch has yet to read", async () => {
    await using store = await open();
    for (let count = 0; count < 1500; count++) await store.put("/a", bytes(String(count)), count);
    let seen = 0;
    store.watch("", 0, ({ revision }) => {
      seen += 1;
      expect(revision).toBe(seen);
    });
    await store.compact(1500);
    await settle();
    expect(seen).toBe(1500);
  });
}

function closing(open: () => Promise<Store>): void {
  test("a store that was closed takes no writes", async () => {
    const store = await open();
    await store.put("/a", bytes("1"), 0);
    await store[Symbol.asyncDispose]();
    expect(await refusal(() => store.put("/a", bytes("2"), 1))).toBe("UNWRITABLE");
  });
}
