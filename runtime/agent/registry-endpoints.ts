import { DockerCredentials, RegistryClient } from "@shallop/sdk/image";
import type { MemberClient } from "./member-client.ts";
import type { Membership } from "./membership.ts";
import { addressOf, type NodePlace, type NodeSettings } from "./node-place.ts";
import { type NodeRegistry, startNodeRegistry } from "./node-registry.ts";
import { portFault } from "./port-fault.ts";

/** Starts the built-in registry where this node is to have it. @throws AgentFault IN_USE when its port is taken */
export function startRegistry(
  settings: NodeSettings,
  membership: Promise<Membership>,
  client: MemberClient,
): Promise<NodeRegistry | undefined> {
  const { registry, dataDirectory, dockerConfigDirectory, clock, random, log } = settings;
  if (registry === undefined) return Promise.resolve(undefined);
  const options = { dataDirectory, dockerConfigDirectory, membership, client, clock, random, log };
  return startNodeRegistry({ settings: registry, ...options }).catch((error: unknown) => {
    const { listen } = registry;
    const isOuter = listen !== undefined && (error as { port?: unknown }).port === listen.port;
    return portFault(isOuter ? "registry-listen" : "registry-port", isOuter ? listen.port : registry.port)(error);
  });
}

/** The registry host that means the built-in one on this node. */
export const builtinRegistryOf = ({ settings, membership }: NodePlace): string =>
  settings.builtinRegistry ?? membership.builtinRegistry;

/** Reads registries as this node knows them: their endpoints, mirrors and credentials. */
export function registryClient({ settings, endpoints }: NodePlace): RegistryClient {
  return new RegistryClient({
    endpoints,
    mirrors: settings.mirrors,
    credentials: new DockerCredentials(settings.dockerConfigDirectory),
    clock: settings.clock,
    random: settings.random,
  });
}

/** A node that has the built-in registry asks it; every other reaches it through the API server, with its own token. */
export function nameBuiltinRegistry(place: NodePlace, { server, token, authority }: Membership): void {
  const { endpoints, registry } = place;
  const endpoint = registry?.endpoint ?? { url: server, token, authority };
  endpoints.set(builtinRegistryOf(place), endpoint);
  // By the name that others know it by, it is the same.
  if (registry?.outerUrl !== undefined) endpoints.set(outerHost(place.settings, registry.outerUrl), endpoint);
}

/** How others call the registry that listens at `url`. */
const outerHost = (settings: NodeSettings, url: string): string =>
  `${addressOf(settings.registry?.listen?.host ?? settings.host)}:${new URL(url).port || "443"}`;
