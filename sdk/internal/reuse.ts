import type { LimitRow } from "./limits.ts";

/** Prefix of the annotations on a revision template that say how instances are used again: `reuse.shallop.dev/requests`. */
export const reusePrefix = "reuse.shallop.dev/";

/** How often an instance of a Wasm guest is used, and by how many requests at once, before it is dropped. */
export interface InstanceReuse {
  /** 1: a fresh instance for each request. */
  readonly requestsMax: number;
  /** A guest of WASI 0.2 has one, whatever this says. */
  readonly atOnceMax: number;
  /** How long one that serves nothing is kept. */
  readonly idleMs: number;
}

/** What each of them may be, and the annotation that sets it. */
export const reuseRows: Readonly<Record<keyof InstanceReuse, Pick<LimitRow, "setBy" | "unit" | "min" | "max">>> = {
  requestsMax: { setBy: "requests", unit: "count", min: 1, max: 1_000_000 },
  // Each has a stack and handles in the one instance.
  atOnceMax: { setBy: "at-once", unit: "count", min: 1, max: 1000 },
  // One that is kept for longer holds its memory for nobody.
  idleMs: { setBy: "idle-time", unit: "duration", min: 10, max: 3_600_000 },
};

/** Guests of WASI 0.3 are made to be entered concurrently: the numbers are wasmtime's. */
const concurrent: InstanceReuse = { requestsMax: 128, atOnceMax: 16, idleMs: 1000 };
/** Those of 0.2 are made for one request. */
const fresh: InstanceReuse = { requestsMax: 1, atOnceMax: 1, idleMs: 1000 };

/** How instances are used when `wanted` is asked for. `isConcurrent`: the guest is of WASI 0.3. */
export function instanceReuse(wanted: Partial<InstanceReuse>, isConcurrent: boolean): InstanceReuse {
  const reuse = { ...(isConcurrent ? concurrent : fresh), ...wanted };
  return isConcurrent && reuse.requestsMax > 1 ? reuse : { ...reuse, atOnceMax: 1 };
}
