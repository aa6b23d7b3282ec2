import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer, type Server as SecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { ContentStore, RegistryUsers } from "@shallop/sdk/image";
import { assert, type Clock, type Log, type Random, silentLog, systemClock, systemRandom } from "@shallop/sdk/internal";
import { BlobHandlers } from "./blobs.ts";
import { Claims } from "./claims.ts";
import { GarbageCollector, type GarbagePolicy, type GarbageReport } from "./garbage.ts";
import { RegistryHandlers } from "./handlers.ts";
import { type LoginKind, RegistryLogin } from "./login.ts";
import { ManifestHandlers } from "./manifests.ts";
import { QuotaKeeper, type QuotaLimits } from "./quota.ts";
import { RegistryRepositories } from "./repositories.ts";
import { serveRequest } from "./serve-request.ts";
import { RegistryTokens } from "./tokens.ts";
import { UpstreamCache, type UpstreamSettings } from "./upstream.ts";
import { RegistryUploads } from "./uploads.ts";

/** A key and its certificate, PEM. */
export interface TlsIdentity {
  readonly key: string;
  readonly certificate: string;
}

export interface RegistryListener {
  /** 127.0.0.1 unless given. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** `none` unless given: who reaches it may write. */
  readonly login?: LoginKind;
  /** Served by HTTPS with this. */
  readonly tls?: TlsIdentity;
}

export interface RegistryServerOptions extends RegistryListener {
  /** Its data; made when missing. One server at a time. */
  readonly directory: string;
  /** Where it listens besides. */
  readonly more?: readonly RegistryListener[];
  /** Signs tokens, and is the platform's own login. Drawn anew when absent: then tokens end with the process. */
  readonly secret?: string;
  readonly quota?: QuotaLimits;
  readonly upstream?: UpstreamSettings;
  readonly garbage?: Omit<GarbagePolicy, "isCopy">;
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
  /** Of all listeners, in order. */
  readonly urls: readonly string[];
  /** Serves with another certificate from now on. */
  renew(tls: TlsIdentity): void;
  /** Removes what nothing needs. Runs by itself once an hour, too. */
  collectGarbage(): Promise<GarbageReport>;
}

/** A layer of 16 GiB is beyond every image in use; a disk is not to be filled by one request. */
const blobBytesMaxDefault = 16 * 1024 ** 3;
const collectIntervalMs = 60 * 60 * 1000;
/** A client that sends nothing for this long while it uploads is gone. */
const idleTimeoutMs = 60_000;
const headersTimeoutMs = 10_000;
/** Builds and nodes, each with a handful of connections. */
const connectionsMax = 256;

assert(headersTimeoutMs < idleTimeoutMs, "a connection's first bytes must be limited before its silence is");

/** Where the users of a registry are kept, below its directory. */
export const usersFile = (directory: string): string => join(directory, "users.json");

/**
 * Starts the built-in registry: the OCI distribution specification 1.1, all of it that registries may implement. All
 * state is in files that are replaced as a whole, so it may be killed at any time.
 *
 * @throws the error of the system when a port cannot be had
 */
export async function startRegistryServer(options: RegistryServerOptions): Promise<RegistryServer> {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const log = options.log ?? silentLog;
  const { directory } = options;
  const parts = await openParts(options, { clock, random, log });
  const users = new RegistryUsers(usersFile(directory), random);
  const secret = options.secret ?? random.token(32);
  const login = new RegistryLogin({ users, tokens: new RegistryTokens(secret, clock, random), clock, secret });
  const garbage = new GarbageCollector(
    { ...parts, clock, log },
    { ...options.garbage, isCopy: (name) => parts.upstream.isCopy(name) },
  );
  await using opened = new AsyncDisposableStack();
  opened.defer(() => parts.upstream.close());
  const servers: Listening[] = [];
  for (const listener of [options, ...(options.more ?? [])]) {
    const { login: kind = "none", tls } = listener;
    const place = { kind, secure: tls !== undefined };
    const serve = (request: IncomingMessage, response: ServerResponse): void =>
      void serveRequest({ handlers: parts.handlers, login, log }, place, request, response);
    servers.push(opened.adopt(await listen(listener, serve), (server) => server.close()));
  }
  const collecting = clock.every(collectIntervalMs, () => {
    garbage.run().catch((error: unknown) => log.error("collecting garbage failed", error));
  });
  opened.defer(() => collecting.cancel());
  const [first] = servers;
  assert(first !== undefined, "there is a first listener");
  const owned = opened.move();
  return {
    host: first.host,
    port: first.port,
    url: first.url,
    urls: servers.map(({ url }) => url),
    renew: (tls) => servers.forEach((server) => server.renew(tls)),
    collectGarbage: () => garbage.run(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function openParts(
  options: RegistryServerOptions,
  { clock, random, log }: { readonly clock: Clock; readonly random: Random; readonly log: Log },
) {
  const { directory } = options;
  const store = await ContentStore.open(directory, { random });
  const repositories = new RegistryRepositories(directory, random);
  const quota = new QuotaKeeper(options.quota ?? {}, store, repositories);
  const claims = new Claims({ store, repositories, clock });
  const limits = { blobBytesMax: options.blobBytesMax ?? blobBytesMaxDefault };
  const uploads = new RegistryUploads({ directory, store, random, limits, quota, claims });
  await uploads.recount();
  const upstream = new UpstreamCache(options.upstream, {
    ...{ directory, store, repositories, claims, quota, clock, random, log },
  });
  const shared = { store, repositories, uploads, claims, quota, upstream, clock };
  const handlers = new RegistryHandlers({
    ...shared,
    blobs: new BlobHandlers(shared),
    manifests: new ManifestHandlers(shared),
  });
  return { ...shared, handlers };
}

/** Where the built-in registry of a node keeps its data. */
export const registryDirectory = (dataDirectory: string): string => join(dataDirectory, "registry");

interface Listening {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  renew(tls: TlsIdentity): void;
  close(): Promise<void>;
}

async function listen(
  { host = "127.0.0.1", port: wanted, tls }: RegistryListener,
  serve: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Listening> {
  const limits = { headersTimeout: headersTimeoutMs, requestTimeout: 0 };
  const secure: SecureServer | undefined =
    tls === undefined ? undefined : createSecureServer({ ...limits, ...contextOf(tls) }, serve);
  const server: Server = secure ?? createServer(limits, serve);
  server.timeout = idleTimeoutMs;
  server.maxConnections = connectionsMax;
  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", reject);
    server.listen(wanted, host, () => {
      const address = server.address();
      assert(address !== null && typeof address === "object", "a TCP server has an address");
      resolve((address satisfies AddressInfo).port);
    });
  });
  return {
    host,
    port,
    url: `${secure === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${port}`,
    renew: (fresh) => secure?.setSecureContext(contextOf(fresh)),
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const contextOf = ({ key, certificate }: TlsIdentity) => ({ key, cert: certificate });
