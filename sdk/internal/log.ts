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

/** One JSON object a line: `{"time":…,"level":…,"process":…,"message":…,…}`. */
export function jsonLog(process: string, write: (line: string) => void, base: LogFields = {}): Log {
  const emit = (level: Level, message: string, fields: LogFields): void =>
    write(`${JSON.stringify({ time: new Date().toISOString(), level, process, message, ...base, ...fields })}\n`);
  return {
    debug: (message, fields = {}) => emit("debug", message, fields),
    info: (message, fields = {}) => emit("info", message, fields),
    warn: (message, fields = {}) => emit("warn", message, fields),
    error: (message, error, fields = {}) =>
      emit("error", message, {
        ...fields,
        ...(error === undefined ? {} : { error: describeError(error), code: errorCode(error) }),
      }),
    with: (fields) => jsonLog(process, write, { ...base, ...fields }),
  };
}

const ignore = (): void => undefined;

/** Says nothing; for tests and tools. */
export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore, with: () => silentLog };
