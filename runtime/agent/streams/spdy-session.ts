import { Duplex } from "node:stream";
import { EmptyHeaderWriter, HeaderReader } from "./spdy-headers.ts";
import { StreamFault } from "./stream-fault.ts";

// Go's copies are of 32 KiB; nobody has a reason to send larger frames.
const frameBytesMax = 1 << 20;
// A forwarded port has two for each connection; browsers open six, load generators some hundreds.
const streamsMax = 1024;

const frameType = { synStream: 1, synReply: 2, rstStream: 3, ping: 6 } as const;
const fin = 1;
const cancelStatus = 5;

export interface SpdyStream extends Duplex {
  readonly headers: ReadonlyMap<string, string>;
}

/**
 * The server's side of SPDY/3.1 as Go's spdystream speaks it, over any two-way stream of bytes: streams that the client
 * opens, pings, and no flow control but the transport's own: who reads one stream slowly slows down the session.
 * `opened` gets each stream, already answered.
 */
export class SpdySession implements Disposable {
  readonly #transport: Duplex;
  readonly #opened: (stream: SpdyStream) => void;
  readonly #streamsById = new Map<number, Stream>();
  readonly #reader = new HeaderReader();
  readonly #writer = new EmptyHeaderWriter();

  constructor(transport: Duplex, opened: (stream: SpdyStream) => void) {
    this.#transport = transport;
    this.#opened = opened;
  }

  /** Resolves when the client has gone. @throws StreamFault; the session is over then */
  async run(): Promise<void> {
    try {
      for await (const frame of frames(this.#transport)) {
        if (frame.control) await this.#control(frame);
        else await this.#data(frame);
      }
    } catch (error) {
      if (error instanceof StreamFault) throw error;
      // The transport broke: its end, and nothing else to be told.
    } finally {
      this[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    for (const stream of this.#streamsById.values()) stream.destroy();
    this.#streamsById.clear();
    this.#transport.destroy();
    this.#reader[Symbol.dispose]();
    this.#writer[Symbol.dispose]();
  }

  async #control({ id: type, flags, payload }: Frame): Promise<void> {
    switch (type) {
      case frameType.synStream:
        return this.#open(idAt(payload), payload.subarray(10), flags);
      case frameType.rstStream: {
        const stream = this.#streamsById.get(idAt(payload));
        stream?.reset();
        break;
      }
      case frameType.ping:
        await this.#send(controlHead(frameType.ping, 0, payload.length), payload);
        break;
      default:
        // SETTINGS, GOAWAY, WINDOW_UPDATE: nothing here depends on them.
        break;
    }
  }

  async #open(id: number, block: Buffer, flags: number): Promise<void> {
    if (this.#streamsById.size >= streamsMax) throw new StreamFault("TOO_MUCH", "too many streams in one session");
    const headers = await this.#reader.read(block);
    const stream = new Stream(headers, {
      send: (chunk, last, done) => this.#write(dataHead(id, last ? fin : 0, chunk.length), chunk, done),
      reset: () => this.#write(controlHead(frameType.rstStream, 0, 8), numbers(id, cancelStatus), () => undefined),
      closed: () => this.#streamsById.delete(id),
    });
    this.#streamsById.set(id, stream);
    const reply = await this.#writer.write();
    await this.#send(controlHead(frameType.synReply, 0, 4 + reply.length), Buffer.concat([numbers(id), reply]));
    this.#opened(stream);
    if ((flags & fin) !== 0) stream.push(null);
  }

  async #data({ id, flags, payload }: Frame): Promise<void> {
    const stream = this.#streamsById.get(id);
    // What was reset may still be spoken to for a moment.
    if (stream === undefined) return;
    if (payload.length > 0) await stream.deliver(payload);
    if ((flags & fin) !== 0 && !stream.destroyed) stream.push(null);
  }

  #send(head: Buffer, payload: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#write(head, payload, (error) => {
        if (error === undefined || error === null) resolve();
        else reject(error);
      });
    });
  }

  #write(head: Buffer, payload: Buffer, done: Written): void {
    this.#transport.write(Buffer.concat([head, payload]), done);
  }
}

type Written = (error?: Error | null) => void;

interface StreamLine {
  send(chunk: Buffer, last: boolean, done: Written): void;
  reset(): void;
  closed(): void;
}

class Stream extends Duplex implements SpdyStream {
  readonly headers: ReadonlyMap<string, string>;
  readonly #line: StreamLine;
  #wanted: (() => void) | undefined;
  #finished = false;

  constructor(headers: ReadonlyMap<string, string>, line: StreamLine) {
    super({ allowHalfOpen: true });
    this.headers = headers;
    this.#line = line;
    // Whoever uses it looks at its end; a stream that nobody took up yet must not end the process.
    this.on("error", () => undefined);
  }

  /** Resolves when there is room for more. */
  deliver(chunk: Buffer): Promise<void> {
    if (this.destroyed || this.push(chunk)) return Promise.resolve();
    return new Promise((resolve) => (this.#wanted = resolve));
  }

  /** The client wants nothing more of it. */
  reset(): void {
    this.#finished = true;
    this.destroy();
  }

  override _read(): void {
    this.#wanted?.();
    this.#wanted = undefined;
  }

  override _write(chunk: Buffer, _encoding: string, done: Written): void {
    this.#line.send(chunk, false, done);
  }

  override _final(done: Written): void {
    this.#finished = true;
    this.#line.send(Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this._read();
    this.#line.closed();
    if (!this.#finished) this.#line.reset();
    done(error);
  }
}

interface Frame {
  readonly control: boolean;
  /** Of the stream; of a control frame its type. */
  readonly id: number;
  readonly flags: number;
  readonly payload: Buffer;
}

const headBytes = 8;

async function* frames(transport: Duplex): AsyncGenerator<Frame> {
  let held = Buffer.alloc(0);
  for await (const chunk of transport) {
    held = held.length === 0 ? Buffer.from(chunk as Uint8Array) : Buffer.concat([held, chunk as Uint8Array]);
    while (held.length >= headBytes) {
      const length = held.readUIntBE(5, 3);
      if (length > frameBytesMax) throw new StreamFault("PROTOCOL", `a frame of ${String(length)} bytes is too large`);
      if (held.length < headBytes + length) break;
      yield frameOf(held.subarray(0, headBytes + length));
      held = held.subarray(headBytes + length);
    }
  }
}

function frameOf(bytes: Buffer): Frame {
  const control = (bytes.readUInt8(0) & 0x80) !== 0;
  const id = control ? bytes.readUInt16BE(2) : bytes.readUInt32BE(0);
  return { control, id, flags: bytes.readUInt8(4), payload: bytes.subarray(headBytes) };
}

function idAt(payload: Buffer): number {
  if (payload.length < 8) throw new StreamFault("PROTOCOL", "a control frame is shorter than its stream's id");
  return payload.readUInt32BE(0) & 0x7fff_ffff;
}

function controlHead(type: number, flags: number, length: number): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt16BE(0x8003, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt8(flags, 4);
  head.writeUIntBE(length, 5, 3);
  return head;
}

function dataHead(id: number, flags: number, length: number): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(id, 0);
  head.writeUInt8(flags, 4);
  head.writeUIntBE(length, 5, 3);
  return head;
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
}
