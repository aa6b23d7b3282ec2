import { type BindOptions, createSocket, type RemoteInfo, type Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, isIP, type Server, type Socket } from "node:net";
import { type Clock, type Random, type Timer, unreachable } from "@shallop/sdk/internal";
import type { Kernel } from "./kernel/kernel.ts";
import { type AliasEnd, followAlias, isClusterName } from "./name-alias.ts";
import { type ClusterNames, nameAnswer, type NameRecords, plainBytesMax, typeA, typeAaaa } from "./name-answer.ts";
import { serveNameStream } from "./name-stream.ts";
import { type NameQuestion, noSuchName, parseQuestion, responseCode, typeOf, withId } from "./name-question.ts";
import { type OutsideAnswer, OutsideNames } from "./outside-names.ts";

export interface NameForwarderSettings {
  /** The bridge's own; pods have it as their name server. */
  readonly address: string;
  /** 53; tests take another. */
  readonly port?: number;
  /** Where the machine's own name servers are written: resolv.conf(5). */
  readonly resolvConf?: string;
  /** Of the machine's name servers; 53. */
  readonly upstreamPort?: number;
  /** Names of `cluster.local`; undefined: there are none. */
  readonly clusterNames?: ClusterNames;
  /** Names that pods have for each other; undefined: none. */
  readonly peerNames?: PeerNames;
  /** Where the address is of another network than this process's. */
  readonly boundSocket?: Kernel["boundSocket"];
  readonly clock: Clock;
  readonly random: Random;
}

/** Names that mean something to whoever asks from an address. Undefined: it has no such name. */
interface PeerNames {
  recordsOf(from: string, name: string): NameRecords | undefined;
}

