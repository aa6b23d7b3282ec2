import { now } from "wazi:clocks/monotonic-clock@0.2.10";
import { getStderr } from "wazi:cli/stderr@0.2.10";
import { getStdout } from "wazi:cli/stdout@0.2.10";
import { format } from "./inspect.ts";
import { TextEncoder } from "./text-encoding.ts";

const encoder = new TextEncoder();

/** Of open groups. */
let indent = "";
const counts = new Map<string, number>();
const timersNs = new Map<string, number>();

/** One write of `wasi:io` takes 4096 bytes at most (`blocking-write-and-flush`). */
const writeBytesMax = 4096;

function print(open: typeof getStdout, values: readonly unknown[]): void {
  const bytes = encoder.encode(`${indented(format(values))}\n`);
  const stream = open();
  for (let at = 0; at < bytes.length; at += writeBytesMax) {
    stream.blockingWriteAndFlush(bytes.subarray(at, at + writeBytesMax));
  }
  stream[Symbol.dispose]();
}

const indented = (text: string): string => (indent === "" ? text : indent + text.replaceAll("\n", `\n${indent}`));

const toStdout = (...values: readonly unknown[]): void => print(getStdout, values);
const toStderr = (...values: readonly unknown[]): void => print(getStderr, values);

export const console = {
  log: toStdout,
  info: toStdout,
  debug: toStdout,
  dir: (value?: unknown): void => toStdout(value),
  warn: toStderr,
  error: toStderr,
  trace: toStderr,
  assert: (condition: unknown, ...values: readonly unknown[]): void => {
    if (!condition) toStderr(...(values.length === 0 ? ["Assertion failed"] : ["Assertion failed:", ...values]));
  },
  table: toStdout,
  group: (...values: readonly unknown[]): void => {
    if (values.length > 0) toStdout(...values);
    indent += "  ";
  },
  groupEnd: (): void => {
    indent = indent.slice(2);
  },
  count: (label = "default"): void => {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    toStdout(`${label}: ${counts.get(label)}`);
  },
  countReset: (label = "default"): void => void counts.delete(label),
  time: (label = "default"): void => void timersNs.set(label, now()),
  timeLog: (label = "default", ...values: readonly unknown[]): void => {
    const began = timersNs.get(label);
    if (began !== undefined) toStdout(`${label}: ${((now() - began) / 1e6).toFixed(3)}ms`, ...values);
  },
  timeEnd: (label = "default"): void => {
    console.timeLog(label);
    timersNs.delete(label);
  },
};
