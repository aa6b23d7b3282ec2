import { type Buckets, durationBounds, type Metrics } from "@shallop/sdk/internal/telemetry";
import type { Store, StoreEvent, StoreWatch } from "./store.ts";

interface StoreKind {
  /** `db.system.name`, as OpenTelemetry's conventions for databases call it. */
  readonly system: string;
  readonly fileBytes: () => Promise<number>;
}

/** A store whose writes are timed, and whose watches are counted; reads are from memory. */
export function measuredStore(store: Store, metrics: Metrics, { system, fileBytes }: StoreKind): Store {
  const durations = metrics.histogram(
    {
      name: "db.client.operation.duration",
      description: "Writes to the store, until they are on disk, and compactions; error.type: why one was not made.",
      ...{ unit: "s", labels: ["db.system.name", "db.operation.name", "error.type"] },
    },
    durationBounds,
  );
  let watches = 0;
  const gauge = (name: string, description: string, unit: string, value: () => number | Promise<number>): void =>
    metrics.observe({ name, description, unit, kind: "gauge" }, async () => [{ labels: {}, value: await value() }]);
  gauge("shallop.store.revision", "Of the newest write.", "{revision}", () => store.head());
  gauge("shallop.store.size", "Of the store's files.", "By", fileBytes);
  gauge("shallop.store.watches", "That are open.", "{watch}", () => watches);
  const timed = async <Result>(operation: string, run: () => Promise<Result>): Promise<Result> => {
    const startMs = performance.now();
    const over = (error: string): void => seriesOf(error).record((performance.now() - startMs) / 1000);
    const seriesOf = (error: string): Buckets => durations.of(system, operation, error);
    try {
      const result = await run();
      over("");
      return result;
    } catch (error) {
      over(error instanceof Error && "code" in error ? String(error.code) : "UNKNOWN");
      throw error;
    }
  };
  return {
    head: () => store.head(),
    get: (key) => store.get(key),
    list: (prefix, options) => store.list(prefix, options),
    put: (key, value, expected) => timed("put", () => store.put(key, value, expected)),
    delete: (key, expected) => timed("delete", () => store.delete(key, expected)),
    compact: (revision) => timed("compact", () => store.compact(revision)),
    watch: (prefix: string, from: number, onEvent: (event: StoreEvent) => void): StoreWatch => {
      const watch = store.watch(prefix, from, onEvent);
      watches++;
      let isOpen = true;
      return {
        position: () => watch.position(),
        stop: () => {
          if (isOpen) watches--;
          isOpen = false;
          watch.stop();
        },
      };
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}
