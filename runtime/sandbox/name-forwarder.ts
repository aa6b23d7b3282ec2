import { createSocket, type RemoteInfo, type Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, createServer, isIP, type Server, type Socket } from "node:net";
import type { Clock, Random, Timer } from "@shallop/sdk/internal";
import { type NameQuestion, noSuchName, parseQuestion, withId } from "./name-question.ts";

export interface NameForwarderSettings {
  /** The bridge's own; pods have it as their name server. */
  readonly address: string;
  /** 53; tests take another. */
  readonly port?: number;
  /** Where the machine's own name servers are written: resolv.conf(5). */
  readonly resolvConf?: string;
  /** Of the machine's name servers; 53. */
  readonly upstreamPort?: number;
  readonly clock: Clock;
  readonly random: Random;
}

// RFC 6891: what a resolver offers to take; answers that are longer come over TCP.
const datagramBytesMax = 4096;
// Questions that wait for the machine's server at once: a thousand pods with one each.
const pendingMax = 1024;
// resolv.conf(5): what a resolver waits for before it asks again.
const answerMsMax = 5000;
// As many as a Wasm pod may ask: a server's own look-ups are a few a second.
const questionsPerSecond = 100;
const connectionsMax = 64;
const connectionMsMax = 10_000;
const rereadMs = 30_000;
/** Names of clusters are nobody's business outside, and there is no service in ours that a pod could reach. */
const ownDomain = /(^|\.)cluster\.local$/;

interface Pending {
  readonly from: RemoteInfo;
  readonly id: number;
  readonly timer: Timer;
}

/**
 * The name server of a node's pods: hands their questions to the machine's own servers, which pods cannot reach, and the
 * answers back. It looks at the question and at nothing else of a message.
 */
export class NameForwarder implements AsyncDisposable {
  readonly #settings: NameForwarderSettings;
  readonly #datagrams: DatagramSocket;
  readonly #upstream: DatagramSocket;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  readonly #pending = new Map<number, Pending>();
  readonly #asked = new Map<string, number>();
  readonly #timers: readonly Timer[];
  #servers: readonly string[] = [];
  #turn = 0;

  private constructor(settings: NameForwarderSettings) {
    this.#settings = settings;
    this.#datagrams = createSocket("udp4", (message, from) => this.#question(message, from));
    this.#upstream = createSocket("udp4", (message, from) => this.#answer(message, from));
    this.#server = createServer((socket) => this.#stream(socket));
    // Nobody answers, or nobody is there: who asked asks again.
    for (const part of [this.#datagrams, this.#upstream, this.#server]) part.on("error", () => undefined);
    this.#timers = [
      settings.clock.every(1000, () => this.#asked.clear()),
      settings.clock.every(rereadMs, () => void this.#readServers()),
    ];
  }

  /** @throws Error when the address is not there, or somebody listens on the port already */
  static async open(settings: NameForwarderSettings): Promise<NameForwarder> {
    const forwarder = new NameForwarder(settings);
    try {
      await forwarder.#listen();
    } catch (error) {
      await forwarder[Symbol.asyncDispose]();
      throw error;
    }
    return forwarder;
  }

  /** Where it listens. */
  get port(): number {
    return this.#datagrams.address().port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    for (const { timer } of this.#pending.values()) timer.cancel();
    for (const socket of this.#connections) socket.destroy();
    for (const socket of [this.#datagrams, this.#upstream]) await closed(socket);
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #listen(): Promise<void> {
    const { address, port = 53 } = this.#settings;
    await this.#readServers();
    await bound(this.#upstream, 0);
    await bound(this.#datagrams, port, address);
    this.#server.listen(this.port, address);
    await once(this.#server, "listening");
  }

  async #readServers(): Promise<void> {
    const text = await readFile(this.#settings.resolvConf ?? "/etc/resolv.conf", "utf8").catch(() => "");
    const named = [...text.matchAll(/^nameserver\s+(\S+)/gm)].map(([, server = ""]) => server);
    // IPv6 servers need another socket; a machine has one of IPv4 beside them.
    this.#servers = named.filter((server) => isIP(server) === 4);
  }

  #question(message: Uint8Array, from: RemoteInfo): void {
    const question = parseQuestion(message);
    const asked = (this.#asked.get(from.address) ?? 0) + 1;
    this.#asked.set(from.address, asked);
    if (question === undefined || asked > questionsPerSecond || message.length > datagramBytesMax) return;
    if (ownDomain.test(question.name)) {
      this.#datagrams.send(noSuchName(message, question), from.port, from.address);
      return;
    }
    this.#ask(message, question, from);
  }

  #ask(message: Uint8Array, question: NameQuestion, from: RemoteInfo): void {
    const server = this.#servers[this.#turn % Math.max(1, this.#servers.length)];
    if (server === undefined || this.#pending.size >= pendingMax) return;
    const id = this.#freeId();
    const timer = this.#settings.clock.after(answerMsMax, () => {
      this.#pending.delete(id);
      // The next one may be up.
      this.#turn++;
    });
    this.#pending.set(id, { from, id: question.id, timer });
    this.#upstream.send(withId(message, id), this.#settings.upstreamPort ?? 53, server);
  }

  /** One that nobody can guess, so that an answer is the machine's server's. */
  #freeId(): number {
    for (;;) {
      const id = this.#settings.random.below(0x1_0000);
      if (!this.#pending.has(id)) return id;
    }
  }

  #answer(message: Uint8Array, from: RemoteInfo): void {
    if (message.length < 12 || !this.#servers.includes(from.address)) return;
    const id = ((message[0] ?? 0) << 8) | (message[1] ?? 0);
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    pending.timer.cancel();
    this.#datagrams.send(withId(message, pending.id), pending.from.port, pending.from.address);
  }

  /** Long answers: the bytes as they are, in both directions. */
  #stream(socket: Socket): void {
    const server = this.#servers[this.#turn % Math.max(1, this.#servers.length)];
    if (server === undefined || this.#connections.size >= connectionsMax) {
      socket.destroy();
      return;
    }
    const upstream = connect(this.#settings.upstreamPort ?? 53, server);
    const timer = this.#settings.clock.after(connectionMsMax, () => socket.destroy());
    this.#connections.add(socket);
    socket
      .on("error", () => undefined)
      .once("close", () => {
        timer.cancel();
        this.#connections.delete(socket);
        upstream.destroy();
      });
    upstream.on("error", () => socket.destroy()).once("close", () => socket.destroy());
    socket.pipe(upstream).pipe(socket);
  }
}

async function bound(socket: DatagramSocket, port: number, address?: string): Promise<void> {
  const listening = once(socket, "listening");
  socket.bind(port, address);
  await listening;
}

const closed = (socket: DatagramSocket): Promise<void> =>
  new Promise((resolve) => {
    try {
      socket.close(() => resolve());
    } catch {
      // It was never open.
      resolve();
    }
  });
