import { Libc } from "./libc.ts";

// F_DUPFD_CLOEXEC and SHUT_RD.
const duplicateClosing = 1030;
const shutReading = 0;
// Above those that a process is given.
const firstFree = 16;

/** Another descriptor of the same file or socket, for somebody who will close it. @throws SystemCallFault */
export function duplicate(fd: number): number {
  const libc = Libc.load();
  const other = libc.functions.fcntl(fd, duplicateClosing, firstFree);
  libc.check(`duplicating descriptor ${fd}`, other);
  return other;
}

/** Ends listening for all who have the socket: connections are refused from now on. @throws SystemCallFault */
export function stopListening(fd: number): void {
  const libc = Libc.load();
  libc.check(`shutting down descriptor ${fd}`, libc.functions.shutdown(fd, shutReading));
}
