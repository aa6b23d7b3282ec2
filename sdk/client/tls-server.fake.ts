// Before @peculiar/x509, which looks for it at import.
import "reflect-metadata";
import { createHash, X509Certificate as NodeCertificate } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import {
  BasicConstraintsExtension,
  type X509Certificate,
  X509CertificateGenerator,
  SubjectAlternativeNameExtension,
} from "@peculiar/x509";
import { systemClock } from "../internal/clock.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const hourMs = 3_600_000;

/** A certificate authority made for one test, and what it signs. */
export class TestAuthority {
  readonly pem: string;
  /** SHA-256 of the certificate (DER), hexadecimal: the second half of a join token. */
  readonly hash: string;
  readonly #certificate: X509Certificate;
  readonly #key: CryptoKey;

  static async make(name = "a test's authority"): Promise<TestAuthority> {
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await X509CertificateGenerator.createSelfSigned({
      ...validity(),
      name: `CN=${name}`,
      keys,
      signingAlgorithm: algorithm,
      extensions: [new BasicConstraintsExtension(true, 1, true)],
    });
    return new TestAuthority(certificate, keys.privateKey);
  }

  private constructor(certificate: X509Certificate, key: CryptoKey) {
    this.#certificate = certificate;
    this.#key = key;
    this.pem = certificate.toString("pem");
    this.hash = createHash("sha256").update(new NodeCertificate(this.pem).raw).digest("hex");
  }

  /** A certificate for 127.0.0.1 and localhost, with its key, in PEM. */
  async issue(): Promise<{ readonly cert: string; readonly key: string }> {
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await X509CertificateGenerator.create({
      ...validity(),
      subject: "CN=localhost",
      issuer: this.#certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.#key,
      signingAlgorithm: algorithm,
      extensions: [
        new SubjectAlternativeNameExtension([
          { type: "ip", value: "127.0.0.1" },
          { type: "dns", value: "localhost" },
        ]),
      ],
    });
    const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
    return {
      cert: certificate.toString("pem"),
      key: `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`,
    };
  }
}

const validity = (): { notBefore: Date; notAfter: Date; serialNumber: string } => ({
  notBefore: new Date(systemClock.wallMs() - hourMs),
  notAfter: new Date(systemClock.wallMs() + hourMs),
  serialNumber: Buffer.from(crypto.getRandomValues(new Uint8Array(8)))
    .toString("hex")
    .replace(/^[89a-f]/, "1"),
});

/** One request as a TestServer got it. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly answer: ServerResponse;
}

/** A real HTTPS server on a free port of 127.0.0.1, whose answers a test writes. */
export class TestServer implements AsyncDisposable {
  readonly url: string;
  /** Connections that were ever opened. */
  connections = 0;
  readonly received: Received[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(authority: TestAuthority, handle: (request: Received) => void): Promise<TestServer> {
    const server = createServer(await authority.issue());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new TestServer(server, handle);
  }

  private constructor(server: Server, handle: (request: Received) => void) {
    this.#server = server;
    const address = server.address();
    this.url = `https://127.0.0.1:${isAddress(address) ? address.port : 0}`;
    server.on("secureConnection", (socket: Socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      socket.on("error", () => undefined);
    });
    server.on("request", (request: IncomingMessage, answer: ServerResponse) => {
      void this.#receive(request, answer, handle);
    });
  }

  /** Cuts every connection, as a cable that is pulled; the server goes on. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  async #receive(request: IncomingMessage, answer: ServerResponse, handle: (request: Received) => void): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) if (chunk instanceof Uint8Array) chunks.push(chunk);
    const url = new URL(request.url ?? "/", this.url);
    const received: Received = {
      method: request.method ?? "",
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: Buffer.concat(chunks).toString("utf8"),
      answer,
    };
    this.received.push(received);
    handle(received);
  }
}

const isAddress = (address: AddressInfo | string | null): address is AddressInfo =>
  typeof address === "object" && address !== null;

/** Answers with JSON. */
export function answerJson({ answer }: Received, body: unknown, status = 200): void {
  answer.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
