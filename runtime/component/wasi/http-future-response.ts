import type { HttpErrorCode } from "./http-error-code.ts";
import type { IncomingResponse } from "./http-incoming.ts";
import { Pollable } from "./io-poll.ts";
import { Resource } from "./resource.ts";
import { failed, ok, type Result } from "./result.ts";
import { Listeners, type Waitable } from "./waitable.ts";

type Answer = Result<IncomingResponse, HttpErrorCode>;

/** `wasi:http/types.future-incoming-response`. */
export class FutureIncomingResponse extends Resource implements Waitable {
  readonly #listeners = new Listeners();
  #answer: Answer | undefined;
  #given = false;
  #abandon: (() => void) | undefined;

  subscribe(): Pollable;
  subscribe(listener: () => void): () => void;
  subscribe(listener?: () => void): Pollable | (() => void) {
    return listener === undefined ? new Pollable(this.context, this) : this.#listeners.add(listener);
  }

  ready(): boolean {
    return this.#answer !== undefined;
  }

  get(): Result<Answer, undefined> | undefined {
    if (this.#answer === undefined) return undefined;
    if (this.#given) return failed;
    this.#given = true;
    return ok(this.#answer);
  }

  /** For the call: what to close when the guest gives up before the answer. */
  onAbandon(abandon: () => void): void {
    this.#abandon = abandon;
  }

  settle(answer: Answer): void {
    if (this.#answer !== undefined) return;
    this.#answer = answer;
    this.#listeners.notify();
  }

  protected override dropped(): void {
    if (!this.#given) this.#abandon?.();
  }
}
