import { type ImageReference, ImageFault, type RegistryClient } from "@shallop/sdk/image";
import { type Evidence, type ImageDemands, readDemands, readEvidence } from "@shallop/sdk/trust";
import type { ImageKnowledge } from "./policed-image-resolver.ts";

/** knative/serving: `digest-resolution-timeout`. */
const timeoutMs = 10_000;

/** Asks the registry that has the image. */
export class RegistryKnowledge implements ImageKnowledge {
  readonly #client: RegistryClient;

  constructor(client: RegistryClient) {
    this.#client = client;
  }

  /** @throws ImageFault */
  async evidence(reference: ImageReference, signal: AbortSignal): Promise<readonly Evidence[]> {
    const { registry, repository, digest } = reference;
    if (digest === undefined) throw new ImageFault("REFERENCE_INVALID", "only an image with a digest has signatures");
    return readEvidence(this.#client, { registry, repository, digest }, bounded(signal));
  }

  /** @throws ImageFault */
  async demands(reference: ImageReference, signal: AbortSignal): Promise<ImageDemands> {
    const stop = bounded(signal);
    const root = await this.#client.manifest(reference, stop);
    return readDemands(root, (blob) => this.#client.bytes(reference, blob, stop));
  }
}

const bounded = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
