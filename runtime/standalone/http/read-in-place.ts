import { Socket } from "node:net";

/**
 * Takes over a connection that a server has accepted, paused, and reads it into `buffer`, which connections may share: `read` is told how many
 * bytes of it are new, and has no more of them once it returns. Node otherwise makes a buffer for each read and passes it through a
 * stream, which costs more than the call to the kernel. What the server counts and closes is the connection no more.
 */
export function readInPlace(accepted: Socket, buffer: Buffer, read: (byteCount: number) => void): Socket {
  // Node has no public name for what a socket reads from: `handle` is what its own servers and TLS give a socket.
  const shell = accepted as unknown as { _handle: object | null };
  const handle = shell._handle;
  shell._handle = null;
  accepted.destroy();
  const onread = {
    buffer,
    callback: (byteCount: number): boolean => {
      read(byteCount);
      return true;
    },
  };
  return new Socket({ handle, onread, readable: true, writable: true } as object);
}
