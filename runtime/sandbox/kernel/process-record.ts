import { readFile, rename, writeFile } from "node:fs/promises";
import { processStart } from "./process-start.ts";

export interface RecordedProcess {
  readonly pid: number;
  /** What was said about it; empty when nothing. */
  readonly note: string;
}

/** Writes down which process it is, so that it can be told from a later one of the same id. */
export async function recordProcess(path: string, { pid, note }: RecordedProcess): Promise<void> {
  const text = JSON.stringify({ pid, start: (await processStart(pid)) ?? "", note });
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** The process of the record, when it lives still; on systems without /proc, whether it does or not. */
export async function recordedProcess(path: string): Promise<RecordedProcess | undefined> {
  const found = await readRecord(path);
  if (found === undefined) return undefined;
  const { pid, start, note } = found;
  return start === "" || (await processStart(pid)) === start ? { pid, note } : undefined;
}

/** Undefined when there is none, or a full disk has left half of one. */
async function readRecord(path: string): Promise<(RecordedProcess & { readonly start: string }) | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as RecordedProcess & { readonly start: string };
  } catch {
    return undefined;
  }
}
