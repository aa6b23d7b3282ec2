import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { gatewayServerName } from "@shallop/sdk/wire";
import * as x509 from "@peculiar/x509";
import type { PodEndpoint } from "@shallop/sdk/api";
import type { AgentTls } from "./proxy/dial.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A cluster authority for one test run. */
export class FakeAuthority {
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #certificate: x509.X509Certificate;

  private constructor(keys: webcrypto.CryptoKeyPair, certificate: x509.X509Certificate) {
    this.#keys = keys;
    this.#certificate = certificate;
  }

  static async create(name = "CN=test authority"): Promise<FakeAuthority> {
    x509.cryptoProvider.set(webcrypto);
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name,
      keys,
      signingAlgorithm: algorithm,
      notBefore: new Date("2026-01-01"),
      notAfter: new Date("2126-01-01"),
      extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
    });
    return new FakeAuthority(keys, certificate);
  }

  /** A certificate for 127.0.0.1, as a gateway, and for clients, signed by this authority. */
  async issue(subject: string): Promise<AgentTls> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.create({
      subject,
      issuer: this.#certificate.subject,
      signingKey: this.#keys.privateKey,
      publicKey: keys.publicKey,
      signingAlgorithm: algorithm,
      notBefore: new Date("2026-01-01"),
      notAfter: new Date("2126-01-01"),
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: "ip", value: "127.0.0.1" },
          { type: "dns", value: gatewayServerName },
        ]),
      ],
    });
    const key = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
    return {
      ca: this.#certificate.toString("pem"),
      cert: certificate.toString("pem"),
      key: x509.PemConverter.encode(key, "PRIVATE KEY"),
    };
  }
}

export interface FakeAgentOptions {
  readonly respond: RequestListener;
  /** Where tunnels lead, by uid. */
  readonly tunnels?: ReadonlyMap<string, PodEndpoint>;
  /** With TLS on a port of loopback, client certificates demanded; without, on this unix socket. */
  readonly tls?: AgentTls;
  readonly socket?: string;
}

/** The HTTP side of a node agent. */
export class FakeAgent implements Disposable {
  readonly address: string;
  /** Organisations of the clients that came. */
  readonly clients: string[] = [];
  tunnelsOpened = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  private constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
  }

  static async start({ respond, tunnels = new Map(), tls, socket }: FakeAgentOptions): Promise<FakeAgent> {
    const server =
      tls === undefined
        ? createHttpServer(respond)
        : createHttpsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, respond);
    await new Promise<void>((resolve) => {
      if (socket === undefined) server.listen(0, "127.0.0.1", resolve);
      else server.listen(socket, resolve);
    });
    const address = socket ?? `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const agent = new FakeAgent(server, address);
    server.on("connection", (accepted: Socket) => agent.#sockets.add(accepted));
    server.on("secureConnection", (accepted: TLSSocket) => {
      const organisation = accepted.getPeerCertificate().subject.O;
      agent.clients.push(Array.isArray(organisation) ? organisation.join() : (organisation ?? ""));
    });
    server.on("upgrade", (incoming, client: Duplex) => {
      const uid = /^\/v1\/pods\/([^/]+)\/tunnel$/.exec(incoming.url ?? "")?.[1] ?? "";
      const endpoint = tunnels.get(uid);
      if (endpoint === undefined || incoming.headers.upgrade !== "shallop-tunnel") {
        client.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        return;
      }
      agent.tunnelsOpened++;
      const pod = connect(
        endpoint.protocol === "wire" ? { path: endpoint.socket } : { host: endpoint.host, port: endpoint.port },
      );
      agent.#sockets.add(pod);
      client.write("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: shallop-tunnel\r\n\r\n");
      client.pipe(pod).pipe(client);
      for (const [one, other] of [
        [client, pod],
        [pod, client],
      ] as const) {
        one.on("error", () => other.destroy());
        one.on("close", () => other.destroy());
      }
    });
    return agent;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
