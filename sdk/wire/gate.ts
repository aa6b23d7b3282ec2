import type { Socket } from "node:net";

/**
 * How a pod's address is reached that only another network namespace has: over a unix socket of a process there. One line
 * says where to; one byte answers that somebody has taken the connection; from then on the bytes are the pod's. No answer,
 * but an end: nobody has.
 */
export interface GatedAddress {
  readonly host: string;
  readonly port: number;
  /** Of UDP the bytes are datagrams, each with its length. */
  readonly protocol?: "udp";
}

const accepted = "+".charCodeAt(0);
export const gateAnswer: Uint8Array = Uint8Array.of(accepted);

/** An IPv4 address, a port, perhaps a protocol, what is between and behind them. */
export const gateLineBytesMax = 32;

const gateLine = ({ host, port, protocol }: GatedAddress): string =>
  `${host} ${port}${protocol === undefined ? "" : ` ${protocol}`}\n`;

/** What a line asks for; undefined: nothing that can be. */
export function parseGateLine(line: string): GatedAddress | undefined {
  const [, host = "", port = "", protocol] = /^(\d{1,3}(?:\.\d{1,3}){3}) (\d{1,5})(?: (udp))?$/.exec(line) ?? [];
  if (host === "" || Number(port) === 0 || Number(port) > 65_535) return undefined;
  return { host, port: Number(port), ...(protocol === "udp" ? { protocol } : {}) };
}

/**
 * Asks for an address over a connection to a gate. Resolves when the connection is the pod's; rejects when it ends before.
 * Bytes that came with the answer are read next: a server of HTTP/2 speaks first.
 */
export function passGate(socket: Socket, address: GatedAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (cause?: Error): void =>
      reject(new Error(`nobody takes a connection at ${address.host}:${address.port}`, { cause }));
    const ended = (): void => refused();
    socket.once("error", refused).once("end", ended).once("close", ended);
    socket.once("data", (data: Buffer) => {
      socket.off("error", refused).off("end", ended).off("close", ended);
      socket.pause();
      if (data[0] !== accepted) return refused();
      if (data.length > 1) socket.unshift(data.subarray(1));
      resolve();
    });
    socket.write(gateLine(address));
  });
}
