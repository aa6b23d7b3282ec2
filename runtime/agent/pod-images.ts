import { variantWishOf } from "@shallop/sdk/api";
import { PodFault } from "../pod/pod-runtime.ts";
import type { ImageSource, PreparedImage } from "./image-source.ts";
import { servingContainer } from "./manifest.ts";
import { containersOf, isPlanned, nativeNeed, purposeOf } from "./pod-plan.ts";
import type { PodRecord } from "./pod-record.ts";

/** The images of one pod: admitted by the policies, prepared, and which of their variants was chosen. */
export class PodImages {
  readonly #pod: { readonly record: PodRecord };
  readonly #source: ImageSource;
  readonly #chosen: (prepared: PreparedImage) => void;
  #serving: PreparedImage | undefined;
  /** Of a pod of several containers, by name. */
  #byContainer: ReadonlyMap<string, PreparedImage> = new Map();

  /** `chosen` notes in the pod's record which variant it is. */
  constructor(pod: { readonly record: PodRecord }, source: ImageSource, chosen: (prepared: PreparedImage) => void) {
    this.#pod = pod;
    this.#source = source;
    this.#chosen = chosen;
  }

  /** That of the serving container, when it is prepared. */
  get serving(): PreparedImage | undefined {
    return this.#serving;
  }

  /** The serving container's image is this one from now on. */
  choose(prepared: PreparedImage): void {
    this.#serving = prepared;
    this.#chosen(prepared);
  }

  /** Pulls, chooses and prepares what the pod needs to start. @throws ImageFault, PodFault UNSUPPORTED */
  async prepare(signal: AbortSignal): Promise<void> {
    this.choose(await this.prepareServing(signal));
    await this.#prepareContainers(signal);
  }

  /** Prepares that of the serving container; what was chosen before stays noted. @throws ImageFault, PodFault */
  async prepareServing(signal: AbortSignal): Promise<PreparedImage> {
    const { manifest } = this.#pod.record;
    const { image } = servingContainer(manifest.spec);
    await this.admit(signal);
    const need = nativeNeed(manifest);
    const wish = need === undefined ? variantWishOf(manifest.annotations) : "native";
    const prepared = await this.#source.prepare(image, wish, signal, purposeOf(manifest));
    // The wish is a preference: an image without a native variant would run without what the pod asks for.
    if (need !== undefined && prepared.image.variant !== "native")
      throw new PodFault(
        "UNSUPPORTED",
        `image ${image} has no native variant that can run here, and a component cannot be this pod: ${need}`,
      );
    return (this.#serving = prepared);
  }

  /** Every image of the pod, by the policies of this moment. @throws ImageFault POLICY_DENIED … */
  async admit(signal: AbortSignal, prepared?: PreparedImage): Promise<void> {
    const { namespace, spec } = this.#pod.record.manifest;
    const { unlistedImports } = prepared ?? {};
    const known = {
      ...(prepared === undefined ? {} : { variant: prepared.image.variant }),
      ...(unlistedImports === undefined ? {} : { unlistedImports }),
    };
    for (const { image } of containersOf(spec)) await this.#source.admit({ namespace, image, ...known }, signal);
  }

  /** Those of all containers, by name, of a pod that is not one program. @throws ImageFault, PodFault UNSUPPORTED */
  async byContainer(signal: AbortSignal): Promise<ReadonlyMap<string, PreparedImage>> {
    if (this.#byContainer.size === 0) await this.#prepareContainers(signal);
    return this.#byContainer;
  }

  async #prepareContainers(signal: AbortSignal): Promise<void> {
    const { record } = this.#pod;
    if (!isPlanned(record)) return;
    const images = new Map<string, PreparedImage>();
    for (const { name = "", image } of containersOf(record.manifest.spec)) {
      const prepared = await this.#source.prepare(image, "native", signal);
      if (prepared.image.variant !== "native") {
        const need = nativeNeed(record.manifest) ?? "its containers are native";
        throw new PodFault("UNSUPPORTED", `image ${image} has no variant that can run in this pod natively: ${need}`);
      }
      images.set(name, prepared);
    }
    this.#byContainer = images;
  }
}
