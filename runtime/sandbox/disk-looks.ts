import { access } from "node:fs/promises";
import type { Clock } from "@shallop/sdk/internal";
import type { Kernel } from "./kernel/kernel.ts";
import type { NativePod } from "./native-pod.ts";

/** Of a root that may be written, where its pod names no limit: no pod may fill its node's disk. */
const rootBytesMax = 10 * 2 ** 30;
/** Disks are looked at for a tenth of the time at most, however many files are on them. */
const restPerLook = 9;

/** Why a container is to be ended that has written more to its root than it may, in words; undefined: it has not. */
export async function outgrownRoot(
  { files, record }: Pick<NativePod, "files" | "record">,
  kernel: Pick<Kernel, "diskUsage">,
  container = "of the pod",
): Promise<string | undefined> {
  const bytesMax = record.diskBytes ?? rootBytesMax;
  // A root that cannot be written has no such directory.
  const bytes = await access(files.writable).then(
    () => kernel.diskUsage(files.writable),
    () => 0,
  );
  if (bytes <= bytesMax) return undefined;
  return `Container ${container} exceeded its local ephemeral storage limit "${String(bytesMax)}": it has written ${String(bytes)} bytes.`;
}

/** Looks at disks one after the other, with rests that are long against what they take. */
export class DiskLooks {
  readonly #clock: Clock;
  #dueMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `look`, unless one is under way or was a moment ago. */
  async run(look: () => Promise<void>): Promise<void> {
    const beganMs = this.#clock.nowMs();
    if (beganMs < this.#dueMs) return;
    this.#dueMs = Number.POSITIVE_INFINITY;
    try {
      await look();
    } finally {
      const nowMs = this.#clock.nowMs();
      this.#dueMs = nowMs + restPerLook * (nowMs - beganMs);
    }
  }
}
