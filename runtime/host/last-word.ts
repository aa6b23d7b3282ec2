import { closeSync, writeSync } from "node:fs";
import type { WireFaultCode } from "@shallop/sdk/wire";
import { duplicate } from "../sandbox/kernel/descriptors.ts";

/** As the caller understands it; undefined when there is nothing to say any more. */
export type Wording = (code: WireFaultCode, message: string) => Uint8Array | undefined;

/**
 * What the caller of a request is told whose guest did not give its thread back. The thread that serves it comes to nothing
 * any more, so another one writes it, into a descriptor of its own of the same socket: that one is open still when the
 * thread has ended, and is nobody else's by then.
 */
export class LastWord {
  readonly #descriptor: number;
  readonly #wording: Wording;

  private constructor(descriptor: number, wording: Wording) {
    this.#descriptor = descriptor;
    this.#wording = wording;
  }

  /**
   * While the thread is stuck. Undefined where nothing can be said: no socket, half a message on its way, or a Node without
   * node:ffi; the caller hears that the connection is lost then.
   */
  static take(descriptor: number, wording: Wording): LastWord | undefined {
    if (descriptor <= 0) return undefined;
    try {
      return new LastWord(duplicate(descriptor), wording);
    } catch {
      return undefined;
    }
  }

  /** Once, when the thread has ended or never will write again. */
  say(code: WireFaultCode, message: string): void {
    try {
      const bytes = this.#wording(code, message);
      // A caller that has not read for so long that there is no room for a sentence does not wait for it.
      if (bytes !== undefined) writeSync(this.#descriptor, bytes);
    } catch {
      // It has gone, or does not read.
    } finally {
      closeSync(this.#descriptor);
    }
  }
}
