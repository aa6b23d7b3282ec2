import { ApiFault } from "@shallop/sdk/api";
import { describeError, type Log } from "@shallop/sdk/internal";
import type { Machinery, Target } from "../machinery.ts";
import type { User } from "../user.ts";
import { watchObjects, type WatchFrame, type WatchOptions } from "../watch.ts";
import { renderFrame, type RenderRequest } from "./render.ts";

// Each open watch costs a subscription, a timer and a stream: some kilobytes. A cluster of a hundred nodes has a thousand.
const watchesMax = 5000;

/** Watches over HTTP: one JSON object a line, for as long as both sides want. */
export class WatchStreams {
  readonly #machinery: Machinery;
  readonly #log: Log;
  readonly #closing: AbortSignal;
  #open = 0;

  /** All streams end when `closing` is aborted. */
  constructor(machinery: Machinery, closing: AbortSignal) {
    this.#machinery = machinery;
    this.#log = machinery.log;
    this.#closing = closing;
  }

  /** @throws ApiFault as watchObjects, TooManyRequests */
  open(target: Target, options: WatchOptions & { readonly user: User }, render: RenderRequest): Response {
    if (this.#open >= watchesMax) {
      throw new ApiFault("TooManyRequests", `${watchesMax} watches are open already`, { retryAfterSeconds: 1 });
    }
    const gone = new AbortController();
    const signal = AbortSignal.any([this.#closing, gone.signal]);
    const frames = watchObjects(this.#machinery, target, options, signal);
    this.#open++;
    let isOpen = true;
    const ended = (): void => {
      if (isOpen) this.#open--;
      isOpen = false;
    };
    let first = true;
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            const next = await frames.next();
            // The client has left meanwhile: nobody takes anything any more, not even an end.
            if (!isOpen) return;
            if (next.done === true) {
              ended();
              return controller.close();
            }
            controller.enqueue(Buffer.from(this.#encode(render, next.value, first)));
            first = false;
          } catch (error) {
            if (!isOpen) return;
            ended();
            this.#log.error("a watch broke", error, { kind: target.kind.resource.kind });
            controller.error(new Error(`the watch broke: ${describeError(error)}`));
          }
        },
        cancel: async () => {
          ended();
          gone.abort(new Error("the client is gone"));
          await frames.return();
        },
      },
      // One batch ahead is enough; what gathers meanwhile becomes the next one.
      { highWaterMark: 1 },
    );
    return new Response(body, { headers: { "content-type": "application/json" } });
  }

  #encode(render: RenderRequest, frames: readonly WatchFrame[], first: boolean): string {
    const now = { ...render, nowMs: this.#machinery.clock.wallMs() };
    return frames.map((frame, index) => renderFrame(now, frame, first && index === 0)).join("");
  }
}
