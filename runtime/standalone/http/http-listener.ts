import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Clock, Random, Timer } from "@shallop/sdk/internal";
import { type ConnectionHost, HttpConnection } from "./http-connection.ts";
import type { AnswerTable } from "./open-answers.ts";

export interface HttpListenerSettings {
  readonly clock: Clock;
  readonly random: Random;
  readonly request: ConnectionHost["request"];
  /** For who answers in place of this thread. */
  readonly answers: AnswerTable;
}

// One without a request costs some kilobytes, and a descriptor, of which there are 20,000 and more.
const connectionsMax = 16_384;
// What a connection is read into; as much as Node reads at once.
const bufferBytes = 64 * 1024;
// How often connections that have lasted too long are looked for: one timer, and none for each request.
const lookMs = 1000;

/** A server of HTTP/1.1 that does little: strict in what it reads (RFC 9112), and quick with an answer that is there at once. */
export class HttpListener implements ConnectionHost {
  readonly #settings: HttpListenerSettings;
  readonly #server: Server;
  readonly #connections = new Set<HttpConnection>();
  readonly #looking: Timer;
  readonly #closed = Promise.withResolvers<void>();
  readonly buffer = Buffer.allocUnsafeSlow(bufferBytes);
  readonly requestId: () => string;
  readonly request: ConnectionHost["request"];
  readonly answers: AnswerTable;
  nowMs: number;
  date: string;
  isClosing = false;

  constructor(settings: HttpListenerSettings) {
    const { clock, random, request, answers } = settings;
    this.#settings = settings;
    this.request = request;
    this.answers = answers;
    this.requestId = () => random.uuid();
    this.nowMs = clock.nowMs();
    this.date = httpDate(clock);
    this.#looking = clock.every(lookMs, () => this.#look());
    this.#server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  /** @param at an address, or a socket that listens already @returns the port; @throws what listening throws */
  async listen(at: { readonly host: string; readonly port: number } | { readonly fd: number }): Promise<number> {
    await once(this.#server.listen(at), "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= connectionsMax) socket.destroy();
    else this.#connections.add(new HttpConnection(socket, this));
  }

  closed(connection: HttpConnection): void {
    this.#connections.delete(connection);
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.isClosing && this.#connections.size === 0) this.#closed.resolve();
  }

  /** Takes no new connections, and no further request on those that are there. */
  stopTaking(): void {
    if (this.isClosing) return;
    this.isClosing = true;
    this.#server.close(() => this.#endIfDone());
  }

  /** Ends the connections: those with an answer on its way when it has left, within `graceMs`. Resolves when none is left. */
  async close(graceMs: number): Promise<void> {
    this.stopTaking();
    for (const connection of this.#connections) if (connection.isIdle) connection.end();
    const timer = this.#settings.clock.after(graceMs, () => {
      for (const connection of this.#connections) connection.destroy();
    });
    await this.#closed.promise;
    timer.cancel();
    this.#looking.cancel();
  }

  #look(): void {
    const { clock } = this.#settings;
    this.nowMs = clock.nowMs();
    this.date = httpDate(clock);
    for (const connection of this.#connections) connection.look(this.nowMs);
  }
}

/** RFC 9110, 5.6.7. */
const httpDate = (clock: Clock): string => new Date(clock.wallMs()).toUTCString();
