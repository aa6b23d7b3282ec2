import { closeSync, writeSync } from "node:fs";
import { encodeAbort, type WireFaultCode } from "@shallop/sdk/wire";
import { duplicate } from "../sandbox/kernel/descriptors.ts";

/**
 * What the caller of a request is told whose guest did not give its thread back. The thread that serves it comes to nothing
 * any more, so another one writes the frame, into a descriptor of its own of the same socket: that one is open still when the
 * thread has ended, and is nobody else's by then.
 */
export class LastWord {
  readonly #descriptor: number;
  readonly #stream: number;

  private constructor(descriptor: number, stream: number) {
    this.#descriptor = descriptor;
    this.#stream = stream;
  }

  /**
   * While the thread is stuck. Undefined where nothing can be said: no socket, half a frame on its way, or a Node without
   * node:ffi; the caller hears that the connection is lost then.
   */
  static take(descriptor: number, stream: number): LastWord | undefined {
    if (descriptor <= 0) return undefined;
    try {
      return new LastWord(duplicate(descriptor), stream);
    } catch {
      return undefined;
    }
  }

  /** Once, when the thread has ended or never will write again. */
  say(code: WireFaultCode, message: string): void {
    try {
      // A caller that has not read for so long that there is no room for a sentence does not wait for it.
      writeSync(this.#descriptor, encodeAbort(this.#stream, code, message));
    } catch {
      // It has gone, or does not read.
    } finally {
      closeSync(this.#descriptor);
    }
  }
}
