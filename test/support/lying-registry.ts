import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";

/** What a registry may do wrong with an image that is otherwise right. */
export type Lie =
  /** None: the bytes are what is promised, whatever they are worth. */
  | "none"
  /** The layer's bytes are others than those of its digest. */
  | "layer-digest"
  /** The layer is longer than the manifest says. */
  | "layer-size"
  /** The connection ends in the middle of the layer, each time. */
  | "layer-cut"
  /** A manifest asked for by its digest is another one. */
  | "manifest-digest"
  /** The tag answers with a web page, and status 200. */
  | "html"
  /** The layer is said to be at the address where clouds keep their machines' credentials. */
  | "redirect-inside"
  /** The layer is at another host, which is nobody's business that the login is for. */
  | "redirect-away"
  /** Tokens are said to be had at the address where clouds keep their machines' credentials. */
  | "realm-inside"
  /** The tag is another image for GET than it was for HEAD. */
  | "tag-moves"
  /** The layer comes, byte by byte. */
  | "drip";

/** Where no registry may send anybody. */
const insideUrl = "http://169.254.169.254/latest/meta-data";

/** A request, as the registry that got it saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
}

interface Blob {
  readonly bytes: Buffer;
  readonly type: string;
}

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

const manifestType = "application/vnd.oci.image.manifest.v1+json";

/** A registry that holds images which are not what they say. */
export class LyingRegistry implements AsyncDisposable {
  readonly #server = createServer((request, response) => this.#serve(request, response));
  readonly #blobs = new Map<string, Blob>();
  /** Manifests by `NAME/manifests/REFERENCE`. */
  readonly #manifests = new Map<string, Blob>();
  readonly #cut = new Set<string>();
  /** Lies about a layer, by its digest, and about an image, by its name. */
  readonly #lies = new Map<string, Lie>();
  readonly requests: SeenRequest[] = [];
  /** Where layers are that are said to be elsewhere. */
  elsewhere = "";
  /** Whether it wants a name and a password, whatever they are. */
  asksLogin = false;
  #port = 0;

