import type { FutureReader, StreamReader } from "../../abi/stream.ts";
import type { ByteSource } from "../byte-source.ts";
import type { GuestContext } from "../guest-context.ts";
import type { BodySink } from "../http-body-sink.ts";
import { describeErrorCode, type HttpErrorCode } from "../http-error-code.ts";
import type { IoErrorCause } from "../io-error.ts";
import { done, err, ok, type Result } from "../result.ts";
import { ByteReader, emptyReader } from "./byte-reader.ts";
import { Fields } from "./http-fields.ts";
import { pour } from "./pour.ts";
import { Outcome } from "./waiting.ts";

export type Trailers = Result<Fields | undefined, HttpErrorCode>;
export type Sent = Result<undefined, HttpErrorCode>;

/** What a guest gives with a message that it makes. */
export interface GivenBody {
  readonly contents: StreamReader<number> | undefined;
  readonly trailers: FutureReader<Trailers>;
}

/** The body of a message: what was given with it, and who is to be told how it went. Used once: read, sent or dropped. */
export class MessageBody {
  readonly #contents: StreamReader<number> | undefined;
  readonly #trailers: FutureReader<Trailers> | Promise<Trailers>;
  readonly #sent = new Outcome<Sent>();
  #isTaken = false;

  constructor(contents: StreamReader<number> | undefined, trailers: FutureReader<Trailers> | Promise<Trailers>) {
    this.#contents = contents;
    this.#trailers = trailers;
  }

  static given({ contents, trailers }: GivenBody): MessageBody {
    return new MessageBody(contents, trailers);
  }

  /** Of a message that comes from the network. `trailersOf` is asked when the body has ended. */
  static arriving(
    context: GuestContext,
    source: ByteSource,
    from: { readonly release: () => void; readonly trailersOf: () => readonly string[] },
  ): MessageBody {
    const reader = new ByteReader<HttpErrorCode>(context, { source, release: from.release, codeOf: errorOfCause });
    const trailers = reader.outcome.then((outcome): Trailers => {
      if (outcome.tag === "err") return outcome;
      const flat = source.finished ? from.trailersOf() : [];
      return ok(flat.length === 0 ? undefined : Fields.ofFlat(context, flat));
    });
    // A guest that takes only the stream is told of nothing more.
    trailers.catch(() => undefined);
    return new MessageBody(reader, trailers);
  }

  /** How its transmission went. */
  get sent(): Promise<Sent> {
    return this.#sent.promise;
  }

  get hasContents(): boolean {
    return this.#contents !== undefined;
  }

  /** `consume-body`: `handled` is what the reader says about the message. */
  consume(handled: FutureReader<Sent>): [StreamReader<number>, FutureReader<Trailers> | Promise<Trailers>] {
    this.#isTaken = true;
    this.#sent.settle(readOr(handled, done));
    return [this.#contents ?? emptyReader, this.#trailers];
  }

  /** Writes it to `sink`. Resolves when that is done, well or not; rejects when the guest that writes it fails. */
  async sendTo(context: GuestContext, sink: BodySink, sizeCode: SizeCode): Promise<Sent> {
    this.#isTaken = true;
    const sent = await this.#send(context, sink, sizeCode);
    this.#sent.settle(sent);
    return sent;
  }

  /** The message is dropped. After it was read or sent this does nothing. */
  drop(why: HttpErrorCode): void {
    if (this.#isTaken) return;
    this.#isTaken = true;
    this.#contents?.drop();
    if ("drop" in this.#trailers) this.#trailers.drop();
    this.#sent.settle(err(why));
  }

  async #send(context: GuestContext, sink: BodySink, sizeCode: SizeCode): Promise<Sent> {
    const failure = this.#contents === undefined ? undefined : await pour(context, this.#contents, sink);
    if (failure !== undefined) {
      if ("drop" in this.#trailers) this.#trailers.drop();
      if (sink.hasWrongLength) return err({ tag: sizeCode, val: undefined });
      if (failure.kind === "closed") return err({ tag: "connection-terminated" });
      return err(failure.cause?.kind === "http" ? failure.cause.code : internalError(failure.message));
    }
    const trailers = await ("read" in this.#trailers ? this.#trailers.read() : this.#trailers);
    if (trailers.tag === "err") {
      sink.fail(`the guest ended its body with the error ${describeErrorCode(trailers.val)}`);
      return err(trailers.val);
    }
    const flat = trailers.val?.toFlat() ?? [];
    trailers.val?.[Symbol.dispose]();
    return sink.finish(flat) ? done : err({ tag: sizeCode, val: undefined });
  }
}

/** What a body of a wrong length is called. */
export type SizeCode = "HTTP-request-body-size" | "HTTP-response-body-size";

export const internalError = (message: string): HttpErrorCode => ({ tag: "internal-error", val: message });

const errorOfCause = (cause: IoErrorCause | undefined): HttpErrorCode =>
  cause?.kind === "http" ? cause.code : { tag: "connection-terminated" };

async function readOr<T>(future: FutureReader<T>, otherwise: T): Promise<T> {
  try {
    return await future.read();
  } catch {
    // The guest has failed: nobody is left to be told.
    return otherwise;
  }
}
