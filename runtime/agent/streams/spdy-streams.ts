import type { IncomingMessage } from "node:http";
import type { Duplex, Readable, Writable } from "node:stream";
import type { Clock } from "@shallop/sdk/internal";
import type { TerminalSize } from "../../pod/container-process.ts";
import { AgentFault } from "../fault-status.ts";
import {
  type CommandEnd,
  commandStatus,
  type CommandStreams,
  parseTerminalSize,
  type StreamOptions,
} from "./command-streams.ts";
import { SpdySession, type SpdyStream } from "./spdy-session.ts";

/** From `v4` on the error stream carries a Status. Older ones have not been spoken since Kubernetes 1.6. */
const protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"] as const;

// A client opens its streams at once after the answer.
const openTimeoutMs = 30_000;

export const asksForSpdy = (request: IncomingMessage): boolean => request.headers.upgrade?.toLowerCase() === "spdy/3.1";

/** The first of `known` that the client offers. @throws AgentFault BAD_REQUEST */
export function chooseSpdyProtocol(request: IncomingMessage, known: readonly string[]): string {
  const offered = [request.headers["x-stream-protocol-version"] ?? []]
    .flat()
    .flatMap((value) => value.split(","))
    .map((value) => value.trim());
  const chosen = known.find((protocol) => offered.includes(protocol));
  if (chosen !== undefined) return chosen;
  throw new AgentFault("BAD_REQUEST", `none of the offered protocols is known here; known are ${known.join(", ")}`);
}

/** Answers 101; from then on the connection speaks SPDY. */
export function switchToSpdy(socket: Duplex, first: Buffer, protocol: string): void {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  if (first.length > 0) socket.unshift(first);
}

/** Resolves when the client has opened every stream that it asked for. @throws AgentFault BAD_REQUEST */
export async function acceptCommandSpdy(
  request: IncomingMessage,
  connection: { readonly socket: Duplex; readonly first: Buffer },
  options: StreamOptions,
  clock: Clock,
): Promise<CommandStreams> {
  const { socket, first } = connection;
  switchToSpdy(socket, first, chooseSpdyProtocol(request, protocols));
  const wanted = new Set(["error"]);
  for (const name of ["stdin", "stdout", "stderr"] as const) if (options[name]) wanted.add(name);
  const streamsByType = new Map<string, SpdyStream>();
  const complete = Promise.withResolvers<void>();
  const gone = new AbortController();
  const resizes = new Resizes();
  const session = new SpdySession(socket, (stream) => {
    const type = stream.headers.get("streamtype") ?? "";
    if (type === "resize") return resizes.read(stream);
    streamsByType.set(type, stream);
    if ([...wanted].every((name) => streamsByType.has(name))) complete.resolve();
  });
  const end = (error?: unknown): void => {
    complete.reject(error ?? new AgentFault("BAD_REQUEST", "the client left before it had opened its streams"));
    gone.abort(new Error("the client has gone"));
  };
  session.run().then(() => end(), end);
  const timer = clock.after(openTimeoutMs, () => session[Symbol.dispose]());
  await complete.promise.finally(() => timer.cancel());
  return new SpdyStreams(streamsByType, { session, resizes, gone: gone.signal });
}

/** Sizes of the client's terminal as they come. */
class Resizes {
  #size: TerminalSize | undefined;
  #resized: (size: TerminalSize) => void = () => undefined;

  read(stream: SpdyStream): void {
    stream.setEncoding("utf8").on("data", (text: string) => {
      // One a line; of several that come together the last counts.
      const size = parseTerminalSize(text.trim().split("\n").at(-1) ?? "");
      if (size === undefined) return;
      this.#size = size;
      this.#resized(size);
    });
  }

  listen(resized: (size: TerminalSize) => void): void {
    this.#resized = resized;
    if (this.#size !== undefined) resized(this.#size);
  }
}

class SpdyStreams implements CommandStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  readonly gone: AbortSignal;
  readonly #error: SpdyStream | undefined;
  readonly #resizes: Resizes;
  readonly #session: SpdySession;

  constructor(
    streams: ReadonlyMap<string, SpdyStream>,
    parts: { readonly session: SpdySession; readonly resizes: Resizes; readonly gone: AbortSignal },
  ) {
    this.stdin = streams.get("stdin");
    this.stdout = streams.get("stdout");
    this.stderr = streams.get("stderr");
    this.#error = streams.get("error");
    this.#resizes = parts.resizes;
    this.#session = parts.session;
    this.gone = parts.gone;
  }

  onResize(resized: (size: TerminalSize) => void): void {
    this.#resizes.listen(resized);
  }

  async finish(end: CommandEnd): Promise<void> {
    const ends = [this.stdout, this.stderr].filter((stream) => stream !== undefined);
    await Promise.all(ends.map(ended));
    const error = this.#error;
    if (error === undefined) return;
    error.write(JSON.stringify(commandStatus(end)));
    await ended(error);
  }

  [Symbol.dispose](): void {
    this.#session[Symbol.dispose]();
  }
}

const ended = (stream: Writable): Promise<void> =>
  new Promise((resolve) => {
    if (stream.destroyed || stream.writableFinished) return resolve();
    stream.once("close", () => resolve());
    stream.end(() => resolve());
  });
