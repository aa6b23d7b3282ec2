import type { Socket } from "node:net";
import { createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import { type Clock, describeError, type Log, type Timer } from "@shallop/sdk/internal";
import type { KeyPair } from "./certificate-store.ts";
import type { GatewayLimits } from "../limits.ts";

export interface TlsListenerOptions {
  readonly log: Log;
  readonly limits: GatewayLimits;
  /** Of the name that a client asks for; undefined: there is none, and the handshake ends. */
  readonly contextFor: (serverName: string) => SecureContext | undefined;
  /** Of clients that name nobody; undefined: there is none. */
  readonly defaultPair: () => KeyPair | undefined;
  readonly clock: Clock;
  /** A client that has not begun its handshake yet. @returns whether it may */
  readonly admit: (socket: Socket) => boolean;
  readonly secured: (socket: TLSSocket, isHttp2: boolean) => void;
}

/** Ends TLS: SNI chooses the certificate, ALPN the protocol (RFC 7301). */
export class TlsListener {
  readonly server: Server;
  readonly #options: TlsListenerOptions;
  #timer: Timer | undefined;
  #default: KeyPair | undefined;

  constructor(options: TlsListenerOptions) {
    this.#options = options;
    const { log, limits, contextFor, admit, secured } = options;
    this.server = createServer({
      ALPNProtocols: ["h2", "http/1.1"],
      minVersion,
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

  /** Certificates are others now: who names nobody gets the new one too, a moment later. */
  certificatesChanged(): void {
    this.#timer ??= this.#options.clock.after(defaultDelayMs, () => {
      this.#timer = undefined;
      this.#renewDefault();
    });
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** Node asks for a certificate where there is SNI, and has to be told beforehand where there is none. */
  #renewDefault(): void {
    const pair = this.#options.defaultPair();
    if (pair === undefined || pair.cert === this.#default?.cert) return;
    this.#default = pair;
    this.server.setSecureContext({ ...pair, minVersion });
  }
}

const minVersion = "TLSv1.2";
// All that a change of many objects changes is looked through once.
const defaultDelayMs = 50;
