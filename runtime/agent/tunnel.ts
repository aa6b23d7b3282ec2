import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { PodEndpoint } from "@shallop/sdk/api";
import { describeError, type Log } from "@shallop/sdk/internal";
import { passGate } from "@shallop/sdk/wire";
import { AgentFault } from "./fault-status.ts";

export const tunnelProtocol = "shallop-tunnel";

// A pod of this machine accepts in microseconds; one that does not within this time is stuck.
const connectTimeoutMs = 5000;

/** Connects to a pod of this machine. @throws AgentFault POD_UNREACHABLE */
export function dialPod(endpoint: PodEndpoint): Promise<Socket> {
  return endpoint.protocol === "wire" ? dialled({ path: endpoint.socket }) : dialAddress(endpoint);
}

/** An address of this machine's pods. */
export interface PodAddress {
  readonly host: string;
  readonly port: number;
  /** A unix socket on the way there. */
  readonly gate?: string;
}

/** Connects to any port of a pod. @throws AgentFault POD_UNREACHABLE */
export async function dialAddress({ host, port, gate }: PodAddress): Promise<Socket> {
  if (gate === undefined) return dialled({ host, port });
  const socket = await dialled({ path: gate });
  try {
    await passGate(socket, { host, port });
    return socket;
  } catch (cause) {
    socket.destroy();
    throw new AgentFault("POD_UNREACHABLE", `cannot connect to the pod: ${describeError(cause)}`, {
      cause,
      retryable: true,
    });
  }
}

function dialled(target: { readonly path: string } | Omit<PodAddress, "gate">): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // Half-open: one side may have said all it has to say while the other still speaks.
    const socket = connect({ ...target, allowHalfOpen: true, timeout: connectTimeoutMs });
    const fail = (why: string, cause?: unknown): void => {
      socket.destroy();
      reject(new AgentFault("POD_UNREACHABLE", `cannot connect to the pod: ${why}`, { cause, retryable: true }));
    };
    socket.once("error", (error) => fail(describeError(error), error));
    socket.once("timeout", () => fail(`no connection within ${String(connectTimeoutMs)} ms`));
    socket.once("connect", () => {
      socket.removeAllListeners("error").removeAllListeners("timeout");
      socket.setTimeout(0).setNoDelay(true);
      resolve(socket);
    });
  });
}

/**
 * Answers 101 and lets bytes through both ways: the end of one direction is passed on, and leaves the other open;
 * whoever reads slowly slows down whoever writes. Resolves when both sides are closed.
 */
export async function runTunnel(client: Duplex, first: Buffer, pod: Duplex, log: Log): Promise<void> {
  client.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${tunnelProtocol}\r\n\r\n`);
  if (first.length > 0) pod.write(first);
  client.pipe(pod);
  pod.pipe(client);
  const broken = (side: string) => (error: unknown) => {
    log.debug("a tunnel broke", { side, error: describeError(error) });
    client.destroy();
    pod.destroy();
  };
  client.on("error", broken("gateway"));
  pod.on("error", broken("pod"));
  await Promise.all([closed(client, pod), closed(pod, client)]);
}

/** When one side is gone altogether, the other has nobody to talk to. */
const closed = (side: Duplex, other: Duplex): Promise<void> =>
  new Promise((resolve) => {
    side.once("close", () => {
      if (!side.readableEnded || !side.writableFinished) other.destroy();
      resolve();
    });
  });

export const asksForTunnel = (request: IncomingMessage): boolean =>
  request.headers.upgrade?.toLowerCase() === tunnelProtocol;
