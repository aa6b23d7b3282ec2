import {
  ContentStore,
  type CredentialSource,
  findImage,
  ImageFault,
  type ImageHome,
  type ImageReference,
  ImageTags,
  noCredentials,
  parseReference,
  RegistryClient,
  registryHost,
  repositoryName,
  type StoredImage,
  storedImages,
} from "@shallop/sdk/image";
import { type Clock, type Random, errorCode } from "@shallop/sdk/internal";
import { DockerFault } from "../http/docker-fault.ts";

export interface ImageLibrarySettings {
  readonly directory: string;
  /** Registry of names without a host. */
  readonly builtinRegistry: string;
  /** The platform's own way into it, when it asks for a login. */
  readonly registryToken?: string;
  /** Of the built-in registry's blobs, where that is this machine's. */
  readonly registryDirectory: string;
  readonly clock: Clock;
  readonly random: Random;
}

const dockerHub = "docker.io";

/** The images that `docker images` shows: a content store with names, and the way to registries. */
export class ImageLibrary implements ImageHome {
  readonly store: ContentStore;
  readonly tags: ImageTags;
  readonly clock: Clock;
  readonly directory: string;
  readonly builtinRegistry: string;
  readonly #settings: ImageLibrarySettings;

  private constructor(settings: ImageLibrarySettings, store: ContentStore, tags: ImageTags) {
    this.store = store;
    this.tags = tags;
    this.clock = settings.clock;
    this.directory = settings.directory;
    this.builtinRegistry = settings.builtinRegistry;
    this.#settings = settings;
  }

  static async open(settings: ImageLibrarySettings): Promise<ImageLibrary> {
    const store = await ContentStore.open(settings.directory);
    return new ImageLibrary(settings, store, await ImageTags.open(settings.directory));
  }

  /**
   * Clients write `docker.io/library/` before every name without a host before they send it, so what they mean by that is
   * such a name: one of the built-in registry. @throws ImageFault REFERENCE_INVALID
   */
  reference(text: string): ImageReference {
    const reference = parseReference(text, { defaultRegistry: this.builtinRegistry });
    if (reference.registry !== dockerHub) return reference;
    const repository = repositoryName(reference.repository.replace(/^library\//, ""));
    return { ...reference, registry: registryHost(this.builtinRegistry), repository };
  }

  /** Where a name without a host is looked for when the built-in registry has none of it: Docker Hub. */
  onDockerHub(reference: ImageReference): ImageReference | undefined {
    const { registry, repository } = reference;
    if (registry !== this.builtinRegistry) return undefined;
    const name = repository.includes("/") ? repository : repositoryName(`library/${repository}`);
    return { ...reference, registry: registryHost(dockerHub), repository: name };
  }

  /** As people write it: without the built-in registry's host. */
  familiar(name: string): string {
    const prefix = `${this.builtinRegistry}/`;
    return name.startsWith(prefix) ? name.slice(prefix.length) : name;
  }

  all(): Promise<readonly StoredImage[]> {
    return storedImages(this.store, this.tags);
  }

  /** By name or the begin of an id. @throws DockerFault NOT_FOUND */
  async find(text: string): Promise<StoredImage> {
    try {
      return findImage(this, await this.all(), text);
    } catch (error) {
      throw noSuchImage(error, text);
    }
  }

  /** A client for registries that shows a login and nothing of the platform's own: whether it is taken is asked so. */
  visitor(credentials: CredentialSource): RegistryClient {
    const { clock, random } = this.#settings;
    return new RegistryClient({ credentials, clock, random, endpoints: new Map() });
  }

  /** A client for whoever sent a login along: who shows one for the built-in registry is that user there, with no more rights. */
  async clientFor(credentials: CredentialSource): Promise<RegistryClient> {
    const isUser = (await credentials.credentials(this.builtinRegistry)) !== undefined;
    return isUser ? this.visitor(credentials) : this.client(credentials);
  }

  /** A client for registries; for the built-in one it is the platform's own. */
  client(credentials: CredentialSource = noCredentials): RegistryClient {
    const { builtinRegistry, registryToken, clock, random } = this.#settings;
    return new RegistryClient({
      ...{ credentials, clock, random },
      endpoints:
        registryToken === undefined
          ? new Map()
          : new Map([[builtinRegistry, { url: `http://${builtinRegistry}`, token: registryToken }]]),
    });
  }

  /** What the built-in registry has of an image, too, is on the disk once. @throws ImageFault STORE_FAILED */
  async shareWithRegistry({ blobs }: StoredImage): Promise<void> {
    for (const digest of blobs.keys()) await this.store.shareWith(this.#settings.registryDirectory, digest);
  }

  get registryToken(): string | undefined {
    return this.#settings.registryToken;
  }
}

/** `docker run` pulls an image when it is told exactly this. */
export function noSuchImage(error: unknown, text: string): unknown {
  if (!(error instanceof ImageFault) || errorCode(error) !== "MANIFEST_UNKNOWN") return error;
  const named = /^(sha256:)?[0-9a-f]{12,64}$/.test(text) || /[:@][^/]*$/.test(text) ? text : `${text}:latest`;
  return new DockerFault("NOT_FOUND", `No such image: ${named}`, { cause: error });
}
