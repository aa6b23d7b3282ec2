import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Pkcs10CertificateRequest } from "@peculiar/x509";
import { calculateJwkThumbprint, flattenedVerify, importJWK, type JWK } from "jose";
import { CertificateAuthority } from "../../api/pki/authority.ts";

interface Order {
  readonly names: readonly string[];
  readonly account: string;
  readonly token: string;
  status: "pending" | "ready" | "valid" | "invalid";
  certificate?: string;
}

/**
 * An ACME authority as RFC 8555 has it, with one order for each request and challenges over HTTP: signatures are verified,
 * nonces are good once, URLs are those that were signed, and a challenge is asked for at `challengePort` under its host.
 */
export class FakeAcmeServer implements AsyncDisposable {
  readonly #server = createServer((incoming, outgoing) => void this.#serve(incoming, outgoing));
  readonly #nonces = new Set<string>();
  readonly #accounts = new Map<string, JWK>();
  readonly #orders: Order[] = [];
  readonly #authority: CertificateAuthority;
  readonly refusals: string[] = [];
  /** Where gateways answer. */
  challengePort: number;
  #made = 0;

  private constructor(authority: CertificateAuthority, challengePort: number) {
    this.#authority = authority;
    this.challengePort = challengePort;
  }

  static async start(challengePort: number): Promise<FakeAcmeServer> {
    const { authority } = await CertificateAuthority.create(Date.parse("2026-01-01"));
    const fake = new FakeAcmeServer(authority, challengePort);
    await new Promise<void>((resolve) => void fake.#server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  get directoryUrl(): string {
    return this.#url("directory");
  }

  #url(path: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${path}`;
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const nonce = `nonce-${this.#made++}`;
    this.#nonces.add(nonce);
    outgoing.setHeader("replay-nonce", nonce);
    const path = (incoming.url ?? "").slice(1);
    const answer = (status: number, body: unknown): void => {
      outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    try {
      if (path === "directory") return answer(200, this.#directory());
      if (path === "new-nonce") return answer(200, {});
      const { payload, account, jwk } = await this.#verified(incoming, path);
      const { status = 200, location, body, text } = await this.#act(path, payload, { account, jwk });
      if (location !== undefined) outgoing.setHeader("location", location);
      if (text !== undefined) {
        outgoing.writeHead(200, { "content-type": "application/pem-certificate-chain" }).end(text);
        return;
      }
      answer(status, body);
    } catch (error) {
      this.refusals.push(String(error));
      answer(400, { type: "urn:ietf:params:acme:error:malformed", detail: String(error) });
    }
  }

  #directory(): Record<string, unknown> {
    const places = {
      newNonce: "new-nonce",
      newAccount: "new-account",
      newOrder: "new-order",
      revokeCert: "revoke",
      keyChange: "key",
    };
    return Object.fromEntries(Object.entries(places).map(([name, path]) => [name, this.#url(path)]));
  }

  /** RFC 8555, 6.2 to 6.5. */
  async #verified(
    incoming: IncomingMessage,
    path: string,
  ): Promise<{ readonly payload: Record<string, unknown>; readonly account: string; readonly jwk: JWK }> {
    if (incoming.headers["content-type"] !== "application/jose+json") throw new Error("the content type is another");
    const chunks: Buffer[] = [];
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    const jws = JSON.parse(Buffer.concat(chunks).toString()) as Parameters<typeof flattenedVerify>[0];
    let jwk: JWK | undefined;
    let account = "";
    const { payload, protectedHeader } = await flattenedVerify(jws, (header) => {
      const { kid, jwk: given } = header as { kid?: string; jwk?: JWK };
      if ((kid === undefined) === (given === undefined)) throw new Error("there is a key, or the name of one");
      if ((path === "new-account") !== (given !== undefined)) throw new Error("only a new account gives a key");
      account = kid ?? "";
      jwk = given ?? this.#accounts.get(account);
      if (jwk === undefined) throw new Error("the account is not known");
      return importJWK(jwk, header?.alg);
    });
    const { nonce, url } = protectedHeader as { nonce?: string; url?: string };
    if (!this.#nonces.delete(nonce ?? "")) throw new Error("the nonce is not fresh");
    if (url !== this.#url(path)) throw new Error("another URL was signed");
    const text = Buffer.from(payload).toString();
    return { payload: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>), account, jwk: jwk ?? {} };
  }

  async #act(
    path: string,
    payload: Record<string, unknown>,
    { account, jwk }: { readonly account: string; readonly jwk: JWK },
  ): Promise<{
    readonly status?: number;
    readonly location?: string;
    readonly body?: unknown;
    readonly text?: string;
  }> {
    const [what = "", id = "0"] = path.split("/");
    const order = this.#orders[Number(id)];
    if (what === "new-account") {
      if (payload["termsOfServiceAgreed"] !== true) throw new Error("the terms are not agreed to");
      const location = this.#url(`account/${this.#accounts.size}`);
      this.#accounts.set(location, jwk);
      return { status: 201, location, body: { status: "valid" } };
    }
    if (what === "new-order") {
      const identifiers = payload["identifiers"] as readonly { readonly value: string }[];
      const names = identifiers.map(({ value }) => value);
      this.#orders.push({ names, account, token: `token_${this.#orders.length}-x`, status: "pending" });
      const index = this.#orders.length - 1;
      return { status: 201, location: this.#url(`order/${index}`), body: this.#orderBody(index) };
    }
    if (order === undefined) throw new Error("there is no such order");
    switch (what) {
      case "order":
        return { body: this.#orderBody(Number(id)) };
      case "authz":
        return { body: this.#authorization(Number(id)) };
      case "challenge":
        // Asked by its client, it is looked at; asked again, it says what came of it.
        if (order.status === "pending") order.status = (await this.#check(order, jwk)) ? "ready" : "invalid";
        return { body: this.#challenge(Number(id)) };
      case "finalize":
        order.certificate = await this.#finalize(order, String(payload["csr"]));
        order.status = "valid";
        return { body: this.#orderBody(Number(id)) };
      case "certificate":
        return { text: order.certificate ?? "" };
      default:
        throw new Error(`nothing is at ${path}`);
    }
  }

  #orderBody(index: number): unknown {
    const { names, status } = this.#orders[index]!;
    return {
      status,
      identifiers: names.map((value) => ({ type: "dns", value })),
      authorizations: [this.#url(`authz/${index}`)],
      finalize: this.#url(`finalize/${index}`),
      ...(status === "valid" ? { certificate: this.#url(`certificate/${index}`) } : {}),
    };
  }

  #authorization(index: number): unknown {
    const { names, status } = this.#orders[index]!;
    const state = status === "pending" ? "pending" : status === "invalid" ? "invalid" : "valid";
    return { identifier: { type: "dns", value: names[0] }, status: state, challenges: [this.#challenge(index)] };
  }

  #challenge(index: number): unknown {
    const { status, token } = this.#orders[index]!;
    const state = status === "pending" ? "pending" : status === "invalid" ? "invalid" : "valid";
    return { type: "http-01", status: state, url: this.#url(`challenge/${index}`), token };
  }

  /** RFC 8555, 8.3: the key authorization is at the host that the certificate is for. */
  async #check({ names, token }: Order, jwk: JWK): Promise<boolean> {
    const expected = `${token}.${await calculateJwkThumbprint(jwk)}`;
    return new Promise((resolve) => {
      const headers = { host: names[0] ?? "" };
      const path = `/.well-known/acme-challenge/${token}`;
      const asking = httpRequest({ port: this.challengePort, path, headers, agent: false }, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve(response.statusCode === 200 && text.trim() === expected));
      });
      asking.on("error", () => resolve(false));
      asking.end();
    });
  }

  async #finalize({ names, status }: Order, csr: string): Promise<string> {
    if (status !== "ready") throw new Error("the order is not ready");
    const request = new Pkcs10CertificateRequest(Buffer.from(csr, "base64url"));
    const subject = { commonName: names[0] ?? "", names, usages: ["server"] as const };
    const issued = await this.#authority.signRequest(request.toString("pem"), subject, Date.parse("2026-01-01"));
    return `${issued.certificate}${this.#authority.certificate}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
  }
}
