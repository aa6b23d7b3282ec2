import type { IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import { createWebSocketStream, type WebSocket, WebSocketServer } from "ws";
import { describeError } from "@shallop/sdk/internal";
import { AgentFault } from "../fault-status.ts";
import { SpdySession, type SpdyStream } from "./spdy-session.ts";
import { asksForSpdy, chooseSpdyProtocol, switchToSpdy } from "./spdy-streams.ts";
import { asksForWebSocket } from "./web-socket-streams.ts";

const protocol = "portforward.k8s.io";
/** SPDY in WebSocket messages: what kubectl speaks since 1.31. */
const tunnelProtocol = `SPDY/3.1+${protocol}`;
const channelProtocol = "v4.channel.k8s.io";
// kubectl copies in pieces of 32 KiB.
const messageBytesMax = 1 << 20;
/** Connects to a port of the pod; resolves when it is connected. */
export type DialPort = (port: number) => Promise<Duplex>;

/** Serves one port-forward until the client leaves. @throws AgentFault BAD_REQUEST before anything was answered */
export async function servePortForward(
  request: IncomingMessage,
  connection: { readonly socket: Duplex; readonly first: Buffer },
  dial: DialPort,
): Promise<void> {
  const { socket, first } = connection;
  if (asksForSpdy(request)) {
    switchToSpdy(socket, first, chooseSpdyProtocol(request, [protocol]));
    return forward(socket, dial);
  }
  if (!asksForWebSocket(request)) throw new AgentFault("BAD_REQUEST", "port-forward is for SPDY/3.1 and WebSockets");
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((text) => text.trim());
  if (offered.includes(tunnelProtocol)) {
    const webSocket = await upgraded(request, socket, first, tunnelProtocol);
    return forward(createWebSocketStream(webSocket), dial);
  }
  if (!offered.includes(channelProtocol)) {
    throw new AgentFault("BAD_REQUEST", `port-forward knows the protocols ${tunnelProtocol} and ${channelProtocol}`);
  }
  const ports = portsOf(request);
  const webSocket = await upgraded(request, socket, first, channelProtocol);
  return forwardChannels(webSocket, ports, dial);
}

function upgraded(request: IncomingMessage, socket: Duplex, first: Buffer, chosen: string): Promise<WebSocket> {
  const server = new WebSocketServer({ noServer: true, maxPayload: messageBytesMax, perMessageDeflate: false });
  // Its name has a slash, which no name of a sub-protocol may have (RFC 6455, 4.1): answered past the library.
  delete request.headers["sec-websocket-protocol"];
  server.on("headers", (headers) => headers.push(`Sec-WebSocket-Protocol: ${chosen}`));
  return new Promise((resolve) => server.handleUpgrade(request, socket, first, resolve));
}

/** One pair of streams a connection: `error` and `data`, told apart by their request id. */
async function forward(transport: Duplex, dial: DialPort): Promise<void> {
  const errorsById = new Map<string, SpdyStream>();
  transport.on("error", () => undefined);
  const session = new SpdySession(transport, (stream) => {
    const id = stream.headers.get("requestid") ?? "";
    if (stream.headers.get("streamtype") === "error") {
      errorsById.set(id, stream);
      stream.resume().once("close", () => errorsById.delete(id));
      return;
    }
    void forwardOne(stream, errorsById.get(id), dial);
  });
  await session.run();
}

async function forwardOne(data: SpdyStream, errors: SpdyStream | undefined, dial: DialPort): Promise<void> {
  try {
    const pod = await dial(portOf(data.headers.get("port")));
    await joined(data, pod);
  } catch (error) {
    errors?.write(describeError(error));
    data.destroy();
  } finally {
    errors?.end();
  }
}

/** The JavaScript client's way: two channels a port, `2i` for its data and `2i+1` for what went wrong. */
async function forwardChannels(webSocket: WebSocket, ports: readonly number[], dial: DialPort): Promise<void> {
  const channels = ports.map((port, index) => {
    const send = (kind: 0 | 1, body: Buffer, done = (): void => undefined): void =>
      webSocket.send(Buffer.concat([Buffer.of(index * 2 + kind), body]), () => done());
    const number = Buffer.alloc(2);
    number.writeUInt16LE(port);
    send(0, number);
    send(1, number);
    const data = new Duplex({
      read: () => webSocket.resume(),
      write: (chunk: Buffer, _encoding, done) => send(0, chunk, done),
    });
    dial(port)
      .then((pod) => joined(data, pod))
      .catch((error: unknown) => send(1, Buffer.from(describeError(error))));
    return data;
  });
  webSocket.on("message", (message: Buffer) => {
    const index = message[0] ?? 0;
    if (index % 2 === 0 && channels[index / 2]?.push(message.subarray(1)) === false) webSocket.pause();
  });
  webSocket.on("error", () => webSocket.terminate());
  await new Promise<void>((resolve) => webSocket.once("close", () => resolve()));
  for (const data of channels) data.destroy();
}

// As many as a person names on a command line; each is a connection at once.
const portsMax = 32;

function portsOf(request: IncomingMessage): readonly number[] {
  const texts = new URL(request.url ?? "/", "http://agent").searchParams.getAll("ports").flatMap((t) => t.split(","));
  if (texts.length === 0 || texts.length > portsMax) throw new AgentFault("BAD_REQUEST", "name 1 to 32 ports: ?ports=");
  return texts.map(portOf);
}

function portOf(text: string | undefined): number {
  const port = /^\d{1,5}$/.test(text ?? "") ? Number(text) : 0;
  if (port > 0 && port < 65_536) return port;
  throw new AgentFault("BAD_REQUEST", `${JSON.stringify((text ?? "").slice(0, 20))} is no port`);
}

/** Bytes both ways, each direction with its own end. */
async function joined(client: Duplex, pod: Duplex): Promise<void> {
  client.pipe(pod);
  pod.pipe(client);
  pod.on("error", () => client.destroy());
  client.on("error", () => pod.destroy());
  client.once("close", () => pod.destroy());
  await new Promise<void>((resolve) => pod.once("close", () => resolve()));
}
