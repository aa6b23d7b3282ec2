import type { LogForm } from "@shallop/sdk/wire";
import { LogCursor } from "./log-cursor.ts";
import { jsonText, type LogEntry, storedText } from "./log-line.ts";
import type { PodLog } from "./pod-log.ts";

/** What of a log is asked for; kubelet's `PodLogOptions`. */
export interface LogQuery {
  readonly follow: boolean;
  readonly previous: boolean;
  /** Put the time before each line. */
  readonly timestamps: boolean;
  /** Put the pod's name before each line. */
  readonly prefix: boolean;
  /** Only before `text` are times and names put. */
  readonly form: LogForm;
  readonly tailLines?: number;
  readonly sinceWallMs?: number;
  readonly limitBytes?: number;
}

/** Logs to read together, and a way to learn of further ones. */
export interface LogGroup {
  /** Those that there are now. */
  readonly logs: readonly PodLog[];
  /** Calls back for each log that comes later, until the signal is aborted. */
  onOpened?(opened: (log: PodLog) => void, signal: AbortSignal): void;
}

// A chunk of the answer: large enough that a big log is few writes, small enough that backpressure is felt.
const chunkBytesMax = 64 * 1024;

/**
 * The text of a group of logs, by time, in chunks; with `follow` it goes on until the signal is aborted or every log
 * has ended and none can come. The consumer sets the pace: nothing is read ahead of it.
 */
export async function* readLogs(group: LogGroup, query: LogQuery, signal: AbortSignal): AsyncGenerator<Buffer> {
  let leftBytes = query.limitBytes ?? Number.POSITIVE_INFINITY;
  let chunk: Buffer[] = [];
  let chunkBytes = 0;
  for await (const text of lines(group, query, signal)) {
    // An empty text says: nothing more for now, hand on what there is.
    const bytes = Buffer.from(text).subarray(0, leftBytes);
    leftBytes -= bytes.length;
    chunk.push(bytes);
    chunkBytes += bytes.length;
    if (chunkBytes > 0 && (text === "" || chunkBytes >= chunkBytesMax || leftBytes <= 0)) {
      yield Buffer.concat(chunk);
      chunk = [];
      chunkBytes = 0;
    }
    if (leftBytes <= 0) return;
  }
  if (chunkBytes > 0) yield Buffer.concat(chunk);
}

interface Source {
  readonly cursor: LogCursor;
  readonly log: PodLog;
  head: LogEntry | undefined;
}

async function* lines(group: LogGroup, query: LogQuery, signal: AbortSignal): AsyncGenerator<string> {
  const sources: Source[] = [];
  const arrived: PodLog[] = [];
  const closing = new AbortController();
  const stop = AbortSignal.any([signal, closing.signal]);
  let wake: () => void = () => undefined;
  if (query.follow) {
    group.onOpened?.((log) => {
      arrived.push(log);
      wake();
    }, stop);
  }
  try {
    for (const log of group.logs) sources.push(await open(log, query, query.tailLines));
    yield* merged(sources, query, beforeTail(sources, query));
    while (query.follow && !signal.aborted) {
      // Armed before looking, so that a line that comes while we look is not slept over.
      const next = new Promise<void>((resolve) => (wake = resolve));
      const watch = new AbortController();
      const changed = sources.map(({ log }) =>
        log.changed(AbortSignal.any([stop, watch.signal])).catch(() => undefined),
      );
      for (const log of arrived.splice(0)) sources.push(await open(log, query, undefined));
      let count = 0;
      for await (const text of merged(sources, query, 0)) {
        count++;
        yield text;
      }
      await dropEnded(sources);
      if (sources.length === 0 && group.onOpened === undefined) return;
      if (count === 0 && arrived.length === 0) {
        yield "";
        await Promise.race([next, ...changed, rejected(stop)]).catch(() => undefined);
      }
      watch.abort();
    }
  } finally {
    closing.abort();
    await Promise.all(sources.map((source) => source.cursor.close()));
  }
}

async function open(log: PodLog, query: LogQuery, tailLines: number | undefined): Promise<Source> {
  const cursor = await LogCursor.open(log, {
    previous: query.previous,
    ...(tailLines === undefined ? {} : { tailLines }),
  });
  return { cursor, log, head: undefined };
}

/** The tail of several logs together is the newest of their tails: how many lines of these lie before it. */
function beforeTail(sources: readonly Source[], query: LogQuery): number {
  if (query.tailLines === undefined) return 0;
  const ahead = sources.reduce((sum, source) => sum + source.cursor.linesAhead, 0);
  return Math.max(0, ahead - query.tailLines);
}

/** All lines that there are now, the oldest first, without the first `skip`. */
async function* merged(sources: readonly Source[], query: LogQuery, skip: number): AsyncGenerator<string> {
  let skipped = 0;
  for (;;) {
    let oldest: Source | undefined;
    for (const source of sources) {
      source.head ??= await source.cursor.read();
      if (source.head === undefined) continue;
      // Times of nine digits each sort as text.
      if (oldest?.head === undefined || source.head.time < oldest.head.time) oldest = source;
    }
    const entry = oldest?.head;
    if (oldest === undefined || entry === undefined) return;
    oldest.head = undefined;
    if (skipped < skip) {
      skipped++;
      continue;
    }
    if (query.sinceWallMs !== undefined && Date.parse(entry.time) < query.sinceWallMs) continue;
    yield format(entry, oldest.log, query);
  }
}

function format(entry: LogEntry, log: PodLog, query: LogQuery): string {
  if (query.form === "cri") return storedText(entry);
  if (query.form === "json") return jsonText(entry, log.subject);
  const prefix = query.prefix ? `[pod/${log.subject.pod}/${log.subject.container}] ` : "";
  const time = query.timestamps ? `${entry.time} ` : "";
  return `${prefix}${time}${entry.text}${entry.partial ? "" : "\n"}`;
}

async function dropEnded(sources: Source[]): Promise<void> {
  for (let index = sources.length - 1; index >= 0; index--) {
    const source = sources[index];
    if (source === undefined || source.head !== undefined || !source.cursor.atEnd) continue;
    sources.splice(index, 1);
    await source.cursor.close();
  }
}

const rejected = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    else signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
