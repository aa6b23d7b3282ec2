import type { Readable, Writable } from "node:stream";
import type { TerminalSize } from "../../pod/container-process.ts";

/** What a client may want of a command (core/v1 PodExecOptions, PodAttachOptions). */
export interface StreamOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  /** Never with a terminal: it has one output. */
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** How a command ended, or why there was none. */
export type CommandEnd =
  | { readonly kind: "exited"; readonly exitCode: number }
  | { readonly kind: "failed"; readonly message: string };

/** The client's ends of a command's streams, whatever protocol carries them. */
export interface CommandStreams extends Disposable {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** Calls back with the size of the client's terminal, now and whenever it changes. */
  onResize(resized: (size: TerminalSize) => void): void;
  /** Tells how it ended, when everything written has been sent, and closes. */
  finish(end: CommandEnd): Promise<void>;
  /** Aborted when the client has gone. */
  readonly gone: AbortSignal;
}

/** `metav1.Status` of a command, as clients of `v4` and later read it from the error stream. */
export function commandStatus(end: CommandEnd): object {
  if (end.kind === "failed") {
    return { metadata: {}, status: "Failure", message: end.message, reason: "InternalError", code: 500 };
  }
  if (end.exitCode === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${String(end.exitCode)}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(end.exitCode) }] },
  };
}

// Wider than any screen; the kernel's own numbers have 16 bits.
const sideMax = 65_535;

/** A resize as clients send it: `{"Width":80,"Height":24}`. Undefined when it is none. */
export function parseTerminalSize(text: string): TerminalSize | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("Width" in value) || !("Height" in value)) return undefined;
    const { Width: columns, Height: rows } = value;
    return isSide(columns) && isSide(rows) ? { columns, rows } : undefined;
  } catch {
    return undefined;
  }
}

const isSide = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value > 0 && value <= sideMax;
