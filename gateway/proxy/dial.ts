import { type Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { connect, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { type Clock, errorCode } from "@shallop/sdk/internal";
import { passGate } from "@shallop/sdk/wire";
import { GatewayFault } from "./fault-status.ts";
import { pulseAnswerMs } from "./node-pulse.ts";
import { connectTimeoutMs } from "./upstream.ts";

/** What the gateway shows to node agents of other machines, and what it believes of them. PEM. */
export interface AgentTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Connects to a unix socket of this machine. @throws GatewayFault CONNECT_FAILED */
export const dialSocket = (path: string, clock: Clock): Promise<Socket> =>
  connected(connect({ path }), { place: path, clock });

/** A pod's address of this machine. */
interface PodAddress {
  readonly host: string;
  readonly port: number;
  /** A unix socket on the way to it. */
  readonly gate?: string;
}

/** Connects to a pod's address. @throws GatewayFault CONNECT_FAILED */
export const dialAddress = (address: PodAddress, clock: Clock): Promise<Socket> =>
  dialledThrough(new Socket(), address, clock);

async function dialledThrough(socket: Socket, { host, port, gate }: PodAddress, clock: Clock): Promise<Socket> {
  const place = `${host}:${port}`;
  socket.setNoDelay(true);
  if (gate === undefined) return connected(socket.connect({ host, port }), { place, clock });
  await connected(socket.connect({ path: gate }), { place: `${place} behind ${gate}`, clock });
  return answered(socket, passGate(socket, { host, port }), { place, clock });
}

// As much as Node reads at once. What is read is copied before the next read, so that all connections can share it.
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * Likewise, for who reads by `data` alone: bytes come as a copy of as many as there are, where Node makes a buffer of 64 KiB for each read
 * and passes it through a stream.
 */
export function dialReading(address: PodAddress, clock: Clock): Promise<Socket> {
  const callback = (byteCount: number): boolean => {
    socket.emit("data", Buffer.from(readBuffer.subarray(0, byteCount)));
    // False would end the reading.
    return true;
  };
  const socket = new ReadingSocket({ onread: { buffer: readBuffer, callback } });
  const dialled = dialledThrough(socket, address, clock);
  // The gate's answer has paused it.
  return address.gate === undefined ? dialled : dialled.then((ready) => ready.resume());
}

/**
 * One that is read to its end though the other side takes nothing more: a pod that refuses an upload answers and closes, and what it has
 * said must not be lost with what it did not want. The end of what it says, or its failure, ends the connection.
 */
class ReadingSocket extends Socket {
  override _write(data: unknown, encoding: BufferEncoding, written: (error?: Error | null) => void): void {
    super._write(data, encoding, (error) => written(isRefusal(error) ? null : error));
  }

  override _writev(
    chunks: { chunk: unknown; encoding: BufferEncoding }[],
    written: (error?: Error | null) => void,
  ): void {
    super._writev?.(chunks, (error) => written(isRefusal(error) ? null : error));
  }
}

const isRefusal = (error: Error | null | undefined): boolean => {
  const code = errorCode(error);
  return code === "EPIPE" || code === "ECONNRESET";
};

/** Connects to a node agent of another machine. @throws GatewayFault CONNECT_FAILED */
export async function dialAgent(address: string, tls: AgentTls, clock: Clock): Promise<Socket> {
  return connected(connectTls(endpointOf(address, tls)), { place: address, clock, event: "secureConnect" });
}

interface Dialled {
  readonly place: string;
  readonly clock: Clock;
  /** Says that it is connected. */
  readonly event?: "connect" | "secureConnect";
}

function connected(socket: Socket, dialled: Dialled): Promise<Socket> {
  const { event = "connect" } = dialled;
  const made = new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.once(event, () => {
      socket.off("error", reject);
      resolve();
    });
  });
  return answered(socket, made, dialled);
}

/** The socket, once `made` has resolved. */
async function answered(socket: Socket, made: Promise<void>, { place, clock }: Dialled): Promise<Socket> {
  const late = Promise.withResolvers<never>();
  const timer = clock.after(connectTimeoutMs, () => late.reject(new Error(`no answer within ${connectTimeoutMs} ms`)));
  try {
    await Promise.race([made, late.promise]);
    return socket;
  } catch (cause) {
    // What it says of its end is told to nobody any more.
    socket.on("error", () => undefined);
    socket.destroy();
    throw new GatewayFault("CONNECT_FAILED", `nobody takes a connection at ${place}`, { cause });
  } finally {
    timer.cancel();
  }
}

/** Where to ask a process of another machine, and as whom. @throws GatewayFault CONNECT_FAILED when it is no address */
export function endpointOf(address: string, { ca, cert, key }: AgentTls): AgentEndpoint {
  const colon = address.lastIndexOf(":");
  // Brackets around a v6 address are taken off.
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  const port = Number(address.slice(colon + 1));
  if (colon <= 0 || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new GatewayFault("CONNECT_FAILED", `${JSON.stringify(address)} is no address`);
  return { host, port, ca, cert, key };
}

interface AgentEndpoint extends AgentTls {
  readonly host: string;
  readonly port: number;
}

// A machine that vanishes says nothing; the kernel asks after this long, and gives up within a minute.
const keepAliveMs = 10_000;

export interface TunnelOptions {
  readonly agentAddress: string;
  readonly podUid: string;
  readonly tls: AgentTls;
  readonly clock: Clock;
}

/**
 * A connection to a pod on another machine, through the agent of its node: after the 101 the bytes are those of the
 * pod's own socket. Any other answer closes the connection, so that nothing half-open is left behind.
 * @throws GatewayFault CONNECT_FAILED
 */
export function dialTunnel({ agentAddress, podUid, tls, clock }: TunnelOptions): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({
      ...endpointOf(agentAddress, tls),
      agent: false,
      path: `/v1/pods/${encodeURIComponent(podUid)}/tunnel`,
      headers: { connection: "Upgrade", upgrade: "shallop-tunnel" },
    });
    const fail = (message: string, cause?: Error): void => {
      timer.cancel();
      request.destroy();
      reject(new GatewayFault("CONNECT_FAILED", `tunnel through node agent ${agentAddress}: ${message}`, { cause }));
    };
    const timer = clock.after(connectTimeoutMs, () => fail(`no answer within ${connectTimeoutMs} ms`));
    request.on("error", (error) => fail("failed", error));
    request.once("response", (response) => fail(`refused with status ${response.statusCode}`));
    request.once("upgrade", (_response, socket, head) => {
      timer.cancel();
      if (head.length > 0) socket.unshift(head);
      if ("setKeepAlive" in socket && typeof socket.setKeepAlive === "function") socket.setKeepAlive(true, keepAliveMs);
      resolve(socket);
    });
    request.end();
  });
}

export interface AskOptions {
  readonly agentAddress: string;
  readonly tls: AgentTls;
  readonly clock: Clock;
  /** Keeps the connection from one question to the next. */
  readonly kept: HttpsAgent;
}

/** Asks a node agent whether it is there. Resolves when it answers, whatever it says; rejects when it does not. */
export function askAgent({ agentAddress, tls, clock, kept }: AskOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({
      ...endpointOf(agentAddress, tls),
      agent: kept,
      path: "/v1/pulse",
    });
    const timer = clock.after(pulseAnswerMs, () => request.destroy(new Error("no answer in time")));
    request.once("close", () => timer.cancel());
    request.on("error", reject);
    request.once("response", (response) => {
      response.resume();
      resolve();
    });
    request.end();
  });
}
