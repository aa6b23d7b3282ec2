import { type ClientHttp2Session, connect } from "node:http2";

export interface Crowd {
  /** Answers by status; `broken`: streams that ended without one. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  /** Answers that said when to come again. */
  readonly retryAfter: number;
}

// What the gateway allows on one connection.
const streamsPerConnection = 100;

/** As many requests at once as asked for, over HTTP/2, and how each of them ended. */
export async function sendCrowd(options: {
  readonly port: number;
  readonly host: string;
  readonly path: string | ((index: number) => string);
  readonly requests: number;
  /** Told of each answer when it is over. */
  readonly answered?: (status: string) => void;
}): Promise<Crowd> {
  const sessions: ClientHttp2Session[] = [];
  const statuses: Record<string, number> = {};
  const began = performance.now();
  let slowestMs = 0;
  let retryAfter = 0;
  const pathOf = (index: number): string => (typeof options.path === "string" ? options.path : options.path(index));
  const one = (session: ClientHttp2Session, index: number): Promise<void> =>
    new Promise((resolve) => {
      const stream = session.request({ ":path": pathOf(index), ":authority": options.host });
      let status = "broken";
      stream.on("response", (head) => {
        status = String(head[":status"]);
        if (head["retry-after"] !== undefined) retryAfter++;
      });
      stream.on("error", () => undefined);
      stream.resume();
      stream.once("close", () => {
        statuses[status] = (statuses[status] ?? 0) + 1;
        options.answered?.(status);
        slowestMs = Math.max(slowestMs, performance.now() - began);
        resolve();
      });
    });
  const all: Promise<void>[] = [];
  for (let sent = 0; sent < options.requests; sent += streamsPerConnection) {
    const session = connect(`http://127.0.0.1:${options.port}`);
    session.on("error", () => undefined);
    sessions.push(session);
    const count = Math.min(streamsPerConnection, options.requests - sent);
    for (let index = 0; index < count; index++) all.push(one(session, sent + index));
  }
  await Promise.all(all);
  for (const session of sessions) session.destroy();
  return { statuses, slowestMs, retryAfter };
}
