import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";
import type { PeerMessage } from "@shallop/sdk/wire";
import type { AgentTls } from "../proxy/dial.ts";
import { isData, lineBytesMaxFor, topicLengthMax } from "../websocket/actions.ts";
import { batchBytesMax } from "./peer-gateways.ts";

// Each other gateway has one or two.
const connectionsMax = 1_000;
const requestTimeoutMs = 10_000;
const idleTimeoutMs = 60_000;
// Of a certificate that may speak here.
const organisation = "shallop:gateway";

/** Of one question, where a message of a WebSocket may have so many bytes. */
export const peerBodyBytesMax = (messageBytesMax: number): number =>
  batchBytesMax * 2 + lineBytesMaxFor(messageBytesMax);

export interface PeerServerOptions {
  readonly tls: AgentTls;
  /** Of one question. */
  readonly bodyBytesMax: number;
  readonly hear: (message: PeerMessage) => void;
}

/** Where the cluster's other gateways speak to this one: mutual TLS, and nobody but gateways. */
export class PeerServer {
  readonly #options: PeerServerOptions;
  readonly #server: Server;

  constructor(options: PeerServerOptions) {
    this.#options = options;
    const { ca, cert, key } = options.tls;
    const tls = { ca, cert, key, requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" } as const;
    this.#server = createServer(
      { ...tls, requestTimeout: requestTimeoutMs, keepAliveTimeout: idleTimeoutMs },
      (incoming, outgoing) => void this.#answer(incoming, outgoing),
    );
    this.#server.maxConnections = connectionsMax;
  }

  /** @returns the port */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port }, () => {
        // One connection that cannot be taken is the other side's loss.
        this.#server.off("error", reject).on("error", () => undefined);
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    // What it still sends is dropped, for as long as a question may take: who is cut off does not hear why.
    const refuse = (status: number): void => {
      outgoing.writeHead(status).end();
      incoming.resume();
    };
    try {
      if (!isGateway(incoming)) return refuse(403);
      if (incoming.url !== "/v1/messages") return refuse(404);
      if (incoming.method !== "POST") return refuse(405);
      const body = await bodyOf(incoming, this.#options.bodyBytesMax);
      if (body === undefined) return refuse(413);
      const messages = readMessages(body);
      if (messages === undefined) return refuse(400);
      for (const message of messages) this.#options.hear(message);
      outgoing.writeHead(204).end();
    } catch {
      // The connection broke off.
      outgoing.destroy();
    }
  }
}

function isGateway({ socket }: IncomingMessage): boolean {
  const { O } = socket instanceof TLSSocket ? socket.getPeerCertificate().subject : { O: undefined };
  return O === organisation;
}

async function bodyOf(incoming: IncomingMessage, bytesMax: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function readMessages(body: Buffer): readonly PeerMessage[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("messages" in value)) return undefined;
  const { messages } = value;
  return Array.isArray(messages) && messages.every(isMessage) ? messages : undefined;
}

function isMessage(value: unknown): value is PeerMessage {
  if (typeof value !== "object" || value === null) return false;
  const { service, topic, id, data } = value as Readonly<Record<string, unknown>>;
  const isName = (name: unknown): boolean => typeof name === "string" && name.length <= topicLengthMax;
  const hasAddressee = topic !== undefined || id !== undefined;
  const areNames = [topic, id].every((name) => name === undefined || isName(name));
  return typeof service === "string" && hasAddressee && areNames && isData(data);
}
