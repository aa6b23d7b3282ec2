import type { WireFaultCode } from "@shallop/sdk/wire";

/** Limits that a guest may meet, by the code of who meets them; `OTHER` is what none of them is. */
const codes = [
  "GUEST_TIMEOUT",
  "GUEST_MEMORY",
  "GUEST_TABLE",
  "GUEST_CPU",
  "GUEST_HANDLES",
  "GUEST_CONNECTIONS",
  "GUEST_HEADERS",
  "GUEST_LIMIT",
  "REFUSED",
  "LOG_RATE",
  "OTHER",
] as const satisfies readonly (WireFaultCode | "LOG_RATE" | "OTHER")[];

export const breachCodes: readonly string[] = codes;

export const sharedBreaches = (): SharedArrayBuffer =>
  new SharedArrayBuffer(codes.length * BigUint64Array.BYTES_PER_ELEMENT);

/** How often guests of a process have met each limit: one count for all its threads, those that are gone included. */
export class BreachCounts {
  readonly #counts: BigUint64Array;

  constructor(shared: SharedArrayBuffer) {
    this.#counts = new BigUint64Array(shared);
  }

  add(code: string): void {
    const index = breachCodes.indexOf(code);
    Atomics.add(this.#counts, index === -1 ? codes.length - 1 : index, 1n);
  }

  /** Of those that were met at all. */
  all(): Readonly<Record<string, number>> {
    const met: Record<string, number> = {};
    for (const [index, code] of breachCodes.entries()) {
      const count = Number(Atomics.load(this.#counts, index));
      if (count > 0) met[code] = count;
    }
    return met;
  }
}
