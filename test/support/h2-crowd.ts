import { type ClientHttp2Session, connect } from "node:http2";

export interface Crowd {
  /** Answers by status; `broken`: streams that ended without one. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly slowestMs: number;
}

// What the gateway allows on one connection.
const streamsPerConnection = 100;

/** As many requests at once as asked for, over HTTP/2, and how each of them ended. */
export async function sendCrowd(options: {
  readonly port: number;
  readonly host: string;
  readonly path: string;
  readonly requests: number;
}): Promise<Crowd> {
  const sessions: ClientHttp2Session[] = [];
  const statuses: Record<string, number> = {};
  const began = performance.now();
  let slowestMs = 0;
  const one = (session: ClientHttp2Session): Promise<void> =>
    new Promise((resolve) => {
      const stream = session.request({ ":path": options.path, ":authority": options.host });
      let status = "broken";
      stream.on("response", (head) => (status = String(head[":status"])));
      stream.on("error", () => undefined);
      stream.resume();
      stream.once("close", () => {
        statuses[status] = (statuses[status] ?? 0) + 1;
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
    for (let index = 0; index < count; index++) all.push(one(session));
  }
  await Promise.all(all);
  for (const session of sessions) session.destroy();
  return { statuses, slowestMs };
}
