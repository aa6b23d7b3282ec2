import type { Socket } from "node:net";
import { createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import { describeError, type Log } from "@shallop/sdk/internal";
import type { GatewayLimits } from "../limits.ts";

export interface TlsListenerOptions {
  readonly log: Log;
  readonly limits: GatewayLimits;
  /** Of the name that a client asks for; undefined: there is none, and the handshake ends. */
  readonly contextFor: (serverName: string) => SecureContext | undefined;
  /** A client that has not begun its handshake yet. @returns whether it may */
  readonly admit: (socket: Socket) => boolean;
  readonly secured: (socket: TLSSocket, isHttp2: boolean) => void;
}

/** Ends TLS: SNI chooses the certificate, ALPN the protocol (RFC 7301). */
export class TlsListener {
  readonly server: Server;

  constructor({ log, limits, contextFor, admit, secured }: TlsListenerOptions) {
    this.server = createServer({
      ALPNProtocols: ["h2", "http/1.1"],
      minVersion: "TLSv1.2",
      noDelay: true,
      handshakeTimeout: limits.headerTimeoutMs,
      SNICallback: (serverName, done) => {
        // A throw in here would end the process (CVE-2026-21637).
        try {
          const context = contextFor(serverName);
          if (context === undefined) done(new Error(`there is no certificate for ${JSON.stringify(serverName)}`));
          else done(null, context);
        } catch (error) {
          done(error instanceof Error ? error : new Error(describeError(error)));
        }
      },
    });
    this.server.maxConnections = limits.connectionsMax;
    this.server.on("connection", (socket: Socket) => {
      if (!admit(socket)) socket.destroy();
    });
    this.server.on("secureConnection", (socket) => secured(socket, socket.alpnProtocol === "h2"));
    this.server.on("tlsClientError", (error, socket) => {
      log.debug("a handshake did not succeed", { reason: describeError(error) });
      socket.destroy();
    });
  }
}
