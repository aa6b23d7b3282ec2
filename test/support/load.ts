import { connect, type Socket } from "node:net";

/** Puts load on an HTTP/1.1 server with as little work of its own as it can, so that the server is what is measured. */
export interface LoadOptions {
  readonly port: number;
  readonly address?: string;
  /** Value of Host. */
  readonly host: string;
  readonly path?: string;
  /** Further header lines, each ending in CRLF. */
  readonly headerLines?: string;
  /** Connections at once; each is kept, and has one request at a time. */
  readonly connections: number;
  /** All connections together send no more than this; absent: as many as are answered. */
  readonly requestsPerSecond?: number;
  /** Ends the load after this time … */
  readonly durationMs: number;
  /** … or after so many requests, whichever is first. */
  readonly requestsMax?: number;
}

export interface LoadResult {
  readonly requests: number;
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Connections that broke with a request open. */
  readonly broken: number;
  readonly durationMs: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export async function putLoad(options: LoadOptions): Promise<LoadResult> {
  const tally: Tally = {
    latenciesMs: [],
    statuses: {},
    broken: 0,
    left: options.requestsMax ?? Number.MAX_SAFE_INTEGER,
  };
  const startedMs = performance.now();
  const endMs = startedMs + options.durationMs;
  await Promise.all(Array.from({ length: options.connections }, () => drive(options, tally, endMs)));
  const durationMs = performance.now() - startedMs;
  const sorted = tally.latenciesMs.sort((a, b) => a - b);
  const requests = sorted.length;
  return {
    requests,
    statuses: tally.statuses,
    broken: tally.broken,
    durationMs,
    requestsPerSecond: (requests / durationMs) * 1000,
    p50Ms: sorted[Math.floor(requests * 0.5)] ?? 0,
    p99Ms: sorted[Math.floor(requests * 0.99)] ?? 0,
  };
}

interface Tally {
  readonly latenciesMs: number[];
  readonly statuses: Record<string, number>;
  broken: number;
  left: number;
}

/** One request after another until the time is over; reconnects when the server closes. */
async function drive(options: LoadOptions, tally: Tally, endMs: number): Promise<void> {
  while (performance.now() < endMs && tally.left > 0) await driveConnection(options, tally, endMs);
}

function driveConnection(options: LoadOptions, tally: Tally, endMs: number): Promise<void> {
  return new Promise((resolve) => {
    const request = Buffer.from(
      `GET ${options.path ?? "/"} HTTP/1.1\r\nhost: ${options.host}\r\n${options.headerLines ?? ""}\r\n`,
    );
    const socket: Socket = connect({ port: options.port, host: options.address ?? "127.0.0.1", noDelay: true });
    let sentMs = 0;
    let pending = "";
    const pauseMs =
      options.requestsPerSecond === undefined ? 0 : (1000 * options.connections) / options.requestsPerSecond;
    let dueMs = performance.now() + Math.random() * pauseMs;
    const sendWhenDue = (): void => {
      const waitMs = dueMs - performance.now();
      dueMs += pauseMs;
      if (waitMs <= 0) send();
      else setTimeout(send, waitMs);
    };
    const send = (): void => {
      if (tally.left <= 0 || performance.now() >= endMs) return void socket.end();
      tally.left--;
      sentMs = performance.now();
      socket.write(request);
    };
    socket.once("connect", pauseMs === 0 ? send : sendWhenDue);
    socket.on("data", (chunk: Buffer) => {
      pending += chunk.toString("latin1");
      const length = answerLength(pending);
      if (length === undefined) return;
      const status = pending.slice(9, 12);
      tally.statuses[status] = (tally.statuses[status] ?? 0) + 1;
      tally.latenciesMs.push(performance.now() - sentMs);
      pending = pending.slice(length);
      sentMs = 0;
      if (pauseMs === 0) send();
      else sendWhenDue();
    });
    socket.on("error", () => undefined);
    socket.once("close", () => {
      if (sentMs !== 0 && performance.now() < endMs) tally.broken++;
      resolve();
    });
  });
}

/** Bytes of the answer at the start of `text`; undefined while it is not complete. */
function answerLength(text: string): number | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const total = headEnd + 4 + Number(length);
    return text.length >= total ? total : undefined;
  }
  const end = text.indexOf("0\r\n\r\n", headEnd + 4);
  return end < 0 ? undefined : end + 5;
}
