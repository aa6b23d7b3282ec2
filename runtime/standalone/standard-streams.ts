import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import { errorCode } from "@shallop/sdk/internal";
import { ByteQueue } from "../component/wasi/byte-queue.ts";
import type { StandardStream } from "../component/wasi/guest-context.ts";

// What may wait here unread before reading stops; one read of Node.
const unreadBytesMax = 64 * 1024;

/** Standard input of this process for a guest. It is left alone until the guest asks for it, and read as fast as it reads. */
export class StandardInput extends ByteQueue {
  #unread = 0;
  #started = false;

  constructor() {
    super((byteCount) => {
      this.#unread -= byteCount;
      if (this.#unread < unreadBytesMax) process.stdin.resume();
    });
  }

  override ready(): boolean {
    this.#start();
    return super.ready();
  }

  override read(byteCountMax: number): Uint8Array {
    this.#start();
    return super.read(byteCountMax);
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    process.stdin.on("data", (chunk: Buffer) => {
      this.#unread += chunk.length;
      if (this.#unread >= unreadBytesMax) process.stdin.pause();
      this.push(chunk);
    });
    process.stdin.once("end", () => this.end());
    process.stdin.once("error", (error) => this.fail(error.message));
  }
}

const descriptors = { stdin: 0, stdout: 1, stderr: 2 } as const satisfies Record<StandardStream, number>;

/** Those of this process that are a terminal. */
export const terminals = (): readonly StandardStream[] =>
  (["stdin", "stdout", "stderr"] as const).filter((name) => isatty(descriptors[name]));

// Of a shell, for a program that nobody reads any more (128 and the number of SIGPIPE).
const brokenPipeExitCode = 141;
const pauseMs = 1;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Writes a guest's bytes straight through: when this returns they have left the process. */
export function writeThrough(stream: "stdout" | "stderr", bytes: Uint8Array): void {
  let rest = bytes;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptors[stream], rest));
    } catch (error) {
      if (errorCode(error) === "EPIPE") process.exit(brokenPipeExitCode);
      // The descriptor does not block, and its reader is slow: the guest waits with this thread.
      if (errorCode(error) !== "EAGAIN") throw error;
      Atomics.wait(pause, 0, 0, pauseMs);
    }
  }
}
