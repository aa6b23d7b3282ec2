// The jail: a process that reads one hostile layer and ends. It gets the layer on its input, writes what is wanted of it
// on its output, and says on descriptor 3 how it went. It has no environment, may write no file and open no socket.

import { once } from "node:events";
import { writeSync } from "node:fs";
import { LayerBytes } from "./layer-bytes.ts";
import { LayerRewriter } from "./layer-rewriter.ts";
import { lowerLayers } from "./lower-layers.ts";
import { pickFile } from "./pick-file.ts";
import { LayerError } from "./tar-format.ts";
import { readTar } from "./tar-reader.ts";
import type { JailOrder, JailOutcome } from "./unpack-jail.ts";

const gatheredBytesMax = 128 * 1024;
let gatheredBytes = 0;

const order = JSON.parse(process.argv[2] ?? "") as JailOrder;

try {
  report(await carryOut());
} catch (error) {
  const isLayerError = error instanceof LayerError;
  const message = error instanceof Error ? error.message : String(error);
  report({ kind: "failed", code: isLayerError ? error.code : "LAYER_INVALID", message });
  process.exitCode = 1;
}

async function carryOut(): Promise<JailOutcome> {
  const bytes = new LayerBytes(order.algorithm, order.archiveBytesMax);
  const entries = readTar(bytes.archive(process.stdin as AsyncIterable<Buffer>));
  if (order.kind === "pick") {
    const found = await pickFile(entries, order.path, order.fileBytesMax, write);
    process.stdout.end();
    return { kind: "picked", found, diffHex: bytes.hex() };
  }
  const rewriter = new LayerRewriter({
    limits: { bytesMax: order.archiveBytesMax, entriesMax: order.entriesMax },
    lowers: order.lowers === undefined ? undefined : lowerLayers(order.lowers),
    opaqueXattr: order.opaqueXattr,
    privileges: order.privileges,
  });
  for await (const chunk of rewriter.rewrite(entries)) await write(chunk);
  process.stdout.end();
  return { kind: "unpacked", ...rewriter.summary, diffHex: bytes.hex() };
}

/** A small file is three pieces, of which the kernel is told together. */
async function write(chunk: Buffer): Promise<void> {
  if (process.stdout.writableCorked === 0) process.stdout.cork();
  gatheredBytes += chunk.length;
  process.stdout.write(chunk);
  if (gatheredBytes < gatheredBytesMax) return;
  gatheredBytes = 0;
  process.stdout.uncork();
  if (process.stdout.writableNeedDrain) await once(process.stdout, "drain");
}

function report(outcome: JailOutcome): void {
  writeSync(3, `${JSON.stringify(outcome)}\n`);
}
