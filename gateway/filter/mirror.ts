import type { ClientBodyHandlers, ClientEnd } from "../proxy/client-end.ts";
import { ClientDecorator } from "./client-decorator.ts";

// A copy that its receiver does not take in time is given up: a mirror never slows down what it mirrors.
const behindBytesMax = 1024 * 1024;

/** Gives the body of a request to its receiver, and a copy of each piece to mirrors. */
export class MirroredRequest extends ClientDecorator {
  readonly #copies: readonly MirrorEnd[];

  constructor(inner: ClientEnd, copies: readonly MirrorEnd[]) {
    super(inner);
    this.#copies = copies;
  }

  override receive({ data, end }: ClientBodyHandlers): void {
    super.receive({
      data: (chunk) => {
        for (const copy of this.#copies) copy.give(chunk);
        data(chunk);
      },
      end: (trailers) => {
        for (const copy of this.#copies) copy.finish(trailers);
        end(trailers);
      },
    });
  }

  override onceClosed(listener: () => void): void {
    super.onceClosed(() => {
      for (const copy of this.#copies) copy.close();
      listener();
    });
  }
}

/** The client's end of a copy of a request: its body comes from the original, and nobody reads its answer. */
export class MirrorEnd implements ClientEnd {
  readonly method: string;
  complete: boolean;
  isPaused = false;
  #handlers: ClientBodyHandlers | undefined;
  #behind: Buffer[] = [];
  #behindBytes = 0;
  #trailers: readonly string[] | undefined;
  #closed: (() => void) | undefined;
  #isOver = false;

  constructor(method: string, hasBody: boolean) {
    this.method = method;
    this.complete = !hasBody;
    if (!hasBody) this.#trailers = [];
  }

  give(chunk: Buffer): void {
    if (this.#isOver) return;
    if (this.#handlers !== undefined && !this.isPaused) return this.#handlers.data(chunk);
    this.#behind.push(chunk);
    this.#behindBytes += chunk.length;
    if (this.#behindBytes > behindBytesMax) this.close();
  }

  finish(trailers: readonly string[]): void {
    this.complete = true;
    this.#trailers = trailers;
    this.#drain();
  }

  /** The original has ended before its body had: the copy has no end either. */
  close(): void {
    if (this.#isOver || this.complete) return;
    this.#over();
    this.#closed?.();
  }

  receive(handlers: ClientBodyHandlers): void {
    this.#handlers = handlers;
    this.#drain();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.#drain();
  }

  inform(): void {
    // Nobody listens.
  }

  writeHead(): void {
    // Nobody reads it.
  }

  flushHead(): void {
    // Nobody reads it.
  }

  write(): boolean {
    return true;
  }

  onceDrained(): void {
    // It is never full.
  }

  end(): void {
    this.#over();
  }

  onceClosed(listener: () => void): void {
    this.#closed = listener;
  }

  discardRest(): void {
    this.#over();
  }

  closeAfter(): void {
    // It has no connection.
  }

  framingInDoubt(): void {
    // It has no connection.
  }

  cutShort(): void {
    this.#over();
  }

  #drain(): void {
    if (this.#handlers === undefined || this.isPaused || this.#isOver) return;
    const chunks = this.#behind;
    this.#behind = [];
    this.#behindBytes = 0;
    for (const chunk of chunks) this.give(chunk);
    if (this.#trailers === undefined || this.#behind.length > 0 || this.isPaused) return;
    const trailers = this.#trailers;
    const { end } = this.#handlers;
    this.#handlers = undefined;
    end(trailers);
  }

  #over(): void {
    this.#isOver = true;
    this.#behind = [];
  }
}
