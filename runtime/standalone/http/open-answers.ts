import { readSync, writeSync } from "node:fs";

// Of a descriptor's entry: the number of its connection, and in its two lowest bits where that is.
const [idle, waiting, waitingForHead, begun] = [0, 1, 2, 3] as const;
const stateMask = 3;
/** Another thread has taken the connection: nothing of this one's leaves on it any more. */
const taken = -1;
// More than a process has; the entries that nobody uses take no memory.
const descriptorsMax = 65_536;

/** Which connections have a request whose answer has not begun, by descriptor: shared, so that another thread can tell them of the end of this one. */
export type AnswerTable = Int32Array<SharedArrayBuffer>;

export const answerTable = (): AnswerTable =>
  new Int32Array(new SharedArrayBuffer(descriptorsMax * Int32Array.BYTES_PER_ELEMENT));

let lastNumber = 0;

/** Of one connection, kept by the thread that serves it. */
export class OpenAnswer {
  readonly #table: AnswerTable;
  readonly #descriptor: number;
  #entry: number;

  constructor(table: AnswerTable, descriptor: number) {
    this.#table = table;
    this.#descriptor = descriptor;
    lastNumber = lastNumber === 2 ** 28 ? 1 : lastNumber + 1;
    this.#entry = lastNumber * (stateMask + 1);
    if (descriptor > 0 && descriptor < descriptorsMax) Atomics.store(table, descriptor, this.#entry);
  }

  /** Nothing of a request is here. */
  idle(): void {
    this.#become(idle);
  }

  /** A request is here, and what came before its answer has left. */
  wait(isHead: boolean): void {
    this.#become(isHead ? waitingForHead : waiting);
  }

  /** The first bytes of an answer are to leave. False when another thread has answered: the connection is its own now. */
  begin(): boolean {
    return this.#become(begun);
  }

  close(): void {
    // The descriptor may be another connection's by now.
    Atomics.compareExchange(this.#table, this.#descriptor, this.#entry, 0);
  }

  #become(state: number): boolean {
    const { length } = this.#table;
    if (this.#descriptor <= 0 || this.#descriptor >= length) return true;
    const next = (this.#entry & ~stateMask) | state;
    if (Atomics.compareExchange(this.#table, this.#descriptor, this.#entry, next) !== this.#entry) return false;
    this.#entry = next;
    return true;
  }
}

/**
 * Answers in place of a thread that is stuck and will be ended: all whose answers have not begun, and those who have sent what it has not
 * read. Its descriptors are the process's, so this needs no calls of the system's that Node has not. A client that does not read is not waited for.
 * @returns how many were told
 */
export function answerAll(table: AnswerTable, answer: (descriptor: number, isHead: boolean) => Uint8Array): number {
  let told = 0;
  for (let descriptor = 0; descriptor < table.length; descriptor++) {
    const entry = Atomics.load(table, descriptor);
    const state = entry & stateMask;
    if (entry <= 0 || state === begun) continue;
    if (Atomics.compareExchange(table, descriptor, entry, taken) !== entry) continue;
    try {
      const isHead = state === idle ? asksForHead(descriptor) : state === waitingForHead;
      if (isHead === undefined) continue;
      writeSync(descriptor, answer(descriptor, isHead));
      told++;
    } catch {
      // It has gone, or does not read.
    }
  }
  return told;
}

const unread = Buffer.alloc(16 * 1024);

/** Whether a request that nobody has read wants no body; undefined when there is none. @throws when there is nothing to read */
function asksForHead(descriptor: number): boolean | undefined {
  const byteCount = readSync(descriptor, unread);
  return byteCount === 0 ? undefined : unread.toString("latin1", 0, 5) === "HEAD ";
}
