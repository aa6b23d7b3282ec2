import type { ClientBodyHandlers, ClientEnd } from "../proxy/client-end.ts";

/** Who has asked for a call, and gets what the function says. */
export interface CallSink {
  /** `headers`: flat. */
  head(status: number, headers: readonly string[]): void;
  /** False asks for a pause until `onceDrained`. */
  data(chunk: Buffer): boolean;
  onceDrained(listener: () => void): void;
  /** `isWhole`: the answer has come to its end. */
  end(isWhole: boolean): void;
}

/** The client's end of a request that the gateway itself makes: its body is at hand, its answer goes to a sink. */
export class CallEnd implements ClientEnd {
  readonly method: string;
  readonly complete = true;
  readonly isPaused = false;
  readonly #body: Buffer;
  readonly #sink: CallSink;
  #isOver = false;

  constructor(method: string, body: Buffer, sink: CallSink) {
    this.method = method;
    this.#body = body;
    this.#sink = sink;
  }

  receive({ data, end }: ClientBodyHandlers): void {
    data(this.#body);
    end([]);
  }

  pause(): void {
    // All of it has been given.
  }

  resume(): void {
    // All of it has been given.
  }

  inform(): void {
    // Nothing waits for hints.
  }

  writeHead(status: number, headers: readonly string[]): void {
    this.#sink.head(status, headers);
  }

  flushHead(): void {
    // It has been given.
  }

  write(chunk: Buffer): boolean {
    return this.#sink.data(chunk);
  }

  onceDrained(listener: () => void): void {
    this.#sink.onceDrained(listener);
  }

  end(rest: Buffer | string | undefined): void {
    if (rest !== undefined) this.#sink.data(Buffer.from(rest));
    this.#finish(true);
  }

  onceClosed(): void {
    // A call goes on to its end though the client has left: what the function has begun is done.
  }

  discardRest(): void {
    // There is none.
  }

  closeAfter(): void {
    // It has no connection.
  }

  framingInDoubt(): void {
    // It has no connection.
  }

  cutShort(): void {
    this.#finish(false);
  }

  #finish(isWhole: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.end(isWhole);
  }
}