// RFC 6891: what a resolver offers to take; answers that are longer come over TCP.
const datagramBytesMax = 4096;
// RFC 1035, 4.2.2: a length of two bytes.
const streamBytesMax = 65_535;
// Questions that wait for the machine's server at once: a thousand pods with one each.
const pendingMax = 1024;
// resolv.conf(5): what a resolver waits for before it asks again.
const answerMsMax = 5000;
// As many as a Wasm pod may ask: a server's own look-ups are a few a second.
const questionsPerSecond = 100;
// What is answered here disturbs nobody else, and with Kubernetes' search list a name outside is asked for four times first.
const ownShare = 0.1;
const connectionsMax = 64;
const connectionMsMax = 10_000;
const rereadMs = 30_000;

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
  readonly #outside = new OutsideNames();
  /** The machine's own search list. */
  searches: readonly string[] = [];
  #servers: readonly string[] = [];
  #turn = 0;
  #answers = 0;
  #closed = false;

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
    this.#closed = true;
    this.#outside[Symbol.dispose]();
    for (const timer of this.#timers) timer.cancel();
    for (const { timer } of this.#pending.values()) timer.cancel();
    for (const socket of this.#connections) socket.destroy();
    for (const socket of [this.#datagrams, this.#upstream]) await closed(socket);
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #listen(): Promise<void> {
    const { address, port = 53, boundSocket } = this.#settings;
    await this.#readServers();
    await bound(this.#upstream, { port: 0 });
    const fd = await boundSocket?.({ protocol: "UDP", address, port });
    await bound(this.#datagrams, fd === undefined ? { port, address } : { fd });
    const stream = await boundSocket?.({ protocol: "TCP", address, port: this.port });
    this.#server.listen(stream === undefined ? { port: this.port, host: address } : { fd: stream });
    await once(this.#server, "listening");
  }

  async #readServers(): Promise<void> {
    const text = await readFile(this.#settings.resolvConf ?? "/etc/resolv.conf", "utf8").catch(() => "");
    const named = [...text.matchAll(/^nameserver\s+(\S+)/gm)].map(([, server = ""]) => server);
    // IPv6 servers need another socket; a machine has one of IPv4 beside them.
    this.#servers = named.filter((server) => isIP(server) === 4);
    this.#outside.ask(this.#servers.map((server) => `${server}:${String(this.#settings.upstreamPort ?? 53)}`));
    this.searches = /^search\s+(.+)/m.exec(text)?.[1]?.trim().split(/\s+/) ?? [];
  }

  #question(message: Uint8Array, from: RemoteInfo): void {
    const question = parseQuestion(message);
    // RFC 768: who has no port wants no answer, and to send there is an error.
    if (question === undefined || message.length > datagramBytesMax || from.port === 0) return;
    const found = this.#find(question.name, from.address);
    const isOwn = found !== undefined && found.kind !== "outside";
    const asked = (this.#asked.get(from.address) ?? 0) + (isOwn ? ownShare : 1);
    this.#asked.set(from.address, asked);
    if (asked > questionsPerSecond) return;
    if (found === undefined) this.#ask(message, question, from);
    else void this.#tell(message, { question, found, from });
  }

  async #tell(
    message: Uint8Array,
    { question, found, from }: { readonly question: NameQuestion; readonly found: AliasEnd; readonly from: RemoteInfo },
  ): Promise<void> {
    const own = await this.#answerOf(message, { question, found, bytesMax: plainBytesMax });
    if (!this.#closed) this.#datagrams.send(own, from.port, from.address);
  }

  /** What a name is in the cluster, and in the pod's networks; undefined: it is somebody else's. */
  #find(name: string, from: string): AliasEnd | undefined {
    const { clusterNames, peerNames } = this.#settings;
    const peers = peerNames?.recordsOf(from, name);
    if (peers !== undefined) return { kind: "own", aliases: [], records: peers };
    return isClusterName(name) ? followAlias(name, (one) => clusterNames?.recordsOf(one)) : undefined;
  }

  /** An alias is told with the addresses that the machine's servers know for it, if those are what is asked for. */
  async #answerOf(
    message: Uint8Array,
    {
      question,
      found,
      bytesMax,
    }: { readonly question: NameQuestion; readonly found: AliasEnd; readonly bytesMax: number },
  ): Promise<Uint8Array> {
    const turn = this.#answers++;
    switch (found.kind) {
      case "nowhere":
        return noSuchName(message, question);
      case "own":
        return nameAnswer(message, question, { ...found, turn, bytesMax });
      case "outside": {
        const { type } = typeOf(message, question);
        const outside = await this.#addressesOf(found.name, type);
        const addresses = outside.kind === "addresses" ? outside.addresses : [];
        const records = { addresses, services: [] };
        return nameAnswer(message, question, { ...found, records, turn, bytesMax, code: codeOf(outside) });
      }
      default:
        return unreachable(found);
    }
  }

  async #addressesOf(name: string, type: number): Promise<OutsideAnswer> {
    if (type !== typeA && type !== typeAaaa) return { kind: "addresses", addresses: [] };
    return this.#outside.addressesOf(name, type === typeA ? 4 : 6);
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

  /** For long answers. */
  #stream(socket: Socket): void {
    const host = this.#servers[this.#turn % Math.max(1, this.#servers.length)];
    if (this.#connections.size >= connectionsMax) {
      socket.destroy();
      return;
    }
    const timer = this.#settings.clock.after(connectionMsMax, () => socket.destroy());
    this.#connections.add(socket);
    socket
      .on("error", () => undefined)
      .once("close", () => {
        timer.cancel();
        this.#connections.delete(socket);
      });
    serveNameStream(socket, {
      answer: async (message) => {
        const question = parseQuestion(message);
        const found = question === undefined ? undefined : this.#find(question.name, socket.remoteAddress ?? "");
        if (question === undefined || found === undefined) return undefined;
        return this.#answerOf(message, { question, found, bytesMax: streamBytesMax });
      },
      upstream: host === undefined ? undefined : { host, port: this.#settings.upstreamPort ?? 53 },
    });
  }
}

function codeOf({ kind }: OutsideAnswer): number {
  if (kind === "no such name") return responseCode.noSuchName;
  return kind === "failed" ? responseCode.serverFailure : 0;
}

async function bound(socket: DatagramSocket, where: BindOptions): Promise<void> {
  const listening = once(socket, "listening");
  socket.bind(where);
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
