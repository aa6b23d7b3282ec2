import { Agent, request } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";

/** Calls on kept connections of HTTP/1.1 and HTTP/2 until it is stopped, and says of every call that failed why. */
export class GatewayLoad {
  readonly #url: string;
  readonly #host: string;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #failures: string[] = [];
  readonly #callers: Promise<void>[];
  #session: ClientHttp2Session | undefined;
  #answered = 0;
  #isStopped = false;

  constructor(url: string, host: string) {
    this.#url = url;
    this.#host = host;
    const http1 = Array.from({ length: 4 }, () => this.#callAlways(() => this.once("/")));
    this.#callers = [...http1, this.#callAlways(() => this.#once2())];
  }

  /** One call of HTTP/1.1. @returns the body of a 200 */
  once(path: string, body?: Buffer): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { agent: this.#agent, method: "POST", headers: { host: this.#host } };
      const asking = request(`http://${this.#url}${path}`, options, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("error", reject);
        response.on("end", () => {
          if (response.statusCode === 200) resolve(text);
          else reject(new Error(`${response.statusCode} ${text}`));
        });
      });
      asking.on("error", reject);
      asking.end(body);
    });
  }

  async stop(): Promise<{ readonly answered: number; readonly failures: readonly string[] }> {
    this.#isStopped = true;
    await Promise.all(this.#callers);
    this.#agent.destroy();
    this.#session?.close();
    return { answered: this.#answered, failures: this.#failures };
  }

  async #callAlways(call: () => Promise<string>): Promise<void> {
    while (!this.#isStopped) {
      await call().then(
        () => this.#answered++,
        (error: unknown) => this.#failures.push(String(error)),
      );
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /**
   * One call of HTTP/2. A stream that is refused was not looked at, and is asked for again elsewhere (RFC 9113, 8.7): Node's client
   * refuses by itself what it has not sent yet when it hears of a GOAWAY.
   */
  #once2(): Promise<string> {
    return this.#ask2().catch((error: unknown) => {
      if (!String(error).includes("NGHTTP2_REFUSED_STREAM")) throw error;
      return this.#ask2();
    });
  }

  #ask2(): Promise<string> {
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed) {
      this.#session = connect(`http://${this.#url}`);
      this.#session.on("error", () => undefined);
    }
    const session = this.#session;
    return new Promise((resolve, reject) => {
      const stream = session.request({ ":path": "/", ":authority": this.#host });
      let status: number | undefined;
      let text = "";
      stream.on("response", (headers) => (status = headers[":status"]));
      stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
      stream.on("error", reject);
      stream.on("close", () => (status === 200 ? resolve(text) : reject(new Error(`HTTP/2: ${status} ${text}`))));
    });
  }
}
