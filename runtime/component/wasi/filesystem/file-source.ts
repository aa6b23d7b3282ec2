import type { ByteSource } from "../byte-source.ts";
import type { GuestContext } from "../guest-context.ts";
import type { IoErrorCause } from "../io-error.ts";
import { Listeners } from "../waitable.ts";
import { read } from "./fd-calls.ts";
import { fileErrorOf } from "./file-error.ts";
import type { OpenNode } from "./open-node.ts";

const nothing = new Uint8Array(0);

/** A file from some offset to its end. Read piece by piece, when the guest wants one: what it never asks for is not read. */
export class FileSource implements ByteSource {
  readonly #node: OpenNode;
  readonly #pieceBytes: number;
  readonly #listeners = new Listeners();
  readonly #release: () => void;
  #offset: bigint;
  #piece: Uint8Array = nothing;
  #state: "idle" | "reading" | "ended" | "closed" = "idle";
  failure: string | undefined;
  failureCause: IoErrorCause | undefined;

  constructor(context: GuestContext, node: OpenNode, offset: bigint) {
    this.#node = node;
    this.#offset = offset;
    this.#pieceBytes = context.settings.bounds.bufferBytesMax;
    this.#release = node.hold(context);
  }

  get finished(): boolean {
    return this.#state === "ended" && this.#piece.length === 0;
  }

  ready(): boolean {
    return this.#piece.length > 0 || this.#state === "ended" || this.failure !== undefined;
  }

  read(byteCountMax: number): Uint8Array {
    if (!this.ready()) this.#fetch();
    const part = this.#piece.subarray(0, byteCountMax);
    this.#piece = this.#piece.subarray(part.length);
    return part;
  }

  subscribe(listener: () => void): () => void {
    if (!this.ready()) this.#fetch();
    return this.#listeners.add(listener);
  }

  /** The guest has dropped the stream. */
  close(): void {
    this.#state = "closed";
    this.#piece = nothing;
    this.#release();
  }

  #fetch(): void {
    if (this.#state !== "idle") return;
    this.#state = "reading";
    const buffer = new Uint8Array(this.#pieceBytes);
    this.#node
      .during(() => read(this.#node.fd, buffer, this.#offset))
      .then(
        (byteCount) => this.#arrive(buffer.subarray(0, byteCount)),
        (error: unknown) => this.#fail(error),
      );
  }

  #arrive(piece: Uint8Array): void {
    if (this.#state !== "reading") return;
    this.#state = piece.length === 0 ? "ended" : "idle";
    this.#piece = piece;
    this.#offset += BigInt(piece.length);
    this.#listeners.notify();
  }

  #fail(error: unknown): void {
    if (this.#state !== "reading") return;
    const code = fileErrorOf(error);
    this.#state = "ended";
    this.failure = `reading the file failed: ${code}`;
    this.failureCause = { kind: "file", code };
    this.#listeners.notify();
  }
}
