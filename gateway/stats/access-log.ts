import type { Writable } from "node:stream";
import type { Clock, Log, Timer } from "@shallop/sdk/internal";
import { accessLine, type AccessLogForm } from "./access-line.ts";
import type { RequestRecord, RequestWatcher } from "./request-record.ts";

// Lines leave together: a write each would cost more than the request's own.
const flushMs = 100;
const flushBytes = 32 * 1024;
// A reader that is stuck, or a disk: some ten thousand lines, and then requests go on and lines are left out.
const behindBytesMax = 4 * 1024 * 1024;

/** Writes a line for each request. Never holds one up. */
export class AccessLog implements RequestWatcher {
  readonly #form: AccessLogForm;
  readonly #output: Writable;
  readonly #log: Log;
  readonly #clock: Clock;
  #pending = "";
  #timer: Timer | undefined;
  #left = 0;

  constructor(form: AccessLogForm, { output, log, clock }: { output: Writable; log: Log; clock: Clock }) {
    this.#form = form;
    this.#output = output;
    this.#log = log;
    this.#clock = clock;
    output.on("error", (error) => log.error("the access log cannot be written", error));
  }

  ended(record: RequestRecord): void {
    if (this.#output.writableLength + this.#pending.length > behindBytesMax) {
      this.#left++;
      return;
    }
    this.#pending += accessLine(record, this.#form);
    if (this.#pending.length >= flushBytes) return this.#flush();
    this.#timer ??= this.#clock.after(flushMs, () => this.#flush());
  }

  /** Resolves once all lines have been handed to the system. */
  close(): Promise<void> {
    this.#flush();
    return new Promise((resolve) => {
      this.#output.write("", () => resolve());
    });
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#left > 0)
      this.#log.warn("lines of the access log were left out: it is written too slowly", { lines: this.#left });
    this.#left = 0;
    if (this.#pending !== "") this.#output.write(this.#pending);
    this.#pending = "";
  }
}
