import { setImmediate as nextTurn } from "node:timers/promises";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { errorCode } from "@shallop/sdk/internal";
import type { Store } from "./store.ts";

/** One thing done to a store. Revisions and keys are drawn small, so that they meet. */
type Step =
  | { readonly kind: "put"; readonly key: string; readonly value: number; readonly fresh: boolean }
  | { readonly kind: "delete"; readonly key: string; readonly fresh: boolean }
  | { readonly kind: "list"; readonly prefix: string; readonly back: number; readonly limit: number }
  | { readonly kind: "watch"; readonly prefix: string; readonly back: number }
  | { readonly kind: "compact"; readonly back: number };

/** One write that happened, as the model keeps it: no state is derived ahead. */
interface Written {
  readonly revision: number;
  readonly key: string;
  readonly value: string | undefined;
}

const prefixes = ["", "/a", "/a/", "/b/1"];
const key = fc.constantFrom("/a/1", "/a/2", "/a/10", "/ab", "/b/1", "/b/1/x");
const back = fc.nat(12);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("put"), key, value: fc.nat(99), fresh: probably() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete"), key, fresh: probably() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("list"),
      prefix: fc.constantFrom(...prefixes),
      back,
      limit: fc.integer({ min: 1, max: 7 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("watch"), prefix: fc.constantFrom(...prefixes), back }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("compact"), back }) },
);

/** Mostly true: the write expects the revision that is there. */
function probably(): fc.Arbitrary<boolean> {
  return fc.nat(9).map((chance) => chance < 8);
}

class Model {
  readonly written: Written[] = [];
  compacted = 0;

  get head(): number {
    return this.written.length;
  }

  stateAt(revision: number): ReadonlyMap<string, Written> {
    const state = new Map<string, Written>();
    for (const write of this.written.slice(0, revision)) {
      if (write.value === undefined) state.delete(write.key);
      else state.set(write.key, write);
    }
    return state;
  }

  eventsAfter(revision: number, prefix: string): string[] {
    return this.written
      .slice(revision)
      .filter((write) => write.key.startsWith(prefix))
      .map(({ revision, key, value }) => {
        const before = this.stateAt(revision - 1).get(key)?.value;
        const type = value === undefined ? "deleted" : before === undefined ? "created" : "updated";
        return `${revision} ${type} ${key}=${value ?? before} was ${before}`;
      });
  }
}

const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value);

/** Any history of writes, lists, watches and compactions comes out as a list of writes says. `open` makes an empty store. */
export function historyContract(name: string, open: () => Promise<Store>): void {
  test(`Store history: ${name}`, async () => {
    // A turn is a list of steps that are begun together, so that writes share a commit.
    const turns = fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(turns, async (turns) => {
        await using store = await open();
        await run(store, turns);
      }),
      { numRuns: 60 },
    );
  });
}

async function run(store: Store, turns: readonly (readonly Step[])[]): Promise<void> {
  const model = new Model();
  const watches: { readonly from: number; readonly prefix: string; readonly seen: string[] }[] = [];
  for (const steps of turns) {
    const outcomes: Promise<void>[] = [];
    for (const step of steps) {
      switch (step.kind) {
        case "put":
        case "delete":
          outcomes.push(write(store, model, step));
          break;
        case "list":
          // Lists show what is acknowledged: compared when the writes of this turn are.
          outcomes.push(Promise.allSettled(outcomes).then(() => compareList(store, model, step)));
          break;
        case "watch": {
          const from = Math.max(model.compacted, store.head() - step.back);
          const seen: string[] = [];
          watches.push({ from, prefix: step.prefix, seen });
          store.watch(step.prefix, from, ({ revision, type, key, value, previous }) =>
            seen.push(`${revision} ${type} ${key}=${text(value)} was ${text(previous)}`),
          );
          break;
        }
        case "compact":
          outcomes.push(compact(store, model, Math.max(0, store.head() - step.back)));
          break;
        default:
          step satisfies never;
      }
    }
    await Promise.all(outcomes);
  }
  for (let turn = 0; turn < 10; turn++) await nextTurn();
  expect(store.head()).toBe(model.head);
  for (const { from, prefix, seen } of watches) expect(seen).toEqual(model.eventsAfter(from, prefix));
}

/** The model writes at once, in the order of the calls; that is the order in which a store decides. */
async function write(store: Store, model: Model, step: Step & { kind: "put" | "delete" }): Promise<void> {
  const current = model.stateAt(model.head).get(step.key)?.revision ?? 0;
  const expected = step.fresh ? current : current + 1;
  if (step.kind === "delete" && expected === 0) return;
  const value = step.kind === "put" ? String(step.value) : undefined;
  const revision = model.head + 1;
  if (step.fresh) model.written.push({ revision, key: step.key, value });
  const done =
    value === undefined
      ? store.delete(step.key, expected)
      : store.put(step.key, new TextEncoder().encode(value), expected);
  const outcome = await done.catch((error: unknown) => errorCode(error));
  expect(outcome).toBe(step.fresh ? revision : "REVISION_MISMATCH");
}

function compareList(store: Store, model: Model, step: Step & { kind: "list" }): void {
  const at = Math.max(0, store.head() - step.back);
  if (at < model.compacted) return;
  const wanted = [...model.stateAt(at).values()]
    .filter((write) => write.key.startsWith(step.prefix))
    .map(({ key, value, revision }) => `${key}=${value}@${revision}`);
  wanted.sort((a, b) => (a.split("=")[0]! < b.split("=")[0]! ? -1 : 1));
  const got: string[] = [];
  for (let startAfter: string | undefined; ;) {
    const page = store.list(step.prefix, {
      limit: step.limit,
      at,
      ...(startAfter === undefined ? {} : { startAfter }),
    });
    got.push(...page.entries.map(({ key, value, revision }) => `${key}=${text(value)}@${revision}`));
    expect(page.remaining).toBe(wanted.length - got.length);
    if (page.remaining === 0) break;
    startAfter = page.entries.at(-1)?.key;
  }
  expect(got).toEqual(wanted);
}

async function compact(store: Store, model: Model, target: number): Promise<void> {
  model.compacted = Math.max(model.compacted, target);
  await store.compact(target);
}
