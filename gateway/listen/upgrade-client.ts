import type { Duplex } from "node:stream";
import { fieldLines, statusLine } from "@shallop/sdk/http1";
import type { Clock } from "@shallop/sdk/internal";
import type { ClientBodyHandlers, ClientEnd, DetachedSocket } from "../proxy/client-end.ts";

// As long as a client may take to read an answer that is no 101, and to close.
const lingerMs = 2_000;
// A client has nothing to say before the 101 (RFC 6455, 4.1); one that says more than a frame waits.
const earlyBytesMax = 64 * 1024;

/**
 * The client's end of a request to speak WebSocket (RFC 6455, 4). After a 101 the body of either side is what it says in
 * that protocol. After any other answer the connection ends: nothing of what the client sends reaches a pod.
 */
export class UpgradeClient implements ClientEnd {
  readonly method = "GET";
  readonly complete = false;
  readonly #socket: Duplex;
  readonly #clock: Clock;
  /** What the client says before it has its answer; it is read so that its end is seen. */
  readonly #early: Buffer[] = [];
  #earlyBytes = 0;

  /** `head`: what the client has sent already after its request. */
  constructor(socket: Duplex, head: Buffer, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    // Its close says what there is to say.
    socket.on("error", () => socket.destroy());
    socket.on("data", this.#keep);
    // Who ends its side before it has an answer does not want one.
    socket.once("end", this.#destroy);
    if (head.length > 0) this.#keep(head);
    socket.resume();
  }

  readonly #destroy = (): void => void this.#socket.destroy();

  readonly #keep = (chunk: Buffer): void => {
    this.#early.push(chunk);
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes >= earlyBytesMax) this.#socket.pause();
  };

  get isPaused(): boolean {
    return this.#socket.isPaused();
  }

  receive({ data, end }: ClientBodyHandlers): void {
    const socket = this.#socket;
    socket.off("data", this.#keep);
    socket.off("end", this.#destroy);
    for (const chunk of this.#early.splice(0)) data(chunk);
    socket.on("data", data);
    socket.once("end", () => end([]));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  inform(): void {
    // What is no 101 ends it.
  }

  writeHead(status: number, headers: readonly string[]): void {
    const connection = status === 101 ? "connection: Upgrade\r\nupgrade: websocket" : "connection: close";
    this.#socket.write(`${statusLine(status)}${fieldLines(headers)}${connection}\r\n\r\n`, "latin1");
  }

  flushHead(): void {
    // It has left.
  }

  write(chunk: Buffer): boolean {
    return this.#socket.write(chunk);
  }

  onceDrained(listener: () => void): void {
    this.#socket.once("drain", listener);
  }

  end(rest: Buffer | string | undefined): void {
    if (rest === undefined) this.#socket.end();
    else this.#socket.end(rest);
  }

  onceClosed(listener: () => void): void {
    this.#socket.once("close", listener);
  }

  discardRest(): void {
    const socket = this.#socket;
    socket.removeAllListeners("data");
    socket.off("end", this.#destroy);
    socket.resume();
    const timer = this.#clock.after(lingerMs, () => socket.destroy());
    socket.once("close", () => timer.cancel());
  }

  /** It has no other request. */
  closeAfter(): void {}

  framingInDoubt(): void {}

  cutShort(): void {
    this.#socket.destroy();
  }

  detach(): DetachedSocket {
    const socket = this.#socket;
    socket.removeAllListeners("data");
    socket.removeAllListeners("end");
    return { socket, head: Buffer.concat(this.#early.splice(0)) };
  }
}
