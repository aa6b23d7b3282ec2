import type { AddressInfo, Server } from "node:net";

/** Where to listen. */
export interface ListenPlace {
  readonly host: string;
  readonly port: number;
  readonly kept?: KeptSocket | undefined;
}

/** A socket that outlives this process: it is there already (`fd`), or is to be kept once it is. */
export interface KeptSocket {
  readonly fd: number | undefined;
  readonly keep: (server: Server) => void;
}

// Connections that the kernel keeps until they are accepted; the same as Node's default, which Linux caps as it likes.
const backlogMax = 511;

/** @throws what Node says: EADDRINUSE, EACCES. */
export function listenAt(server: Server, { kept, ...address }: ListenPlace): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...(kept?.fd === undefined ? address : { fd: kept.fd }), backlog: backlogMax }, () => {
      server.off("error", reject);
      if (kept !== undefined && kept.fd === undefined) kept.keep(server);
      resolve(server.address() as AddressInfo);
    });
  });
}
