import type { WireStream } from "@shallop/sdk/wire";
import type { GuestResponse } from "../component/engine.ts";
import type { ByteSink, SinkFailure } from "../component/wasi/byte-sink.ts";
import { Listeners } from "../component/wasi/waitable.ts";
import { hopByHopNames } from "../component/wasi/header-rules.ts";

/** What carries one request to a guest and its answer back: a stream of the wire, or an HTTP connection. */
export interface GuestStream
  extends
    Pick<WireStream, "closed" | "respond" | "write" | "end" | "abort" | "consumed">,
    Partial<Pick<WireStream, "id" | "descriptor">> {
  /** The guest's first turn is over: what was kept back of its answer, to leave in one piece, leaves. */
  uncork?(): void;
}

// What a guest may write before it must wait for the gateway's credit: one frame.
const capacityBytes = 64 * 1024;

/** A guest's answer on a stream of the wire. Frames wait for credit there; the guest waits for the frames. */
export class WireResponse implements GuestResponse {
  readonly body: ByteSink;
  readonly #stream: GuestStream;
  readonly #sink: WireSink;
  readonly #phasesMs: () => Readonly<Record<string, number>>;
  #begun = false;
  #outcome: { readonly failure?: string } | undefined;

  /** `phasesMs` is asked when the answer begins. */
  constructor(stream: GuestStream, phasesMs: () => Readonly<Record<string, number>>) {
    this.#stream = stream;
    this.#phasesMs = phasesMs;
    this.#sink = new WireSink(stream);
    this.body = this.#sink;
  }

  /** The guest has begun to answer. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Complete, or failed with a reason; undefined while the guest is at it. */
  get outcome(): { readonly failure?: string } | undefined {
    return this.#outcome;
  }

  respond(status: number, headers: readonly string[]): void {
    this.#begun = true;
    const head = { status, headers: endToEnd(headers) };
    // A client of HTTP is told of no phases.
    this.#stream.respond(this.#stream.id === undefined ? head : { ...head, phasesMs: this.#phasesMs() });
  }

  finish(trailers: readonly string[]): void {
    this.#outcome ??= {};
    this.#stream.end(endToEnd(trailers));
  }

  fail(message: string): void {
    this.#outcome ??= { failure: message };
    this.#stream.abort("GUEST_FAILED", message);
  }

  /** For the stream's handler. */
  writable(): void {
    this.#sink.resume();
  }
}

class WireSink implements ByteSink {
  readonly #stream: GuestStream;
  readonly #listeners = new Listeners();
  #paused = false;

  constructor(stream: GuestStream) {
    this.#stream = stream;
  }

  resume(): void {
    this.#paused = false;
    this.#listeners.notify();
  }

  capacity(): number {
    return this.#paused ? 0 : capacityBytes;
  }

  write(bytes: Uint8Array): void {
    this.#paused = !this.#stream.write(bytes);
  }

  flushed(): boolean {
    return !this.#paused;
  }

  failure(): SinkFailure | undefined {
    return this.#stream.closed ? { kind: "closed" } : undefined;
  }

  ready(): boolean {
    return !this.#paused || this.#stream.closed;
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }
}

/** Fields cannot hold names that belong to a connection; what reaches the wire is checked here once more. */
function endToEnd(headers: readonly string[]): readonly string[] {
  for (let index = 0; index < headers.length; index += 2) {
    if (hopByHopNames.has(headers[index] ?? ""))
      return headers.filter((_, at) => !hopByHopNames.has(headers[at - (at % 2)] ?? ""));
  }
  return headers;
}
