import { Agent, request as httpRequest } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { describeError, systemClock, type Timer } from "../../sdk/internal/index.ts";
import { seededRandom } from "../../sdk/internal/testing/index.ts";

/** What its answers are held to: says which request it was, what it got of a body, and waits when it is told to. */
export const echoScript = `export default { fetch: async (request) => {
  const query = new URL(request.url).searchParams;
  const { byteLength } = await request.arrayBuffer();
  const waitMs = Number(query.get("wait") ?? 0);
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  return new Response(query.get("id") + " " + byteLength);
} };`;

export interface MixedLoadOptions {
  readonly port: number;
  readonly hosts: readonly string[];
  readonly requestsPerSecond: number;
  /** How long a slow request takes. */
  readonly slowMs: number;
  readonly seed: number;
  /** How long a client waits for something to happen; a minute unless given. */
  readonly answerTimeoutMs?: number;
}

/** In a hundred: what most clients do, and some of what makes a change of pods hard. */
const shares = { keepAlive: 70, http2: 25, upload: 4, slow: 1 } as const;
type Kind = keyof typeof shares;
const kinds = Object.keys(shares) as readonly Kind[];

export interface Counts {
  sent: number;
  answered: number;
  failed: number;
  /** Streams that a gateway refused unseen, and that were sent again as RFC 9113, 8.7 has it. */
  refused: number;
}

export interface LoadOutcome {
  readonly counts: Readonly<Record<Kind, Readonly<Counts>>>;
  /** What went wrong, with when and how often; the first few. */
  readonly failures: readonly string[];
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Sent {
  readonly kind: Kind;
  readonly id: number;
  readonly beganMs: number;
  readonly expected: string;
  readonly host: string;
  readonly path: string;
}

const tickMs = 20;
const uploadBytes = 1 << 20;
const failuresToldMax = 20;
// Those that clients would give up on themselves.
const answerTimeoutMsDefault = 60_000;
const latenciesMax = 100_000;

/** Requests of all kinds at a steady rate, each with a number of its own that its answer has to show. */
export class MixedLoad {
  readonly #options: MixedLoadOptions;
  readonly #random;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 200 });
  readonly #sessions = new Map<string, ClientHttp2Session>();
  readonly #open: Promise<void>[] = [];
  readonly #counts: Record<Kind, Counts>;
  readonly #failures: string[] = [];
  readonly #latenciesMs: number[] = [];
  readonly #body = Buffer.alloc(uploadBytes, "x");
  #timer: Timer | undefined;
  #startedMs = 0;
  #due = 0;
  #sent = 0;

  constructor(options: MixedLoadOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    const none = (): Counts => ({ sent: 0, answered: 0, failed: 0, refused: 0 });
    this.#counts = { keepAlive: none(), http2: none(), upload: none(), slow: none() };
  }

  start(): this {
    this.#startedMs = systemClock.nowMs();
    this.#timer = systemClock.every(tickMs, () => {
      this.#due += (this.#options.requestsPerSecond * tickMs) / 1000;
      while (this.#sent < this.#due) this.#send();
    });
    return this;
  }

