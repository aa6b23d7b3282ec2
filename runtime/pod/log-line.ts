import type { PodLogLine } from "./pod-runtime.ts";

/** A stored line. `time` is as in the file, so that what is shown is what was stored. */
export interface LogEntry {
  readonly time: string;
  readonly stream: "stdout" | "stderr";
  /** The line goes on in the next entry of the same stream. */
  readonly partial: boolean;
  readonly text: string;
}

/**
 * A line as Kubernetes' container runtimes store it (kubelet/cri-api, "logging"): RFC3339Nano, stream, `F` for a full
 * line or `P` for a piece, text. What the guest wrote stays as it was, escape sequences too; the only byte that cannot
 * stay is the newline. Worked: `2026-01-01T00:00:00.005000000Z stdout F hello`.
 */
export function formatLogLine(line: PodLogLine): string {
  const text = line.text.includes("\n") ? line.text.replaceAll("\n", "\\n") : line.text;
  return `${nanoTime(line.wallMs)} ${line.stream} ${line.partial ? "P" : "F"} ${text}\n`;
}

/** The entry that a stored line (without newline) is; undefined when it is none, as after a crash in mid-write. */
export function parseLogLine(line: string): LogEntry | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) (stdout|stderr) ([FP]) ?/.exec(line);
  if (match === null) return undefined;
  const [head, time = "", stream, tag] = match;
  return {
    time,
    stream: stream === "stderr" ? "stderr" : "stdout",
    partial: tag === "P",
    text: line.slice(head.length),
  };
}

/** Always nine digits, so that times sort as text. The clock gives milliseconds; the rest is zeros. */
const nanoTime = (wallMs: number): string => `${new Date(wallMs).toISOString().slice(0, 23)}000000Z`;
