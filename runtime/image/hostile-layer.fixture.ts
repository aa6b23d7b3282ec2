import { type RawEntry, rawTar } from "./image.fixture.ts";
import type { LayerErrorCode } from "./tar-format.ts";

/** A layer that tries something, and what is to come of it. */
export interface HostileLayer {
  readonly name: string;
  /** As a registry would send it: compressed or not. */
  readonly bytes: Buffer;
  /** `harmless`: it is unpacked, and all of it is inside. */
  readonly expected: LayerErrorCode | "harmless";
}

/** Bounds that the bombs below are made to pass. */
export const hostileLimits = { bytesMax: 1_000_000, entriesMax: 200 };

export const layer = (
  name: string,
  entries: readonly RawEntry[],
  expected: HostileLayer["expected"],
): HostileLayer => ({
  name,
  bytes: rawTar(entries),
  expected,
});

export const link = (name: string, target: string): RawEntry => ({ name, flag: "2", link: target });
