import { assert, type Clock, LineSplitter } from "@shallop/sdk/internal";
import type { PodLogLine } from "../pod/pod-runtime.ts";

export interface LogRelayBounds {
  /** A longer line is cut into pieces. */
  readonly lineBytesMax: number;
  readonly rateBytesPerS: number;
  readonly burstBytesMax: number;
  /** Lines leave in batches of this size, or after `delayMs`. */
  readonly batchBytesMax: number;
  readonly delayMs: number;
}

const logRelayBounds: LogRelayBounds = {
  // What PodLog cuts at too.
  lineBytesMax: 64 * 1024,
  // What PodLog stores at most: more would only be carried to be dropped.
  rateBytesPerS: 1024 * 1024,
  burstBytesMax: 4 * 1024 * 1024,
  batchBytesMax: 64 * 1024,
  // Short enough for `logs -f`, long enough that a chatty request costs one message.
  delayMs: 10,
};
assert(logRelayBounds.lineBytesMax < logRelayBounds.burstBytesMax, "a single line must fit the burst");

// What a line costs beside its text on its way through two processes.
const lineOverheadBytes = 64;

export interface LogRelayOptions {
  readonly clock: Clock;
  readonly send: (lines: readonly PodLogLine[]) => void;
  /** Lines are lost from now on, until the next one that is not. */
  readonly lossy?: () => void;
  readonly bounds?: LogRelayBounds;
}

export interface AboutLine {
  /** The line was cut, and goes on. */
  readonly partial?: boolean;
  /** Of the request during which it was written: flat, names in lower case. */
  readonly requestHeaders?: readonly string[] | undefined;
}

/** Collects a pod's output and sends it on in batches. What is too much is dropped, counted, and said so in the log. */
export class LogRelay {
  readonly #clock: Clock;
  #bounds: LogRelayBounds;
  readonly #lossy: () => void;
  readonly #send: (lines: readonly PodLogLine[]) => void;
  #batch: PodLogLine[] = [];
  #batchBytes = 0;
  #scheduled = false;
  #tokens: number;
  #refilledMs: number;
  #lost = 0;

  constructor({ clock, send, lossy, bounds = logRelayBounds }: LogRelayOptions) {
    this.#clock = clock;
    this.#send = send;
    this.#lossy = lossy ?? (() => undefined);
    this.#bounds = bounds;
    this.#tokens = bounds.burstBytesMax;
    this.#refilledMs = clock.nowMs();
  }

  /** Another rate, and four times as much at once; before the first line. */
  limit(rateBytesPerS: number): void {
    const burstBytesMax = Math.max(4 * rateBytesPerS, 2 * this.#bounds.lineBytesMax);
    this.#bounds = { ...this.#bounds, rateBytesPerS, burstBytesMax };
    this.#tokens = burstBytesMax;
  }

  /** The standard output and error of one instance: bytes in, lines out. */
  writer(): GuestLog {
    return new GuestLog(this.#bounds.lineBytesMax, (stream, text, about) => this.line(stream, text, about));
  }

  line(stream: PodLogLine["stream"], text: string, { partial = false, requestHeaders }: AboutLine = {}): void {
    const bytes = text.length + lineOverheadBytes;
    if (!this.#spend(bytes)) {
      if (this.#lost === 0) this.#lossy();
      this.#lost++;
      this.#schedule();
      return;
    }
    if (this.#lost > 0) this.#reportLoss();
    const traceparent = requestHeaders === undefined ? undefined : traceparentOf(requestHeaders);
    const line = { wallMs: this.#clock.wallMs(), stream, text, partial };
    this.#push(traceparent === undefined ? line : { ...line, traceparent }, bytes);
  }

  /** Sends what waits, now. */
  flush(): void {
    if (this.#lost > 0) this.#reportLoss();
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#send(batch);
  }

  #push(line: PodLogLine, bytes: number): void {
    this.#batch.push(line);
    this.#batchBytes += bytes;
    // A guest that never yields must not fill this thread's memory.
    if (this.#batchBytes >= this.#bounds.batchBytesMax) this.flush();
    else this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.after(this.#bounds.delayMs, () => {
      this.#scheduled = false;
      this.flush();
    });
  }

  #reportLoss(): void {
    const text = `shallop: ${this.#lost} lines lost here: more than ${this.#bounds.rateBytesPerS} bytes a second`;
    this.#lost = 0;
    this.#batch.push({ wallMs: this.#clock.wallMs(), stream: "stderr", text, partial: false });
  }

  #spend(bytes: number): boolean {
    const { rateBytesPerS, burstBytesMax } = this.#bounds;
    const nowMs = this.#clock.nowMs();
    this.#tokens = Math.min(burstBytesMax, this.#tokens + ((nowMs - this.#refilledMs) / 1000) * rateBytesPerS);
    this.#refilledMs = nowMs;
    if (this.#tokens < bytes) return false;
    this.#tokens -= bytes;
    return true;
  }
}

/** Of the form that the specification has now, and with room for later ones; who reads it judges it. */
const traceparentCharsMax = 128;

/** The header as it came; undefined when there is none. */
function traceparentOf(headers: readonly string[]): string | undefined {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    if (headers[index] !== "traceparent") continue;
    const value = headers[index + 1] ?? "";
    return value.length <= traceparentCharsMax ? value : undefined;
  }
  return undefined;
}

type TakeLine = (stream: PodLogLine["stream"], text: string, about: AboutLine) => void;

/** The output of one instance. Most write nothing: what cuts it into lines is made when there is something to cut. */
export class GuestLog {
  readonly #lineBytesMax: number;
  readonly #take: TakeLine;
  #stdout: LineSplitter | undefined;
  #stderr: LineSplitter | undefined;
  /** Of the request that its last bytes belong to. */
  #requestHeaders: readonly string[] | undefined;

  constructor(lineBytesMax: number, take: TakeLine) {
    this.#lineBytesMax = lineBytesMax;
    this.#take = take;
  }

  /** A line belongs to the request during which it is completed. */
  write(stream: PodLogLine["stream"], bytes: Uint8Array, requestHeaders?: readonly string[]): void {
    this.#requestHeaders = requestHeaders;
    if (stream === "stdout") (this.#stdout ??= this.#splitter(stream)).push(bytes);
    else (this.#stderr ??= this.#splitter(stream)).push(bytes);
  }

  #splitter(stream: PodLogLine["stream"]): LineSplitter {
    return new LineSplitter(this.#lineBytesMax, (text, partial) =>
      this.#take(stream, text, { partial, requestHeaders: this.#requestHeaders }),
    );
  }

  /** The instance is over: what has no newline yet is a line. */
  end(): void {
    this.#stdout?.end();
    this.#stderr?.end();
  }
}
