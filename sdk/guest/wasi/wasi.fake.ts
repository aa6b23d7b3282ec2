// WASI as the guest imports it, in plain Node: a clock that moves only when the guest waits, output that is kept, and
// chance that is a counter. One module for all interfaces; the test configuration maps `wazi:*` to it.

let nowNs = 0;
let randomByte = 0;
let written: { readonly stream: "stdout" | "stderr"; readonly text: string }[] = [];
let polls = 0;

/** For tests: forgets everything. */
export function resetWasi(): void {
  nowNs = 0;
  randomByte = 0;
  written = [];
  polls = 0;
  environment.length = 0;
}

/** For tests: what was printed, in order. */
export const printed = (): typeof written => written;
/** For tests: how often the guest has blocked. */
export const pollCount = (): number => polls;
/** For tests: the environment that the guest sees. */
export const environment: [string, string][] = [];

export class Pollable {
  /** Infinity: never by itself. */
  dueNs: number;
  isDisposed = false;

  constructor(dueNs: number) {
    this.dueNs = dueNs;
  }

  ready(): boolean {
    return this.dueNs <= nowNs;
  }

  [Symbol.dispose](): void {
    this.isDisposed = true;
  }
}

export const now = (): number => nowNs;
export const subscribeDuration = (nanoseconds: number): Pollable => new Pollable(nowNs + nanoseconds);

export function poll(pollables: readonly Pollable[]): readonly number[] {
  polls += 1;
  nowNs = Math.max(nowNs, Math.min(...pollables.map(({ dueNs }) => dueNs)));
  if (nowNs === Infinity) throw new Error("the guest would wait for ever");
  return pollables.flatMap((pollable, index) => (pollable.ready() ? [index] : []));
}

export const getRandomBytes = (byteCount: number): Uint8Array =>
  Uint8Array.from({ length: byteCount }, () => (randomByte = (randomByte * 73 + 41) % 256));

export const getEnvironment = (): readonly (readonly [string, string])[] => environment;

class OutputStream {
  readonly #stream: "stdout" | "stderr";

  constructor(stream: "stdout" | "stderr") {
    this.#stream = stream;
  }

  blockingWriteAndFlush(bytes: Uint8Array): void {
    if (bytes.length > 4096) throw new Error("wasi:io takes 4096 bytes at most in one write");
    written.push({ stream: this.#stream, text: Buffer.from(bytes).toString() });
  }

  [Symbol.dispose](): void {
    // Nothing is held.
  }
}

export const getStdout = (): OutputStream => new OutputStream("stdout");
export const getStderr = (): OutputStream => new OutputStream("stderr");

/** Header fields, of requests and answers. */
export class Fields {
  readonly #entries: readonly (readonly [string, Uint8Array])[];

  private constructor(entries: readonly (readonly [string, Uint8Array])[]) {
    this.#entries = entries;
  }

  static fromList(entries: readonly (readonly [string, Uint8Array])[]): Fields {
    return new Fields(entries);
  }

  entries(): readonly (readonly [string, Uint8Array])[] {
    return this.#entries;
  }

  [Symbol.dispose](): void {
    // Nothing is held.
  }
}

/** An answer, and what of it was written. */
export class OutgoingResponse {
  readonly fields: Fields;
  status = 200;
  text = "";
  isFinished = false;

  constructor(fields: Fields) {
    this.fields = fields;
  }

  setStatusCode(status: number): void {
    this.status = status;
  }

  body(): OutgoingBody {
    return new OutgoingBody(this);
  }
}

export class OutgoingBody {
  readonly response: OutgoingResponse;

  constructor(response: OutgoingResponse) {
    this.response = response;
  }

  write() {
    return {
      checkWrite: () => 64 * 1024,
      write: (bytes: Uint8Array) => void (this.response.text += Buffer.from(bytes).toString()),
      flush: () => undefined,
      [Symbol.dispose]: () => undefined,
    };
  }

  static finish(body: OutgoingBody): void {
    body.response.isFinished = true;
  }
}

/** Where an answer is put. */
export class ResponseOutparam {
  response: OutgoingResponse | undefined;

  static set(outparam: ResponseOutparam, result: { readonly val: OutgoingResponse }): void {
    outparam.response = result.val;
  }
}
