import type { IncomingMessage, ServerResponse } from "node:http";
import { type Duplex, Readable, type Writable } from "node:stream";
import { isJsonObject, type JsonObject } from "@shallop/sdk/api";
import { collectBytes } from "@shallop/sdk/image";
import { DockerFault } from "./docker-fault.ts";

/** An answer of JSON, or of nothing. */
export interface Reply {
  readonly status: number;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export const ok = (json: unknown): Reply => ({ status: 200, json });
export const created = (json: unknown): Reply => ({ status: 201, json });
export const noContent: Reply = { status: 204 };

/** Filters by name, as Docker writes them: `{"label":{"a=b":true}}`, or in old clients `{"label":["a=b"]}`. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/** Create bodies have some KiB; labels and environments of compose files some more. */
const bodyBytesMax = 4 << 20;
/** A filter of many ids. */
const filterValuesMax = 1000;

export interface RawConnection {
  readonly socket: Duplex;
  /** What was read behind the request. */
  readonly first: Buffer;
}

/** Both ends of a hijacked connection. */
export interface RawStream {
  readonly input: Readable;
  readonly output: Writable;
}

/** One request, as handlers see it. */
export class Call {
  readonly request: IncomingMessage;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Aborted when the client has gone, or the process ends. */
  readonly signal: AbortSignal;
  readonly #response: ServerResponse | undefined;
  readonly #raw: RawConnection | undefined;
  #isHijacked = false;

  constructor(parts: {
    readonly request: IncomingMessage;
    readonly params: Readonly<Record<string, string>>;
    readonly query: URLSearchParams;
    readonly signal: AbortSignal;
    readonly response?: ServerResponse;
    readonly raw?: RawConnection;
  }) {
    this.request = parts.request;
    this.params = parts.params;
    this.query = parts.query;
    this.signal = parts.signal;
    this.#response = parts.response;
    this.#raw = parts.raw;
  }

  /** The connection is a raw stream by now. */
  get isHijacked(): boolean {
    return this.#isHijacked;
  }

  /** A part of the path that its pattern names. */
  param(name: string): string {
    return this.params[name] ?? "";
  }

  text(name: string): string | undefined {
    const value = this.query.get(name);
    return value === null || value === "" ? undefined : value;
  }

  /** As Docker reads booleans: everything but these is true. */
  flag(name: string, initial = false): boolean {
    const value = this.query.get(name);
    return value === null ? initial : !["", "0", "no", "false", "none"].includes(value.toLowerCase());
  }

  /** A whole number that is not negative. @throws DockerFault BAD_REQUEST */
  count(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (/^\d{1,12}$/.test(text)) return Number(text);
    throw new DockerFault("BAD_REQUEST", `${name} is ${JSON.stringify(text.slice(0, 40))}, which is no number`);
  }

  /** @throws DockerFault BAD_REQUEST */
  filters(): Filters {
    const text = this.text("filters");
    if (text === undefined) return new Map();
    const value = parsed(text, "filters");
    if (!isJsonObject(value)) throw new DockerFault("BAD_REQUEST", "filters is no JSON object");
    const entries = Object.entries(value).map(([name, values]): [string, readonly string[]] => {
      const list = Array.isArray(values)
        ? values.filter((one) => typeof one === "string")
        : isJsonObject(values)
          ? Object.keys(values).filter((key) => values[key] === true)
          : [];
      if (list.length > filterValuesMax) throw new DockerFault("BAD_REQUEST", `the filter ${name} has too many values`);
      return [name, list];
    });
    return new Map(entries);
  }

  /** The body as a JSON object; an empty one is an empty object. @throws DockerFault BAD_REQUEST */
  async body(): Promise<JsonObject> {
    const bytes = await collectBytes(this.request, bodyBytesMax, "the request");
    if (bytes.length === 0) return {};
    const value = parsed(Buffer.from(bytes).toString("utf8"), "the request");
    if (value === null) return {};
    if (!isJsonObject(value)) throw new DockerFault("BAD_REQUEST", "the request is no JSON object");
    return value;
  }

  /** Begins an answer that is written piece by piece; its head goes out at once. */
  stream(type: string, headers: Readonly<Record<string, string>> = {}): Writable {
    const response = this.#response;
    if (response === undefined) throw new DockerFault("BAD_REQUEST", "this is no request for a raw stream");
    response.writeHead(200, { "Content-Type": type, ...headers });
    response.flushHeaders();
    return response;
  }

  /**
   * Takes the connection over, for both directions. A client that did not ask for that reads the output as the answer's body,
   * and has nothing to say.
   */
  hijack(type: string): RawStream {
    if (this.#raw === undefined) return { input: Readable.from([]), output: this.stream(type) };
    const { socket, first } = this.#raw;
    this.#isHijacked = true;
    socket.write(`HTTP/1.1 101 UPGRADED\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
    if (first.length > 0) socket.unshift(first);
    return { input: socket, output: socket };
  }
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new DockerFault("BAD_REQUEST", `${what} is no JSON: ${JSON.stringify(text.slice(0, 80))}`);
  }
}
