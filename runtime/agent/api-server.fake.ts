// Before @peculiar/x509, which looks for it at import.
import "reflect-metadata";
import { createHash, webcrypto, X509Certificate } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import {
  BasicConstraintsExtension,
  Pkcs10CertificateRequest,
  X509CertificateGenerator,
  type X509Certificate as Certificate,
} from "@peculiar/x509";
import {
  ApiFault,
  type ApiObject,
  events,
  imagePolicies,
  nodes,
  pods,
  type Resource,
  revisions,
} from "@shallop/sdk/api";
import { assert } from "@shallop/sdk/internal";
import type { JoinRequest } from "@shallop/sdk/wire";
import { FakeApi } from "./api.fake.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const resources: readonly Resource<ApiObject>[] = [pods, revisions, nodes, events, imagePolicies];
const httpStatus: Readonly<Record<string, number>> = { NotFound: 404, AlreadyExists: 409, Conflict: 409 };

/** An authority that signs for a test. */
export class FakeAuthority {
  readonly pem: string;
  readonly #root: Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(root: Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#root = root;
    this.#keys = keys;
    this.pem = root.toString("pem");
  }

  static async create(): Promise<FakeAuthority> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const extensions = [new BasicConstraintsExtension(true)];
    const root = await X509CertificateGenerator.createSelfSigned(
      { serialNumber: "01", name: "CN=test", keys, signingAlgorithm: algorithm, extensions, ...validity() },
      webcrypto,
    );
    return new FakeAuthority(root, keys);
  }

  /** A certificate for what a PKCS#10 request asks for, under another organisation if one is given. */
  async sign(request: string, organisation?: string): Promise<string> {
    const asked = new Pkcs10CertificateRequest(request);
    assert(await asked.verify(webcrypto), "the request is signed with its key");
    const certificate = await X509CertificateGenerator.create(
      {
        serialNumber: "02",
        issuer: this.#root.subject,
        subject: organisation === undefined ? asked.subject : `O=${organisation}, CN=someone`,
        publicKey: await asked.publicKey.export(webcrypto),
        signingKey: this.#keys.privateKey,
        signingAlgorithm: algorithm,
        extensions: asked.extensions,
        ...validity(),
      },
      webcrypto,
    );
    return certificate.toString("pem");
  }

  /** As a join token ends: the hash that pins the authority. */
  get pin(): string {
    return createHash("sha256").update(new X509Certificate(this.pem).raw).digest("hex");
  }
}

// As long as any test runs, and begun long before.
const validity = () => ({ notBefore: new Date("2020-01-01"), notAfter: new Date("2120-01-01") });

/** A FakeApi over HTTPS, as far as a node agent uses it: joining, objects, watches. */
export class FakeApiServer implements AsyncDisposable {
  readonly api = new FakeApi();
  readonly url: string;
  readonly joinToken: string;
  readonly #server: Server;
  readonly #authority: FakeAuthority;

  private constructor(server: Server, authority: FakeAuthority, port: number) {
    this.#server = server;
    this.#authority = authority;
    this.url = `https://127.0.0.1:${String(port)}`;
    this.joinToken = `secret.${authority.pin}`;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => void this.#answer(request, response));
  }

  static async listen(
    identity: { readonly key: string; readonly request: string },
    authority: FakeAuthority,
    port = 0,
  ): Promise<FakeApiServer> {
    const server = createServer({ key: identity.key, cert: await authority.sign(identity.request) });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const address = server.address();
    assert(typeof address === "object" && address !== null);
    return new FakeApiServer(server, authority, address.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? "/", this.url);
      if (url.pathname === "/cacerts") return void response.end(this.#authority.pem);
      if (this.api.down) return void request.destroy();
      if (url.pathname === "/shallop/v1/join") return send(response, 200, await this.#join(request));
      const at = parsePath(url.pathname);
      if (url.searchParams.get("watch") !== null) return this.#watch(at.resource, url, response);
      send(response, 200, await this.#object(request, at, url));
    } catch (error) {
      const reason = error instanceof ApiFault ? error.code : "InternalError";
      const code = httpStatus[reason] ?? 500;
      send(response, code, {
        kind: "Status",
        apiVersion: "v1",
        status: "Failure",
        reason,
        code,
        message: String(error),
      });
    }
  }

  async #join(request: IncomingMessage): Promise<object> {
    const asked = await body<JoinRequest>(request);
    return {
      token: "node-token",
      certificate: await this.#authority.sign(asked.certificateRequest),
      authority: this.#authority.pem,
      builtinRegistry: "127.0.0.1:5000",
    };
  }

  async #object(request: IncomingMessage, at: Place, url: URL): Promise<unknown> {
    const { resource, namespace, name, status } = at;
    const target = { ...(namespace === undefined ? {} : { namespace }), name: name ?? "" };
    switch (request.method ?? "GET") {
      case "GET":
        if (name !== undefined) return this.api.get(resource, namespace, name);
        return {
          kind: "List",
          apiVersion: "v1",
          metadata: { resourceVersion: "1" },
          items: this.#selected(resource, url),
        };
      case "POST":
        return this.api.create(resource, await body(request));
      case "PUT":
        return status
          ? this.api.updateStatus(resource, await body(request))
          : this.api.update(resource, await body(request));
      case "DELETE":
        await this.api.delete(resource, { ...target, gracePeriodSeconds: 0 });
        return { kind: "Status", apiVersion: "v1", status: "Success" };
      default:
        throw new Error(`${String(request.method)} is not used by agents`);
    }
  }

  /** Sends what differs from what was sent, at each change. */
  #watch(resource: Resource<ApiObject>, url: URL, response: ServerResponse): void {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    const sent = new Map<string, ApiObject>();
    const look = (): void => {
      const now = new Map(this.#selected(resource, url).map((object) => [object.metadata.uid, object]));
      for (const [uid, object] of sent) if (!now.has(uid)) write("DELETED", object);
      for (const [uid, object] of now)
        if (sent.get(uid) !== object) write(sent.has(uid) ? "MODIFIED" : "ADDED", object);
      sent.clear();
      for (const [uid, object] of now) sent.set(uid, object);
    };
    const write = (type: string, object: ApiObject): void =>
      void response.write(`${JSON.stringify({ type, object })}\n`);
    look();
    this.api.onChange(look);
  }

  #selected(resource: Resource<ApiObject>, url: URL): readonly ApiObject[] {
    const node = /^spec\.nodeName=(.*)$/.exec(url.searchParams.get("fieldSelector") ?? "")?.[1];
    const all = this.api.cache(resource).list();
    return node === undefined ? all : all.filter((object) => JSON.stringify(object).includes(`"nodeName":"${node}"`));
  }
}

interface Place {
  readonly resource: Resource<ApiObject>;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly status: boolean;
}

function parsePath(pathname: string): Place {
  const match = /^\/(?:api|apis\/[^/]+)\/v1(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(\/status)?$/.exec(
    pathname,
  );
  const resource = resources.find(({ plural }) => plural === match?.[2]);
  if (match === null || resource === undefined) throw new ApiFault("NotFound", `no ${pathname}`);
  return { resource, namespace: match[1], name: match[3], status: match[4] !== undefined };
}

async function body<T>(request: IncomingMessage): Promise<T> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
  return JSON.parse(Buffer.concat(chunks).toString()) as T;
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}
