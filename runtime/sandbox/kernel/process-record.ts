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
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const { pid, start, note } = JSON.parse(text) as RecordedProcess & { readonly start: string };
  return start === "" || (await processStart(pid)) === start ? { pid, note } : undefined;
}
