import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { ContentStore } from "@shallop/sdk/image";
import {
  assert,
  type Clock,
  errorCode,
  type Log,
  type Random,
  silentLog,
  systemClock,
  systemRandom,
} from "@shallop/sdk/internal";
import { RegistryFault, type RegistryFaultCode } from "./registry-fault.ts";
import { RegistryHandlers } from "./registry-handlers.ts";
import { RegistryRepositories } from "./registry-repository.ts";
import { parseRegistryPath } from "./registry-route.ts";
import { RegistryUploads } from "./registry-uploads.ts";

export interface RegistryServerOptions {
  /** Its data; made when missing. One server at a time. */
  readonly directory: string;
  /** 127.0.0.1 unless given: there is no login, so who reaches it may write. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  readonly blobBytesMax?: number;
}

export interface RegistryServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:5000`. */
  readonly url: string;
  /** Removes blobs that no manifest names, and uploads that were left. Runs by itself once an hour, too. */
  collectGarbage(): Promise<{ readonly removed: number; readonly removedBytes: number }>;
}

/** A layer of 16 GiB is beyond every image in use; a disk is not to be filled by one request. */
const blobBytesMaxDefault = 16 * 1024 ** 3;
const collectIntervalMs = 60 * 60 * 1000;
/** A blob may wait this long for the manifest that names it: a push of many layers over a slow line. */
const unnamedLifetimeMs = 24 * 60 * 60 * 1000;
/** A client that sends nothing for this long while it uploads is gone. */
const idleTimeoutMs = 60_000;
const headersTimeoutMs = 10_000;
/** What is read of a body that was refused, so that its sender gets to the answer. */
const discardBytesMax = 16 * 1024 * 1024;
/** On loopback: builds and nodes of one machine, each with a handful of connections. */
const connectionsMax = 256;

assert(headersTimeoutMs < idleTimeoutMs, "a connection's first bytes must be limited before its silence is");

const statusOf = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  TAG_INVALID: 400,
  TOOMANYREQUESTS: 429,
  UNSUPPORTED: 405,
  RANGE_INVALID: 416,
  TOO_LARGE: 413,
  UNKNOWN: 500,
} satisfies Record<RegistryFaultCode, number>;

/**
 * Starts the built-in registry: the OCI distribution specification 1.1, all of it that registries may implement. All
 * state is in files that are replaced as a whole, so it may be killed at any time.
 *
 * @throws the error of the system when the port cannot be had
 */
export async function startRegistryServer(options: RegistryServerOptions): Promise<RegistryServer> {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const log = options.log ?? silentLog;
  const { directory } = options;
  const store = await ContentStore.open(directory, { random });
  const repositories = new RegistryRepositories(directory, random);
  const limits = { blobBytesMax: options.blobBytesMax ?? blobBytesMaxDefault };
  const uploads = new RegistryUploads({ directory, store, random, limits });
  const handlers = new RegistryHandlers({ store, repositories, uploads });
  const server = createServer({ headersTimeout: headersTimeoutMs, requestTimeout: 0 }, (request, response) => {
    void serve(handlers, request, response, log);
  });
  server.timeout = idleTimeoutMs;
  server.maxConnections = connectionsMax;
  const { host, port } = await listen(server, options.host ?? "127.0.0.1", options.port);
  const collectGarbage = async (): Promise<{ removed: number; removedBytes: number }> => {
    await uploads.removeStale(clock);
    const roots = await repositories.roots();
    return store.collect({ roots, keepSinceMs: clock.wallMs() - unnamedLifetimeMs });
  };
  const timer = clock.every(collectIntervalMs, () => {
    collectGarbage().catch((error: unknown) => log.error("collecting garbage failed", error));
  });
  return {
    host,
    port,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    collectGarbage,
    [Symbol.asyncDispose]: async () => {
      timer.cancel();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Where the built-in registry of a node keeps its data. */
export const registryDirectory = (dataDirectory: string): string => join(dataDirectory, "registry");

function listen(
  server: ReturnType<typeof createServer>,
  host: string,
  port: number,
): Promise<{ readonly host: string; readonly port: number }> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      const address = server.address();
      assert(address !== null && typeof address === "object", "a TCP server has an address");
      resolve({ host, port: (address satisfies AddressInfo).port });
    });
  });
}

async function serve(
  handlers: RegistryHandlers,
  request: IncomingMessage,
  response: ServerResponse,
  log: Log,
): Promise<void> {
  // Old clients look for it before they speak to us.
  response.setHeader("Docker-Distribution-Api-Version", "registry/2.0");
  response.on("error", () => undefined);
  try {
    const url = URL.parse(`http://registry${request.url ?? "/"}`);
    const route = url === null ? undefined : parseRegistryPath(url.pathname);
    if (url === null || route === undefined) throw new RegistryFault("NAME_UNKNOWN", "there is nothing at this path");
    await handlers.handle(route, { request, response, query: url.searchParams });
  } catch (error) {
    refuse(request, response, error, log);
  }
}

/** Closing at once would take the answer with it, while the client still sends. */
function discard(request: IncomingMessage): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > discardBytesMax) request.destroy();
  });
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown, log: Log): void {
  const isGone = request.destroyed && !request.complete;
  if (!(error instanceof RegistryFault) && !isGone && errorCode(error) !== "ECONNRESET") {
    log.error("a request failed", error, { method: request.method, url: request.url?.slice(0, 200) });
  }
  if (response.headersSent || isGone) {
    response.destroy();
    return;
  }
  const fault =
    error instanceof RegistryFault ? error : new RegistryFault("UNKNOWN", "the registry failed; its log says why");
  if (!request.complete) discard(request);
  const body = JSON.stringify({ errors: [{ code: fault.code, message: fault.message, detail: {} }] });
  response.writeHead(statusOf[fault.code], {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}
