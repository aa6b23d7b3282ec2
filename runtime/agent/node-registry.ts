import { readFile } from "node:fs/promises";
import path from "node:path";
import { pods, revisions } from "@shallop/sdk/api";
import type { ApiClient } from "@shallop/sdk/client";
import {
  DockerCredentials,
  RegistryClient,
  type RegistryEndpoint,
  type RegistryHost,
  registrySecret,
} from "@shallop/sdk/image";
import type { Clock, Log, Random } from "@shallop/sdk/internal";
import {
  type RegistryListener,
  type RegistryServer,
  registryDirectory,
  startRegistryServer,
  type TlsIdentity,
} from "../image/registry/server.ts";
import { imageOf } from "./manifest.ts";
import type { Membership } from "./membership.ts";
import type { RegistrySettings } from "./registry-settings.ts";

export interface NodeRegistryOptions {
  readonly dataDirectory: string;
  readonly dockerConfigDirectory?: string | undefined;
  readonly settings: RegistrySettings;
  /** By whose certificate it serves others, when it was given none. */
  readonly membership: Promise<Membership>;
  /** For asking what runs. */
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The built-in registry on this node, with how the node itself reaches it. */
export interface NodeRegistry extends AsyncDisposable {
  readonly server: RegistryServer;
  readonly endpoint: RegistryEndpoint;
  /** `https://10.0.0.1:5443`, when others may reach it. */
  readonly outerUrl: string | undefined;
  /** The node's certificate is another one now. */
  renew(membership: Membership): void;
}

/** Certificates of files are read again this often: they are renewed by programs that do not know us. */
const certificateReadMs = 60 * 60_000;

/** Where the platform's own login to its registry is kept. */
const secretFile = (dataDirectory: string): string => path.join(registryDirectory(dataDirectory), "secret");

/** Starts the built-in registry. @throws the error of the system when a port cannot be had; ImageFault of the secret */
export async function startNodeRegistry(options: NodeRegistryOptions): Promise<NodeRegistry> {
  const { settings, dataDirectory, clock, random, log } = options;
  const { port, login, listen } = settings;
  await using opened = new AsyncDisposableStack();
  const guarded = login !== "none" || listen !== undefined;
  const secret = guarded ? await registrySecret(secretFile(dataDirectory), random) : undefined;
  const upstreamClient = opened.use(upstreamClientOf(options));
  const outer: RegistryListener | undefined =
    listen === undefined
      ? undefined
      : { ...listen, login: login === "basic" ? "basic" : "token", tls: await identityOf(options) };
  const server = opened.use(
    await startRegistryServer({
      directory: registryDirectory(dataDirectory),
      port,
      login,
      ...(outer === undefined ? {} : { more: [outer] }),
      ...(secret === undefined ? {} : { secret }),
      quota: settings.quota,
      upstream: { registries: hostsOf(settings), client: upstreamClient },
      garbage: { untaggedLifetimeMs: settings.untaggedLifetimeMs, inUse: () => digestsInUse(options.client) },
      clock,
      random,
      log,
    }),
  );
  if (settings.tls !== undefined) opened.use(rereading(options, server));
  const owned = opened.move();
  return {
    server,
    endpoint: { url: server.url, ...(login === "none" || secret === undefined ? {} : { token: secret }) },
    outerUrl: server.urls[1],
    renew: (membership) => {
      if (settings.tls === undefined) server.renew(membership);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const hostsOf = ({ upstreams }: RegistrySettings): ReadonlyMap<string, RegistryHost> =>
  new Map([...upstreams].map(([name, { host }]) => [name, host]));

function upstreamClientOf({ settings, dockerConfigDirectory, clock, random }: NodeRegistryOptions): RegistryClient {
  const places = [...settings.upstreams.values()];
  return new RegistryClient({
    credentials: new DockerCredentials(dockerConfigDirectory),
    endpoints: new Map(places.flatMap(({ host, url }) => (url === undefined ? [] : [[host, { url }] as const]))),
    clock,
    random,
  });
}

async function identityOf({ settings, membership }: NodeRegistryOptions): Promise<TlsIdentity> {
  if (settings.tls === undefined) return membership;
  const { certificateFile, keyFile } = settings.tls;
  const [certificate, key] = await Promise.all([readFile(certificateFile, "utf8"), readFile(keyFile, "utf8")]);
  return { certificate, key };
}

function rereading(options: NodeRegistryOptions, server: RegistryServer): Disposable {
  const { clock, log } = options;
  const timer = clock.every(certificateReadMs, () => {
    identityOf(options).then(
      (identity) => server.renew(identity),
      (error: unknown) => log.error("the registry's certificate could not be read again", error),
    );
  });
  return { [Symbol.dispose]: () => timer.cancel() };
}

/** The digests that revisions and pods of the whole cluster name; undefined when the control plane does not say. */
async function digestsInUse(client: ApiClient): Promise<ReadonlySet<string> | undefined> {
  try {
    const [revisionList, podList] = await Promise.all([client.list(revisions), client.list(pods)]);
    const references = [
      ...revisionList.items.map((revision) => imageOf(revision) ?? ""),
      ...podList.items.flatMap((pod) => [
        ...pod.spec.containers.map(({ image }) => image),
        ...(pod.status?.containerStatuses ?? []).map(({ imageID }) => imageID),
      ]),
    ];
    return new Set(references.map((reference) => reference.slice(reference.indexOf("@") + 1)));
  } catch {
    return undefined;
  }
}
