import { describeError, errorCode } from "./fault.ts";

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured records of one process. `info` for what an operator wants to see once, `debug` for the rest. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, error?: unknown, fields?: LogFields): void;
  /** A log whose records all carry `fields` too. */
  with(fields: LogFields): Log;
}

type Level = "debug" | "info" | "warn" | "error";

/** What a process has said once. */
export interface ProcessRecord {
  /** Of the wall clock. */
  readonly atMs: number;
  readonly level: Level;
  readonly message: string;
  readonly fields: LogFields;
}

/** The log of a whole process. */
export interface ProcessLog extends Log {
  /** The same, heard by nobody but who reads the process's output: for what says that others could not be told. */
  readonly local: Log;
  /** Who hears of each record too, those of the start included; undefined: nobody. To be called once. */
  exportTo(listener: ((record: ProcessRecord) => void) | undefined): void;
}

/** Records of a start, kept until it is known who hears of them; the longest says some twenty. */
const earlyMax = 200;

/** One JSON object a line: `{"time":…,"level":…,"process":…,"message":…,…}`. */
export function jsonLog(process: string, write: (line: string) => void): ProcessLog {
  let early: ProcessRecord[] | undefined = [];
  let listener: ((record: ProcessRecord) => void) | undefined;
  const print = ({ atMs, level, message, fields }: ProcessRecord): void =>
    write(`${JSON.stringify({ time: new Date(atMs).toISOString(), level, process, message, ...fields })}\n`);
  const tell = (record: ProcessRecord): void => {
    print(record);
    listener?.(record);
    if (early !== undefined && early.length < earlyMax) early.push(record);
  };
  return {
    ...logOf(tell, {}),
    local: logOf(print, {}),
    exportTo: (hears) => {
      const kept = early ?? [];
      early = undefined;
      listener = hears;
      if (hears !== undefined) for (const record of kept) hears(record);
    },
  };
}

function logOf(tell: (record: ProcessRecord) => void, base: LogFields): Log {
  const emit = (level: Level, message: string, fields: LogFields): void =>
    tell({ atMs: Date.now(), level, message, fields: { ...base, ...fields } });
  return {
    debug: (message, fields = {}) => emit("debug", message, fields),
    info: (message, fields = {}) => emit("info", message, fields),
    warn: (message, fields = {}) => emit("warn", message, fields),
    error: (message, error, fields = {}) =>
      emit("error", message, {
        ...fields,
        ...(error === undefined ? {} : { error: describeError(error), code: errorCode(error) }),
      }),
    with: (fields) => logOf(tell, { ...base, ...fields }),
  };
}

const ignore = (): void => undefined;

/** Says nothing; for tests and tools. */
export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore, with: () => silentLog };
