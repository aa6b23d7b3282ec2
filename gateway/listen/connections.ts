import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type ClientAddress, clientAddress } from "../proxy/request-head.ts";
import { SpokenNames } from "./spoken-names.ts";

/** What the gateway remembers of a client's connection. */
export interface ClientConnection {
  readonly client: ClientAddress;
  readonly scheme: "http" | "https";
  /** Of HTTPS: the hosts that it speaks for. */
  readonly names: SpokenNames | undefined;
  isHttp2: boolean;
  /** Requests that came over it. */
  requests: number;
  /** Those that are not over, the oldest first; more than one in HTTP/2 only. */
  readonly open: Set<OpenRequest>;
  /** An answer has said, or will say, that it closes: what is pipelined behind it is no request any more (RFC 9112, 9.6). */
  isClosing: boolean;
}

export interface OpenRequest {
  /** The bytes after it are no HTTP. */
  refuse(code: "BAD_REQUEST"): void;
  /** Its connection is closed after it; the answer says so if it has not begun. */
  closeAfter(): void;
}

export const isLoopback = (address: string): boolean => address.startsWith("127.") || address === "::1";

/** Counts clients' connections by address. */
export class Connections {
  readonly #perAddressMax: number;
  readonly #isProxy: (address: string) => boolean;
  readonly #bySocket = new Map<Socket, ClientConnection>();
  readonly #countByAddress = new Map<string, number>();

  /**
   * @param perAddressMax 0 = no bound. Loopback has none: what comes from this machine is counted by nobody else.
   * @param isProxy whether an address is many clients', and has no bound either
   */
  constructor(perAddressMax: number, isProxy: (address: string) => boolean = () => false) {
    this.#perAddressMax = perAddressMax;
    this.#isProxy = isProxy;
  }

  get size(): number {
    return this.#bySocket.size;
  }

  /** Undefined when the address has too many connections; the caller closes this one. */
  add(socket: Socket): ClientConnection | undefined {
    return this.admit(socket) ? this.#keep(socket, undefined) : undefined;
  }

  /** A connection that was admitted, and speaks TLS now. */
  addSecured(socket: TLSSocket): ClientConnection {
    const asked = typeof socket.servername === "string" ? socket.servername : undefined;
    return this.#keep(socket, new SpokenNames(asked, socket.getX509Certificate()));
  }

  /** Counts a connection while it is open. @returns false when its address has too many, or is not known; the caller closes it */
  admit(socket: Socket): boolean {
    // Whoever has gone before his connection was taken has no address any more, by which he could be refused.
    if (socket.remoteAddress === undefined) return false;
    const { address } = clientAddress(socket.remoteAddress);
    const count = (this.#countByAddress.get(address) ?? 0) + 1;
    const isOver = this.#perAddressMax > 0 && count > this.#perAddressMax;
    if (isOver && !isLoopback(address) && !this.#isProxy(address)) return false;
    this.#countByAddress.set(address, count);
    socket.once("close", () => this.#uncount(address));
    return true;
  }

  #keep(socket: Socket, names: SpokenNames | undefined): ClientConnection {
    const scheme = names === undefined ? "http" : "https";
    const client = clientAddress(socket.remoteAddress);
    const open = new Set<OpenRequest>();
    const connection = {
      client,
      scheme,
      names,
      isHttp2: false,
      requests: 0,
      open,
      isClosing: false,
    } satisfies ClientConnection;
    this.#bySocket.set(socket, connection);
    socket.once("close", () => this.#bySocket.delete(socket));
    return connection;
  }

  get(socket: Socket): ClientConnection | undefined {
    return this.#bySocket.get(socket);
  }

  all(): Iterable<readonly [Socket, ClientConnection]> {
    return this.#bySocket;
  }

  #uncount(address: string): void {
    const count = (this.#countByAddress.get(address) ?? 1) - 1;
    if (count === 0) this.#countByAddress.delete(address);
    else this.#countByAddress.set(address, count);
  }
}
