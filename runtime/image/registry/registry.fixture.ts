import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestOf, mediaType } from "@shallop/sdk/image";
import { expect } from "vitest";
import { type RegistryServer, type RegistryServerOptions, startRegistryServer } from "./server.ts";

/** A registry to call by hand, in a directory that goes away with it. */
export class RegistryBench implements AsyncDisposable {
  readonly directory: string;
  readonly server: RegistryServer;
  readonly #headers: Readonly<Record<string, string>>;

  private constructor(directory: string, server: RegistryServer, headers: Readonly<Record<string, string>> = {}) {
    this.directory = directory;
    this.server = server;
    this.#headers = headers;
  }

  static async open(options: Partial<RegistryServerOptions> = {}): Promise<RegistryBench> {
    const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "shallop-registry-")));
    return new RegistryBench(directory, await startRegistryServer({ port: 0, ...options, directory }));
  }

  /** The same registry, called with this name and password. */
  as(name: string, password: string): RegistryBench {
    const authorization = `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;
    return new RegistryBench(this.directory, this.server, { authorization });
  }

  /** The same registry, called with this token. */
  bearing(token: string): RegistryBench {
    return new RegistryBench(this.directory, this.server, { authorization: `Bearer ${token}` });
  }

  call(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...this.#headers, ...(init.headers as Readonly<Record<string, string>> | undefined) };
    return fetch(new URL(path, this.server.url), { method, ...init, headers });
  }

  /** Status and, of a refusal, its code: `201`, `403 DENIED`. */
  async outcome(method: string, path: string, init: RequestInit = {}): Promise<string> {
    const response = await this.call(method, path, init);
    const text = await response.text();
    const refused = response.status >= 400 && text !== "";
    const code = refused ? (JSON.parse(text) as { errors: [{ code: string }] }).errors[0].code : "";
    return `${response.status} ${code}`.trim();
  }

  /** Uploads a blob. */
  async blob(name: string, body: string | Uint8Array<ArrayBuffer>): Promise<Digest> {
    const digest = digestOf(body);
    expect(await this.outcome("POST", `/v2/${name}/blobs/uploads/?digest=${digest}`, { body })).toBe("201");
    return digest;
  }

  /** Pushes a manifest of these blobs, which are uploaded first. */
  async image(name: string, reference: string, layers: readonly string[], more: object = {}): Promise<Digest> {
    const config = await this.blob(name, "{}");
    const digests = await Promise.all(layers.map((layer) => this.blob(name, layer)));
    const body = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaType.manifest,
      config: { mediaType: mediaType.config, digest: config, size: 2 },
      layers: digests.map((digest, at) => ({ mediaType: "x/y", digest, size: Buffer.byteLength(layers[at] ?? "") })),
      ...more,
    });
    const digest = digestOf(body);
    const target = reference === "" ? digest : reference;
    const init = { body, headers: { "content-type": mediaType.manifest } };
    expect(await this.outcome("PUT", `/v2/${name}/manifests/${target}`, init)).toBe("201");
    return digest;
  }

  /** Pushes an index of these manifests. */
  async index(name: string, reference: string, children: readonly { digest: Digest; size: number }[]): Promise<Digest> {
    const manifests = children.map((child) => ({ mediaType: mediaType.manifest, ...child }));
    const body = JSON.stringify({ schemaVersion: 2, mediaType: mediaType.index, manifests });
    const init = { body, headers: { "content-type": mediaType.index } };
    expect(await this.outcome("PUT", `/v2/${name}/manifests/${reference}`, init)).toBe("201");
    return digestOf(body);
  }

  async has(name: string, what: string): Promise<boolean> {
    return (await this.call("HEAD", `/v2/${name}/${what}`)).status === 200;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}
