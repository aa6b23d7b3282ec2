import type { OnProgress } from "../../image/index.ts";
import type { Context } from "../context.ts";
import { type Bar, barLines } from "../output/bars.ts";
import { bytes } from "../output/table.ts";

export interface TransferProgress {
  readonly onProgress: OnProgress;
  done(): void;
}

/** As many a second as an eye can follow. */
const drawMs = 100;
/** Where there is no terminal: lines of a log. */
const sayMs = 2_000;
/** Where the terminal does not say how wide it is. */
const columnsDefault = 80;

/** How far the blobs of a transfer are: a bar each on a terminal, now and then a line elsewhere. */
export function transferProgress(context: Context, what: string): TransferProgress {
  return process.stderr.isTTY ? onTerminal(context, what, process.stderr) : inLines(context, what);
}

function onTerminal({ clock }: Context, what: string, stream: NodeJS.WriteStream): TransferProgress {
  const blobs = new Map<string, Bar>();
  const beganMs = clock.nowMs();
  let drawn = 0;
  const clear = (): void => {
    if (drawn > 0) stream.write(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  const draw = (): void => {
    const columns = stream.columns > 0 ? stream.columns : columnsDefault;
    const lines = barLines(what, [...blobs.values()], { columns, elapsedMs: clock.nowMs() - beganMs });
    clear();
    stream.write(`${lines.join("\n")}\n`);
    drawn = lines.length;
  };
  const timer = clock.every(drawMs, draw);
  draw();
  let finished = false;
  return {
    onProgress: (blob) => void blobs.set(blob.digest, blob),
    done: () => {
      if (finished) return;
      finished = true;
      timer.cancel();
      clear();
    },
  };
}

function inLines(context: Context, what: string): TransferProgress {
  const progress = context.progress();
  const blobs = new Map<string, Bar>();
  let finished = false;
  let saidAtMs = -Infinity;
  progress.step(what);
  return {
    onProgress: (blob) => {
      blobs.set(blob.digest, blob);
      if (context.clock.nowMs() - saidAtMs < sayMs) return;
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
