import {
  formatReference,
  type ImageReference,
  parseReference,
  pinned,
  type RegistryClient,
  type RegistryHost,
} from "@shallop/sdk/image";
import { describeError, errorCode } from "@shallop/sdk/internal";
import { type ImageResolver, ResolveFault, type ResolveFaultCode } from "./image-resolver.ts";

/** knative/serving: `digest-resolution-timeout`. */
const resolveTimeoutMs = 10_000;

/** Asks the registry that an image names. */
export class RegistryImageResolver implements ImageResolver {
  readonly #client: RegistryClient;
  readonly #builtinRegistry: RegistryHost;
  readonly #aliases: ReadonlySet<string>;

  /**
   * @param builtinRegistry host of references that name none, `127.0.0.1:5000`
   * @param aliases hosts by which people reach the same registry from elsewhere; nodes get the one name that all know
   */
  constructor(client: RegistryClient, builtinRegistry: RegistryHost, aliases: ReadonlySet<string> = new Set()) {
    this.#client = client;
    this.#builtinRegistry = builtinRegistry;
    this.#aliases = aliases;
  }

  async resolve(image: string, signal: AbortSignal): Promise<string> {
    const reference = this.#parse(image);
    // A digest is what it is; whether the registry has it is seen by the node that pulls it.
    if (reference.digest !== undefined) return formatReference(pinned(reference, reference.digest));
    const timeout = AbortSignal.timeout(resolveTimeoutMs);
    try {
      const { digest } = await this.#client.resolve(reference, AbortSignal.any([signal, timeout]));
      return formatReference(pinned(reference, digest));
    } catch (error) {
      signal.throwIfAborted();
      const name = formatReference(reference);
      const why = timeout.aborted ? `${reference.registry} did not answer within 10 s` : describeError(error);
      const code = codes[errorCode(error) ?? ""] ?? "REGISTRY_FAILED";
      throw new ResolveFault(
        code,
        `image "${name}" could not be resolved to a digest: ${why}; ${advice(code, reference)}`,
        {
          cause: error,
          retryable: true,
        },
      );
    }
  }

  #parse(image: string): ImageReference {
    try {
      const reference = parseReference(image, { defaultRegistry: this.#builtinRegistry });
      return this.#aliases.has(reference.registry) ? { ...reference, registry: this.#builtinRegistry } : reference;
    } catch (error) {
      throw new ResolveFault("REFERENCE_INVALID", `${describeError(error)}; correct the image of the container`, {
        cause: error,
      });
    }
  }
}

type RegistryFaultCode = Exclude<ResolveFaultCode, "POLICY_DENIED" | "APPROVAL_REQUIRED">;

const codes: Readonly<Record<string, RegistryFaultCode>> = {
  REFERENCE_INVALID: "REFERENCE_INVALID",
  MANIFEST_UNKNOWN: "IMAGE_UNKNOWN",
  UNAUTHORIZED: "NOT_ALLOWED",
  DENIED: "NOT_ALLOWED",
  CREDENTIALS_INVALID: "NOT_ALLOWED",
};

function advice(code: RegistryFaultCode, { registry }: ImageReference): string {
  switch (code) {
    case "IMAGE_UNKNOWN":
      return "push it, or correct the image of the container; it is looked for again by itself";
    case "NOT_ALLOWED":
      return `log in to ${registry} (docker login) as the user that runs the control plane`;
    case "REGISTRY_FAILED":
      return `see that ${registry} is running and can be reached from the control plane`;
    case "REFERENCE_INVALID":
      return "correct the image of the container";
    default:
      return code satisfies never;
  }
}
