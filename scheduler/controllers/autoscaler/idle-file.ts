import { readFile, rename, writeFile } from "node:fs/promises";
import { type Clock, describeError, errorCode, type Log, type Timer } from "@shallop/sdk/internal";
import type { IdleBook } from "../../autoscale/idle-book.ts";

/** What was learned since the last write is lost with the process; days of it are not. */
const writeEachMs = 60_000;
/** 20,000 functions with 5 KiB each. What is larger is not our file. */
const fileBytesMax = 100 * 1024 * 1024;

export interface IdleFileOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Keeps what is known of idle times beside the store: it is a guess about the future, and nobody's wish. */
export class IdleFile implements AsyncDisposable {
  readonly #book: IdleBook;
  readonly #options: IdleFileOptions;
  readonly #ticker: Timer;
  #written = "";
  #writing: Promise<void> = Promise.resolve();

  private constructor(book: IdleBook, options: IdleFileOptions) {
    this.#book = book;
    this.#options = options;
    this.#ticker = options.clock.every(writeEachMs, () => void this.#save());
  }

  /** Reads the file into `book`. One that is not there or not ours is no reason not to start: it is learned anew. */
  static async open(book: IdleBook, options: IdleFileOptions): Promise<IdleFile> {
    const { file, log } = options;
    try {
      const text = await readFile(file, "utf8");
      if (text.length > fileBytesMax) throw new Error("it is larger than such a file can be");
      book.restore(JSON.parse(text));
    } catch (error) {
      if (errorCode(error) !== "ENOENT")
        log.warn("cannot use what was known of idle times", { file, reason: describeError(error) });
    }
    return new IdleFile(book, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ticker.cancel();
    await this.#save();
  }

  #save(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const { file, log } = this.#options;
    const text = JSON.stringify(this.#book);
    if (text === "{}" || text === this.#written) return;
    try {
      const beside = `${file}.new`;
      await writeFile(beside, text, { mode: 0o600 });
      await rename(beside, file);
      this.#written = text;
    } catch (error) {
      log.warn("cannot keep what is known of idle times", { file, reason: describeError(error) });
    }
  }
}
