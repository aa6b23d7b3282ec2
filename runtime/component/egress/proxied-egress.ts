import type { LookupAddress } from "node:dns";
import type { AgentOptions, ClientRequestArgs } from "node:http";
import type { Duplex } from "node:stream";
import { existsSync } from "node:fs";
import { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { Clock } from "@shallop/sdk/internal";
import type { DatagramOptions } from "../../egress/datagram-frames.ts";
import { encodeFrame, FrameReader } from "../../egress/datagram-frames.ts";
import type { EgressAnswer, EgressRefusal, EgressRequest } from "../../egress/egress-protocol.ts";
import { firstLine, line } from "../../egress/first-line.ts";
import type { AddressJudge } from "./address-judge.ts";
import type { DatagramEnd, Datagrams, DatagramsBind, DatagramsHandlers } from "./datagrams.ts";
import { agentOptions, Egress, type EgressAgents, EgressFault, type TcpOptions } from "./egress.ts";
import type { OutgoingTcp, TcpEndTexts } from "./outgoing-tcp.ts";

// A proxy that was started a moment ago, or is started again, is there within this time.
const connectTriesMax = 50;
const connectPauseMs = 100;

/**
 * The way out of a pod whose process has no network: through the node's egress proxy, which resolves, judges and
 * connects. The judge here only spares a guest the way to what the proxy would refuse. TLS is spoken here, so that the
 * proxy sees no more of a guest's secrets than the network does.
 */
export class ProxiedEgress extends Egress {
  readonly #asker: Asker;
  #agents: Promise<EgressAgents> | undefined;

  /** `socketPath`: where the proxy listens for this pod. */
  constructor(judge: AddressJudge, socketPath: string, clock: Clock) {
    super(judge, () => Promise.reject(new Error("names are resolved by the egress proxy")));
    this.#asker = { socketPath, clock };
  }

  override agents(): Promise<EgressAgents> {
    this.#agents ??= makeAgents(this.#asker);
    return this.#agents;
  }

  override async addressesOf(host: string): Promise<readonly LookupAddress[]> {
    const { answer, socket } = await ask(this.#asker, { want: "addresses", host });
    socket.destroy();
    if (answer.got !== "addresses") throw faultOf(answer);
    return answer.addresses;
  }

  override connectTcp(options: TcpOptions): OutgoingTcp {
    return new ProxiedTcp(this.#asker, options);
  }

  override openDatagrams({ family }: DatagramsBind): Datagrams {
    return new ProxiedDatagrams(this.#asker, family);
  }

  override async close(): Promise<void> {
    const agents = await this.#agents;
    agents?.http.agent.destroy();
    agents?.https.agent.destroy();
  }
}

// Datagrams and options that wait for the proxy's answer; more are lost, as datagrams are.
const earlyFramesMax = 64;

interface Asker {
  readonly socketPath: string;
  readonly clock: Clock;
}

interface Asked {
  readonly answer: EgressAnswer;
  readonly socket: Socket;
}

/** Asks on `socket`, or a new one. @throws what the socket does, EgressFault LIMIT when the proxy gives no answer */
async function ask(asker: Asker, request: EgressRequest, socket = new Socket({ allowHalfOpen: true })): Promise<Asked> {
  for (let tries = 0; tries < connectTriesMax && !existsSync(asker.socketPath); tries++) {
    await asker.clock.sleep(connectPauseMs);
  }
  if (socket.destroyed) throw new Error("nobody waits for it");
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.connect(asker.socketPath, () => socket.write(line(request)));
    firstLine(socket, (value) => {
      socket.off("error", reject);
      if (value === undefined) reject(new EgressFault("LIMIT", "the egress proxy gave no answer"));
      else resolve({ answer: value as EgressAnswer, socket });
    });
  });
}

/** What the proxy did not do, as it would have been had this process tried itself. */
function faultOf(answer: EgressAnswer): Error {
  const { code, errno, message } = answer as EgressRefusal;
  const system = Object.assign(new Error(message), errno === undefined ? {} : { code: errno });
  return code === "SYSTEM" ? system : new EgressFault(code, message, { cause: system });
}

class ProxiedTcp implements OutgoingTcp {
  readonly socket = new Socket({ allowHalfOpen: true });
  #opened: ((ends: TcpEndTexts) => void) | undefined;

  constructor(asker: Asker, { host, port, keepAlive }: TcpOptions) {
    const { enabled, idleSeconds, intervalSeconds, count } = keepAlive;
    const wish = { idleMs: idleSeconds * 1000, intervalMs: intervalSeconds * 1000, count };
    ask(asker, { want: "tcp", host, port, ...(enabled ? { keepAlive: wish } : {}) }, this.socket).then(
      ({ answer }) => {
        if (answer.got === "tcp") this.#opened?.(answer);
        else this.socket.destroy(faultOf(answer));
      },
      (error: unknown) => this.socket.destroy(error as Error),
    );
  }

  onOpen(opened: (ends: TcpEndTexts) => void): void {
    this.#opened = opened;
  }
}

/** Usable at once: what is sent before the proxy has answered comes behind the question. */
class ProxiedDatagrams implements Datagrams {
  readonly #asker: Asker;
  readonly #family: 4 | 6;
  readonly #socket = new Socket({ allowHalfOpen: true });
  readonly #early: Buffer[] = [];
  #isOpen = false;
  #local: DatagramEnd;
  #options: DatagramOptions = {};

  constructor(asker: Asker, family: 4 | 6) {
    this.#asker = asker;
    this.#family = family;
    this.#local = { address: family === 4 ? "0.0.0.0" : "::", port: 0 };
  }

  get local(): DatagramEnd {
    return this.#local;
  }

  start({ arrived, failed }: DatagramsHandlers): void {
    const socket = this.#socket;
    const reader = new FrameReader((frame) => {
      if (frame?.kind === "datagram") arrived(frame.data, frame);
      else if (frame?.kind === "failed") failed(Object.assign(new Error(frame.errno), { code: frame.errno }));
      else socket.destroy();
    });
    ask(this.#asker, { want: "udp", family: this.#family }, socket).then(({ answer }) => {
      if (answer.got !== "udp") {
        failed(faultOf(answer));
        return;
      }
      this.#local = answer.local;
      this.#isOpen = true;
      socket.on("error", failed);
      socket.on("data", (chunk: Buffer) => reader.push(chunk));
      for (const frame of this.#early.splice(0)) socket.write(frame);
      socket.resume();
    }, failed);
  }

  send(data: Uint8Array, { address, port }: DatagramEnd, sent: (error: unknown) => void): void {
    const frame = encodeFrame({ kind: "datagram", address, port, data });
    if (this.#isOpen) {
      this.#socket.write(frame, (error) => sent(error ?? undefined));
      return;
    }
    if (this.#early.length < earlyFramesMax) this.#early.push(frame);
    queueMicrotask(() => sent(undefined));
  }

  setOptions(options: Parameters<Datagrams["setOptions"]>[0]): void {
    this.#options = options;
    const frame = encodeFrame({ kind: "options", options });
    if (this.#isOpen) this.#socket.write(frame);
    else if (this.#early.length < earlyFramesMax) this.#early.push(frame);
  }

  receiveBytes(): number | undefined {
    return this.#options.receiveBytes;
  }

  sendBytes(): number | undefined {
    return this.#options.sendBytes;
  }

  close(): void {
    this.#socket.destroy();
  }
}

type Created = (error: Error | null, socket: Duplex) => void;

async function makeAgents(asker: Asker): Promise<EgressAgents> {
  const [http, https, tls] = await Promise.all([import("node:http"), import("node:https"), import("node:tls")]);
  const dial = (options: ClientRequestArgs, portDefault: number): Promise<Socket> =>
    dialHost(asker, options.host ?? options.hostname ?? "", Number(options.port ?? portDefault));
  class HttpAgent extends http.Agent {
    override createConnection(options: ClientRequestArgs, created?: Created): undefined {
      dial(options, 80).then(
        (socket) => created?.(null, socket),
        (error: Error) => created?.(error, nothing()),
      );
    }
  }
  class HttpsAgent extends https.Agent {
    override createConnection(options: AgentOptions & ClientRequestArgs, created?: Created): undefined {
      dial(options, 443).then(
        (socket) => created?.(null, tls.connect({ ...(options as ConnectionOptions), socket })),
        (error: Error) => created?.(error, nothing()),
      );
    }
  }
  return {
    http: { request: http.request, agent: new HttpAgent(agentOptions) },
    https: { request: https.request, agent: new HttpsAgent(agentOptions) },
  };
}

const nothing = (): Socket => new Socket();

async function dialHost(asker: Asker, host: string, port: number): Promise<Socket> {
  const { answer, socket } = await ask(asker, { want: "tcp", host, port });
  if (answer.got === "tcp") {
    // Whoever gets it reads on; a server of HTTP or TLS says nothing first.
    socket.resume();
    return socket;
  }
  socket.destroy();
  throw faultOf(answer);
}
