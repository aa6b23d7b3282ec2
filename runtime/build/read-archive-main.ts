// The jail: a process that reads one hostile archive on its input and ends. What is wanted of it goes to its output: a line
// of JSON an entry, or files with a line of place and size before each; how it went, to descriptor 3. It has no
// environment, may write no file and open no socket.

import { once } from "node:events";
import { writeSync } from "node:fs";
import { LayerError } from "../image/tar-format.ts";
import { ArchiveEntries } from "./archive-entries.ts";
import type { ArchiveOrder, ArchiveOutcome } from "./archive-jail.ts";

const order = JSON.parse(process.argv[2] ?? "") as ArchiveOrder;
const archive = new ArchiveEntries(process.stdin as AsyncIterable<Buffer>);
let entries = 0;

try {
  if (order.kind === "index") await list();
  else await pick(new Set(order.places));
} catch (error) {
  const code = error instanceof LayerError ? error.code : "LAYER_INVALID";
  report({ kind: "failed", code, entries, message: error instanceof Error ? error.message : String(error) });
}
process.stdout.end();
process.stdin.destroy();

async function list(): Promise<void> {
  for await (const entry of archive.list()) {
    entries++;
    await write(`${JSON.stringify(entry)}\n`);
  }
  report({ kind: "done", diffHex: archive.diffHex() });
}

async function pick(places: ReadonlySet<number>): Promise<void> {
  for await (const { place, size, body } of archive.pick(places)) {
    await write(`${place} ${size}\n`);
    for await (const piece of body) await write(piece);
  }
  report({ kind: "done", diffHex: "" });
}

async function write(chunk: string | Buffer): Promise<void> {
  if (!process.stdout.write(chunk)) await once(process.stdout, "drain");
}

function report(outcome: ArchiveOutcome): void {
  writeSync(3, `${JSON.stringify(outcome)}\n`);
}
