/** Cuts a byte stream into lines. A line longer than `lineBytesMax` is handed on in pieces, so memory stays bounded. */
export class LineSplitter {
  readonly #lineBytesMax: number;
  readonly #emit: (line: string, partial: boolean) => void;
  readonly #decoder = new TextDecoder();
  #pending = "";

  /** `emit` gets each line without its newline; `partial` is true for a piece whose line goes on. */
  constructor(lineBytesMax: number, emit: (line: string, partial: boolean) => void) {
    this.#lineBytesMax = lineBytesMax;
    this.#emit = emit;
  }

  push(chunk: Uint8Array): void {
    this.#pending += this.#decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = this.#pending.indexOf("\n"); end !== -1; end = this.#pending.indexOf("\n", start)) {
      this.#cut(this.#pending.slice(start, end));
      start = end + 1;
    }
    this.#pending = this.#pending.slice(start);
    while (this.#pending.length > this.#lineBytesMax) {
      this.#emit(this.#pending.slice(0, this.#lineBytesMax), true);
      this.#pending = this.#pending.slice(this.#lineBytesMax);
    }
  }

  /** The stream is over: what is left is a line. */
  end(): void {
    this.#pending += this.#decoder.decode();
    if (this.#pending !== "") this.#cut(this.#pending);
    this.#pending = "";
  }

  #cut(line: string): void {
    let rest = line;
    while (rest.length > this.#lineBytesMax) {
      this.#emit(rest.slice(0, this.#lineBytesMax), true);
      rest = rest.slice(this.#lineBytesMax);
    }
    this.#emit(rest, false);
  }
}
