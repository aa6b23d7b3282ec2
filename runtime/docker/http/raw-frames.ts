import { once } from "node:events";
import { Writable } from "node:stream";

/** Which stream of a container some bytes are of: Docker's numbers. */
const streamKind = { stdin: 0, stdout: 1, stderr: 2 } as const;
export type StreamKind = keyof typeof streamKind;

export const rawType = "application/vnd.docker.raw-stream";
export const framedType = "application/vnd.docker.multiplexed-stream";

const headBytes = 8;

/** `[kind, 0, 0, 0, length as 32 bits, big end first] bytes`: how two streams share one connection. */
export function frame(kind: StreamKind, bytes: Uint8Array): Buffer {
  const framed = Buffer.alloc(headBytes + bytes.length);
  framed[0] = streamKind[kind];
  framed.writeUInt32BE(bytes.length, 4);
  framed.set(bytes, headBytes);
  return framed;
}

/** The output of a container to a client: in frames, or as it is when it has a terminal. */
export class ContainerOutput {
  readonly #output: Writable;
  readonly #isRaw: boolean;

  constructor(output: Writable, isRaw: boolean) {
    this.#output = output;
    this.#isRaw = isRaw;
  }

  /** Resolves when the client is ready for more. */
  async write(kind: StreamKind, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    if (bytes.length === 0 || signal.aborted || !this.#output.writable) return;
    if (!this.#output.write(this.#isRaw ? bytes : frame(kind, bytes))) await once(this.#output, "drain", { signal });
  }

  /** One of the streams as something to write to, which waits for the client. */
  writable(kind: StreamKind, signal: AbortSignal): Writable {
    return new Writable({
      write: (chunk: Uint8Array, _, done) => {
        // When the client has gone, what is still written goes nowhere.
        const written = this.write(kind, chunk, signal).catch(() => undefined);
        void written.finally(() => done());
      },
    });
  }
}
