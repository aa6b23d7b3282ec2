import type { OnProgress } from "../../image/index.ts";
import type { Context } from "../context.ts";
import { bytes } from "../output/table.ts";

/** One line for all the blobs of a transfer: `pushing hello:1 12.3 MB of 48.0 MB`. */
export function transferProgress(context: Context, what: string): { readonly onProgress: OnProgress; done(): void } {
  const progress = context.progress();
  const blobs = new Map<string, { readonly bytes: number; readonly total: number }>();
  let finished = false;
  let saidAtMs = -Infinity;
  progress.step(what);
  return {
    onProgress: (blob) => {
      blobs.set(blob.digest, blob);
      // Ten lines a second are as many as an eye can follow.
      if (context.clock.nowMs() - saidAtMs < (process.stderr.isTTY ? 100 : 2_000)) return;
      saidAtMs = context.clock.nowMs();
      const sum = (key: "bytes" | "total"): number =>
        [...blobs.values()].reduce((total, entry) => total + entry[key], 0);
      progress.step(`${what} ${bytes(sum("bytes"))} of ${bytes(sum("total"))}`);
    },
    done: () => {
      if (!finished) progress.done();
      finished = true;
    },
  };
}