  /** Sends no more, and waits for those that are open. */
  async stop(): Promise<LoadOutcome> {
    this.#timer?.cancel();
    await Promise.all(this.#open);
    this.#agent.destroy();
    for (const session of this.#sessions.values()) session.destroy();
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
    return { counts: this.#counts, failures: this.#failures, p50Ms: at(0.5), p99Ms: at(0.99) };
  }

  get #answerTimeoutMs(): number {
    return this.#options.answerTimeoutMs ?? answerTimeoutMsDefault;
  }

  #send(): void {
    const id = this.#sent++;
    const kind = this.#pickKind();
    const { hosts, slowMs } = this.#options;
    const host = hosts[id % hosts.length] ?? "";
    const path = `/?id=${id}${kind === "slow" ? `&wait=${slowMs}` : ""}`;
    this.#counts[kind].sent++;
    const beganMs = systemClock.nowMs();
    const expected = `200 ${id} ${kind === "upload" ? uploadBytes : 0}`;
    this.#open.push(this.#settled({ kind, id, beganMs, expected, host, path }));
  }

  async #settled({ expected, host, path, ...request }: Sent): Promise<void> {
    const { kind, beganMs } = request;
    try {
      const text = await (kind === "http2"
        ? this.#askHttp2(host, path)
        : this.#askHttp1(host, path, kind === "upload"));
      if (text === expected) this.#counts[kind].answered++;
      else this.#fail({ ...request, text });
    } catch (error) {
      this.#fail({ ...request, text: describeError(error) });
    }
    if (kind !== "slow" && this.#latenciesMs.length < latenciesMax)
      this.#latenciesMs.push(systemClock.nowMs() - beganMs);
  }

  #pickKind(): Kind {
    let at = this.#random.below(100);
    return kinds.find((kind) => (at -= shares[kind]) < 0) ?? "keepAlive";
  }

  #fail({ kind, id, beganMs, text }: Omit<Sent, "expected" | "host" | "path"> & { readonly text: string }): void {
    this.#counts[kind].failed++;
    if (this.#failures.length >= failuresToldMax) return;
    const second = ((beganMs - this.#startedMs) / 1000).toFixed(1);
    const lasted = ((systemClock.nowMs() - beganMs) / 1000).toFixed(1);
    this.#failures.push(`${kind} ${id}, sent at ${second} s, after ${lasted} s: ${text.slice(0, 200)}`);
  }

  #askHttp1(host: string, path: string, isUpload: boolean): Promise<string> {
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest(
        {
          port: this.#options.port,
          host: "127.0.0.1",
          path,
          method: isUpload ? "POST" : "GET",
          headers: { host, ...(isUpload ? { "content-length": uploadBytes } : {}) },
          agent: this.#agent,
          timeout: this.#answerTimeoutMs,
        },
        (incoming) => {
          let body = "";
          incoming.setEncoding("utf8").on("data", (text: string) => (body += text));
          incoming.once("end", () => resolve(`${incoming.statusCode} ${body}`));
          incoming.once("error", reject);
        },
      );
      outgoing.once("timeout", () => outgoing.destroy(new Error("no answer in time")));
      outgoing.once("error", reject);
      outgoing.end(isUpload ? this.#body : undefined);
    });
  }

  /** A stream that nobody has seen is sent again, as every client does. */
  async #askHttp2(host: string, path: string): Promise<string> {
    for (;;) {
      const answer = await this.#askOnStream(host, path);
      if (answer !== undefined) return answer;
      this.#counts.http2.refused++;
    }
  }

  /** Undefined: refused unseen. */
  #askOnStream(host: string, path: string): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const stream = this.#session(host).request({ ":path": path, ":authority": host });
      let status = "no answer";
      let body = "";
      stream.setTimeout(this.#answerTimeoutMs, () => stream.close());
      stream.setEncoding("utf8");
      stream.on("response", (head) => (status = String(head[":status"])));
      stream.on("data", (text: string) => (body += text));
      stream.once("error", (error: Error) => {
        if (status === "no answer" && error.message.includes("REFUSED_STREAM")) resolve(undefined);
        else reject(error);
      });
      stream.once("end", () => resolve(`${status} ${body}`));
    });
  }

  /** One connection a host; another when the gateway takes no more streams on it. */
  #session(host: string): ClientHttp2Session {
    const known = this.#sessions.get(host);
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const session = connect(`http://127.0.0.1:${this.#options.port}`);
    session.on("error", () => undefined);
    session.on("goaway", () => {
      if (this.#sessions.get(host) === session) this.#sessions.delete(host);
    });
    this.#sessions.set(host, session);
    return session;
  }
}
