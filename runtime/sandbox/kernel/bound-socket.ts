import type { Libc } from "./libc.ts";

/** Where somebody will listen. */
export interface SocketAddress {
  readonly protocol: "TCP" | "UDP";
  /** IPv4. */
  readonly address: string;
  /** 0: any. */
  readonly port: number;
}

// <sys/socket.h>: the same on x86-64 and arm64.
const inet = 2;
const kinds = { TCP: 1, UDP: 2 } as const;
const closeOnExec = 0o2000000;
const nonBlocking = 0o4000;
const socketLevel = 1;
const reuseAddress = 2;

/** A socket of the network that the calling thread is in, bound to an address. Its descriptor. @throws SystemCallFault */
export function boundSocket(libc: Libc, { protocol, address, port }: SocketAddress): number {
  const { functions } = libc;
  const what = `listening at ${address}:${port}/${protocol}`;
  const fd = libc.check(what, functions.socket(inet, kinds[protocol] | closeOnExec | nonBlocking, 0));
  try {
    const yes = new Uint8Array(Int32Array.of(1).buffer);
    // As Node does for its own: what is left of a connection keeps nobody from the port.
    if (protocol === "TCP") functions.setsockopt(fd, socketLevel, reuseAddress, libc.addressOf(yes), yes.length);
    const bytes = socketAddress(address, port);
    libc.check(what, functions.bind(fd, libc.addressOf(bytes), bytes.length));
    return fd;
  } catch (error) {
    functions.close(fd);
    throw error;
  }
}

/** struct sockaddr_in. */
function socketAddress(address: string, port: number): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(16));
  bytes.setUint16(0, inet, true);
  bytes.setUint16(2, port);
  for (const [index, byte] of address.split(".").entries()) bytes.setUint8(4 + index, Number(byte));
  return new Uint8Array(bytes.buffer);
}
