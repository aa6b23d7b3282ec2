import { errorCode } from "@shallop/sdk/internal";
import { SqliteStore } from "./sqlite-store.ts";

// Started by a test with the path of a store: writes to it without end, several writes a turn, and says each one on its
// standard output as soon as it is acknowledged: `KEY REVISION VALUE`. At the first refusal it says the code, whether
// reads still work and what the next write comes to, and ends.
const [, , file = ""] = process.argv;
const store = SqliteStore.open(file);
const keys = Array.from({ length: 5 }, (_, index) => `/key/${index}`);
const headAtStart = store.head();
const put = async (key: string, value: string): Promise<number> => {
  const revision = await store.put(key, new TextEncoder().encode(value), store.get(key)?.revision ?? 0);
  process.stdout.write(`${key} ${revision} ${value}\n`);
  return revision;
};

let refused: unknown;
for (let round = 0; refused === undefined; round++) {
  const outcomes = await Promise.allSettled(keys.map((key) => put(key, `${process.pid}-${round}`)));
  // While it is killed, too: compaction must not cost what it does not mean to.
  if (round === 5) store.compact(headAtStart).catch(() => undefined);
  for (const outcome of outcomes) if (outcome.status === "rejected") refused ??= outcome.reason;
}
const again = await put("/key/0", "again").catch((error: unknown) => errorCode(error));
process.stdout.write(`refused ${errorCode(refused)} ${store.list("/key/").entries.length} ${again}\n`);
process.exit(0);