  static async start(): Promise<LyingRegistry> {
    const registry = new LyingRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, "127.0.0.1", resolve));
    const address = registry.#server.address();
    if (address === null || typeof address !== "object") throw new Error("the registry has no port");
    registry.#port = address.port;
    return registry;
  }

  /** An image whose Wasm variant has these bytes for a component. Its reference. */
  wasm(name: string, component: Uint8Array, lie: Lie = "none"): string {
    const config = {
      ...{ created: "1970-01-01T00:00:00Z", author: null, architecture: "wasm", os: "wasip2" },
      ...{ layerDigests: [digestOf(component)], component: { exports: [], imports: [] } },
    };
    return this.#publish(name, {
      config: { bytes: Buffer.from(JSON.stringify(config)), type: "application/vnd.wasm.config.v0+json" },
      layer: { bytes: Buffer.from(component), type: "application/wasm" },
      lie,
    });
  }

  /** An image for this machine whose one layer, a gzipped archive, ends in the middle. Its digest is right. */
  truncatedNative(name: string): string {
    const archive = gzipSync(tarOf("file", Buffer.alloc(64 * 1024, "x")));
    const config = {
      ...{ architecture: process.arch === "x64" ? "amd64" : process.arch, os: "linux" },
      ...{ config: { Entrypoint: ["/file"] }, rootfs: { type: "layers", diff_ids: [digestOf(archive)] } },
    };
    return this.#publish(name, {
      config: { bytes: Buffer.from(JSON.stringify(config)), type: "application/vnd.oci.image.config.v1+json" },
      layer: {
        bytes: archive.subarray(0, Math.floor(archive.length / 2)),
        type: "application/vnd.oci.image.layer.v1.tar+gzip",
      },
      lie: "none",
    });
  }

  #publish(name: string, image: { readonly config: Blob; readonly layer: Blob; readonly lie: Lie }): string {
    const { config, layer, lie } = image;
    const configDigest = digestOf(config.bytes);
    const layerDigest = digestOf(layer.bytes);
    const served = lie === "layer-digest" ? Buffer.alloc(layer.bytes.length, "?") : layer.bytes;
    this.#blobs.set(configDigest, config);
    this.#blobs.set(layerDigest, { ...layer, bytes: served });
    if (lie === "layer-cut") this.#cut.add(layerDigest);
    this.#lies.set(layerDigest, lie).set(name, lie);
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: { mediaType: config.type, digest: configDigest, size: config.bytes.length },
        layers: [
          {
            mediaType: layer.type,
            digest: layerDigest,
            size: lie === "layer-size" ? layer.bytes.length - 1 : layer.bytes.length,
          },
        ],
      }),
    );
    const byDigest = lie === "manifest-digest" ? Buffer.from(manifest.toString().replace("2,", "2 ,")) : manifest;
    this.#manifests.set(`${name}/manifests/1`, { bytes: manifest, type: manifestType });
    this.#manifests.set(`${name}/manifests/${digestOf(manifest)}`, { bytes: byDigest, type: manifestType });
    return `127.0.0.1:${this.#port}/${name}:1`;
  }

  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? "").split("?")[0] ?? "";
    const { method = "", headers } = request;
    this.requests.push({ method, path, authorization: headers.authorization });
    if (this.asksLogin && headers.authorization === undefined) {
      return void response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
    }
    if (path === "/v2/") return void response.writeHead(200).end("{}");
    if (this.#lies.get(/^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(path)?.[1] ?? "") === "realm-inside") {
      const challenge = `Bearer realm="${insideUrl}/token",service="s"`;
      return void response.writeHead(401, { "www-authenticate": challenge }).end();
    }
    const digest = /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(path)?.[1];
    if (digest !== undefined) return this.#serveLayer(request, response, digest);
    const name = /^\/v2\/(.+)\/manifests\/1$/.exec(path)?.[1];
    const lie = name === undefined ? undefined : this.#lies.get(name);
    if (lie === "html") {
      return void response.writeHead(200, { "content-type": "text/html" }).end("<html>Please log in</html>");
    }
    const found = this.#manifests.get(path.slice("/v2/".length));
    if (found === undefined) return void response.writeHead(404).end();
    const { type } = found;
    const isMoved = lie === "tag-moves" && method === "GET";
    const bytes = isMoved ? Buffer.from(found.bytes.toString().replace("2,", "2 ,")) : found.bytes;
    // A manifest's digest is that of the one who asks by it, also when the bytes are others.
    const promised = /(sha256:[0-9a-f]{64})$/.exec(path)?.[1] ?? digestOf(bytes);
    response.writeHead(200, {
      "content-type": type,
      "content-length": bytes.length,
      "docker-content-digest": promised,
    });
    response.end(method === "HEAD" ? undefined : bytes);
  }

  #serveLayer(request: IncomingMessage, response: ServerResponse, digest: string): void {
    const found = this.#blobs.get(digest);
    if (found === undefined) return void response.writeHead(404).end();
    const { bytes, type } = found;
    const lie = this.#lies.get(digest);
    if (lie === "redirect-inside") return void response.writeHead(307, { location: `${insideUrl}/layer` }).end();
    if (lie === "redirect-away") {
      return void response.writeHead(307, { location: `http://${this.elsewhere}${request.url}` }).end();
    }
    response.writeHead(200, {
      "content-type": type,
      "content-length": bytes.length,
      "docker-content-digest": digest,
    });
    if (request.method === "HEAD") return void response.end();
    if (lie === "drip") return this.#drip(response, bytes);
    if (!this.#cut.has(digest)) return void response.end(bytes);
    response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.destroy());
  }

  #drip(response: ServerResponse, bytes: Buffer): void {
    let at = 0;
    const timer = setInterval(() => {
      if (response.destroyed || at >= bytes.length) clearInterval(timer);
      else response.write(bytes.subarray(at, ++at));
    }, 2);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** An archive of one file (POSIX.1-1988 ustar). */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write("0000755\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write("        ", 148);
  header.write("0", 156);
  header.write("ustar\u000000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}
