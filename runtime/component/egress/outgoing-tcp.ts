import { Socket } from "node:net";
import type { TcpOptions } from "./egress.ts";

/** The two ends of an open connection, as the system writes them. */
export interface TcpEndTexts {
  readonly local: { readonly address: string; readonly port: number };
  readonly remote: { readonly address: string; readonly port: number };
}

/** A TCP connection that is being made. */
export interface OutgoingTcp {
  /** Carries the connection's bytes once it is open. What goes wrong is its error. */
  readonly socket: Socket;
  /** Calls `opened` when the connection is open. */
  onOpen(opened: (ends: TcpEndTexts) => void): void;
}

/** From this process itself. */
export class DirectTcp implements OutgoingTcp {
  readonly socket: Socket;

  constructor({ host, port, bound, keepAlive }: TcpOptions) {
    this.socket = new Socket({ allowHalfOpen: true, ...(bound === undefined ? {} : { handle: bound }) });
    const { enabled, idleSeconds, intervalSeconds, count } = keepAlive;
    this.socket.setKeepAlive(enabled, idleSeconds * 1000, intervalSeconds * 1000, count);
    this.socket.connect({ host, port });
  }

  onOpen(opened: (ends: TcpEndTexts) => void): void {
    this.socket.once("connect", () => {
      const { localAddress, localPort, remoteAddress, remotePort } = this.socket;
      if (localAddress === undefined || remoteAddress === undefined) return;
      opened({
        local: { address: localAddress, port: localPort ?? 0 },
        remote: { address: remoteAddress, port: remotePort ?? 0 },
      });
    });
  }
}
