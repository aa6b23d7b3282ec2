import type { Transform } from "node:stream";
import { constants, createBrotliCompress, createGzip, createZstdCompress } from "node:zlib";
import type { AnswerRest, ClientEnd } from "../proxy/client-end.ts";
import type { CompressionRule } from "../route/policy.ts";
import { headerValue } from "../route/predicates.ts";
import { ClientDecorator } from "./client-decorator.ts";

type Coding = CompressionRule["algorithms"][number];

// What costs about as much time as gzip's middle: these are made while somebody waits.
const brotliQuality = 4;
const gzipLevel = 5;

const compressors: Readonly<Record<Coding, () => Transform & { flush(): void }>> = {
  gzip: () => createGzip({ level: gzipLevel }),
  br: () => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: brotliQuality } }),
  zstd: () => createZstdCompress(),
};

/**
 * The coding that a client would have, the first of the rule's that it takes best (RFC 9110, 12.5.3); undefined: none.
 */
export function negotiateCoding(acceptEncoding: string | undefined, codings: readonly Coding[]): Coding | undefined {
  if (acceptEncoding === undefined) return undefined;
  const qualities = new Map<string, number>();
  for (const item of acceptEncoding.toLowerCase().split(",").slice(0, codingsMax)) {
    const [name = "", ...parameters] = item.split(";").map((part) => part.trim());
    const quality = parameters.find((parameter) => parameter.startsWith("q="));
    qualities.set(name, quality === undefined ? 1 : Number(quality.slice(2)) || 0);
  }
  let best: Coding | undefined;
  let bestQuality = 0;
  for (const coding of codings) {
    const quality = qualities.get(coding) ?? qualities.get("*") ?? 0;
    if (quality > bestQuality) [best, bestQuality] = [coding, quality];
  }
  return best;
}

// Nobody speaks more.
const codingsMax = 32;
// What is said of the bytes as the pod sends them, and true of no others (RFC 9530, 2 and 3; RFC 9110, 14.3).
const ofOtherBytes: ReadonlySet<string> = new Set([
  "content-length",
  "accept-ranges",
  "content-md5",
  "content-digest",
  "repr-digest",
  "digest",
]);

/**
 * Compresses the answer's body on its way to the client, if it is worth it and may be changed: not what is encoded
 * already, a part of something, a stream of events, or marked `no-transform` (RFC 9111, 5.2.2.6). Whether it does or not, caches hear
 * that it depends on what the client takes.
 */
export class CompressedAnswer extends ClientDecorator {
  readonly #rule: CompressionRule;
  readonly #coding: Coding | undefined;
  #stream: (Transform & { flush(): void }) | undefined;
  #flushIsDue = false;
  #written: (() => void) | undefined;

  /** @param coding undefined: the client takes none of the rule's */
  constructor(inner: ClientEnd, rule: CompressionRule, coding: Coding | undefined) {
    super(inner);
    this.#rule = rule;
    this.#coding = coding;
  }

  /** Calls `listener` once all of the answer has been given to the connection. */
  whenWritten(listener: () => void): void {
    if (this.#stream === undefined) listener();
    else this.#written = listener;
  }

  override writeHead(status: number, headers: readonly string[], rest: AnswerRest): void {
    const coding = this.#coding;
    if (coding === undefined || rest === "nothing" || !this.#isWorthIt(status, headers))
      return super.writeHead(status, withVary(headers, status), rest);
    const stream = compressors[coding]();
    this.#stream = stream;
    stream.on("data", (chunk: Buffer) => {
      if (this.inner.write(chunk)) return;
      stream.pause();
      this.inner.onceDrained(() => stream.resume());
    });
    stream.once("error", () => this.cutShort());
    this.inner.onceClosed(() => this.#over());
    const kept = headers.filter((_item, index) => !ofOtherBytes.has(headers[index - (index % 2)] ?? ""));
    super.writeHead(status, [...withVary(weakened(kept), status), "content-encoding", coding], rest);
  }

  override write(chunk: Buffer): boolean {
    const stream = this.#stream;
    if (stream === undefined) return super.write(chunk);
    const more = stream.write(chunk);
    // What is said slowly is to arrive as it is said.
    if (!this.#flushIsDue) {
      this.#flushIsDue = true;
      setImmediate(() => {
        this.#flushIsDue = false;
        if (!stream.writableEnded && !stream.destroyed) stream.flush();
      });
    }
    return more;
  }

  override onceDrained(listener: () => void): void {
    if (this.#stream === undefined) super.onceDrained(listener);
    else this.#stream.once("drain", listener);
  }

  override end(rest: Buffer | string | undefined, trailers?: readonly string[]): void {
    const stream = this.#stream;
    if (stream === undefined) return super.end(rest, trailers);
    stream.once("end", () => {
      this.inner.end(undefined, trailers);
      this.#over();
    });
    stream.end(rest);
  }

  override cutShort(): void {
    this.#stream?.destroy();
    super.cutShort();
    this.#over();
  }

  #over(): void {
    const written = this.#written;
    this.#written = undefined;
    this.#stream?.destroy();
    written?.();
  }

  #isWorthIt(status: number, headers: readonly string[]): boolean {
    if (this.method === "HEAD" || status < 200 || [204, 205, 206, 304].includes(status)) return false;
    if (headerValue(headers, "content-encoding") !== undefined) return false;
    if (/\bno-transform\b/i.test(headerValue(headers, "cache-control") ?? "")) return false;
    const type = (headerValue(headers, "content-type") ?? "").toLowerCase();
    if (type.startsWith("text/event-stream")) return false;
    const length = headerValue(headers, "content-length");
    if (length !== undefined && Number(length) < this.#rule.minBytes) return false;
    const [plain = ""] = type.split(";");
    return this.#rule.contentTypes.some((wanted) => plain.startsWith(wanted) || plain.trim().endsWith(wanted));
  }
}

/** Caches keep the answers apart that are coded for different clients. */
function withVary(headers: readonly string[], status: number): readonly string[] {
  if (status < 200) return headers;
  const vary = headerValue(headers, "vary") ?? "";
  if (/(^|,)\s*(\*|accept-encoding)\s*(,|$)/i.test(vary)) return headers;
  return [...headers, "vary", "accept-encoding"];
}

/** The bytes are others: the same tag would promise the same bytes (RFC 9110, 8.8.1). */
const weakened = (headers: readonly string[]): readonly string[] =>
  headers.map((item, index) =>
    headers[index - 1] === "etag" && index % 2 === 1 && item.startsWith('"') ? `W/${item}` : item,
  );
