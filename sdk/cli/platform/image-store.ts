import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  ContentStore,
  DockerCredentials,
  type ImageHome,
  ImageTags,
  isLoopbackHost,
  parseReference,
  RegistryClient,
  type RegistryEndpoint,
} from "../../image/index.ts";
import { systemRandom } from "../../internal/random.ts";
import { type Context, dataDirectoryOf } from "../context.ts";
import { registrySecretFile } from "./programs.ts";
import { platformStatus } from "./status.ts";

/** The images of this user on this machine, and a client for registries. */
export interface LocalImages extends ImageHome {
  readonly registry: RegistryClient;
  /** Where they are. */
  readonly directory: string;
  /** The built-in registry, with this user's way in. */
  readonly builtin: { readonly host: string; readonly token?: string };
}

/** Where the built-in registry is unless a platform says otherwise. */
export const registryDefault = "127.0.0.1:5000";

export async function openImages(context: Context, flags: { readonly data?: string }): Promise<LocalImages> {
  const directory = join(context.cacheDirectory, "images");
  const [store, tags, defaultRegistry] = await Promise.all([
    ContentStore.open(directory),
    ImageTags.open(directory),
    builtinRegistry(context, flags),
  ]);
  const dockerDirectory = context.environment["DOCKER_CONFIG"];
  const endpoints = await platformLogin(context, flags, defaultRegistry);
  const token = endpoints.get(defaultRegistry)?.token;
  return {
    store,
    tags,
    directory,
    builtin: { host: defaultRegistry, ...(token === undefined ? {} : { token }) },
    registry: new RegistryClient({
      credentials: dockerDirectory === undefined ? new DockerCredentials() : new DockerCredentials(dockerDirectory),
      endpoints,
      clock: context.clock,
      random: systemRandom,
    }),
    reference: (text) => parseReference(text, { defaultRegistry }),
  };
}

/** Who may read the platform's own secret needs no other login to its registry. */
async function platformLogin(
  context: Context,
  flags: { readonly data?: string },
  registry: string,
): Promise<ReadonlyMap<string, RegistryEndpoint>> {
  if (!isLoopbackHost(registry)) return new Map();
  const path = registrySecretFile(dataDirectoryOf(context, flags));
  const secret = await readFile(path, "utf8").catch(() => undefined);
  return secret === undefined ? new Map() : new Map([[registry, { url: `http://${registry}`, token: secret.trim() }]]);
}

/** The running platform's registry; the usual address when none runs, since images can be built before. */
async function builtinRegistry(context: Context, flags: { readonly data?: string }): Promise<string> {
  const status = await platformStatus(dataDirectoryOf(context, flags)).catch(() => undefined);
  const agent = status?.programs.find(({ name }) => name === "node-agent");
  return agent?.facts["registry"]?.replace(/^https?:\/\//, "") ?? registryDefault;
}
