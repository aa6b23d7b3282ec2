import type { FutureReader, StreamReader } from "../../abi/stream.ts";
import type { Result } from "../result.ts";

/** A guest's end of a stream that it writes: what a host function is given. */
export class WrittenStream implements StreamReader<number> {
  readonly #pieces: Uint8Array[] = [];
  #waiting: ((piece: Uint8Array | undefined) => void) | undefined;
  #isEnded = false;
  isDropped = false;

  /** All of it at once, and its end. */
  static of(...texts: readonly string[]): WrittenStream {
    const stream = new WrittenStream();
    for (const text of texts) stream.write(text);
    stream.end();
    return stream;
  }

  write(text: string): void {
    this.#pieces.push(bytes(text));
    this.#wake();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  read(countMax: number): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const piece = this.#pieces.shift();
    if (piece !== undefined) {
      if (piece.length > countMax) this.#pieces.unshift(piece.subarray(countMax));
      return piece.subarray(0, countMax);
    }
    if (this.#isEnded || this.isDropped) return undefined;
    return new Promise((resolve) => {
      this.#waiting = () => resolve(this.read(countMax));
    });
  }

  drop(): void {
    this.isDropped = true;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(undefined);
  }
}

/** A guest's end of a future that it has written. */
export const future = <T>(value: T | Promise<T>): FutureReader<T> => ({ read: () => value, drop: () => undefined });

export async function readAll<T>(reader: StreamReader<T>, countMax = 65_536): Promise<T[]> {
  const all: T[] = [];
  for (;;) {
    const items = await reader.read(countMax);
    if (items === undefined) return all;
    all.push(...Array.from(items));
  }
}

export const readText = async (reader: StreamReader<number>, countMax?: number): Promise<string> =>
  Buffer.from(await readAll(reader, countMax)).toString("latin1");

export const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
export const text = (content: Uint8Array): string => Buffer.from(content).toString("latin1");

export function must<Value>(result: Result<Value, unknown>): Value {
  if (result.tag === "err") throw new Error(`unexpected error ${JSON.stringify(result.val)}`);
  return result.val;
}

/** The code of an error, or `ok`. */
export const codeOf = (result: Result<unknown, { readonly tag: string }>): string =>
  result.tag === "ok" ? "ok" : result.val.tag;
