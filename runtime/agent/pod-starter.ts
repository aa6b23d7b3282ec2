import { variantWishOf } from "@shallop/sdk/api";
import { podIpToken } from "../pod/containers/container-launch.ts";
import { PodFault, type PodLaunch, type RunningPod } from "../pod/pod-runtime.ts";
import type { PreparedImage } from "./image-source.ts";
import type { LocalPod } from "./local-pod.ts";
import { launchOf, servingContainer } from "./manifest.ts";
import type { PodImages } from "./pod-images.ts";
import { environmentOf, filesOf, isPlain, isPlanned, planOf, purposeOf, streamsOf } from "./pod-plan.ts";
import type { PodTools } from "./pod-tools.ts";

/**
 * A component that traps at its start may have met a bad moment; one that traps three times in a row will go on to. Where
 * its image has a native variant too, that one runs then.
 */
const startTriesMax = 3;

/** Starts one pod with the runtime of its variant, and with another variant when that one does not come up. */
export class PodStarter {
  readonly #pod: LocalPod;
  readonly #images: PodImages;
  readonly #tools: PodTools;

  constructor(pod: LocalPod, images: PodImages, tools: PodTools) {
    this.#pod = pod;
    this.#images = images;
    this.#tools = tools;
  }

  /**
   * Starts it; a component that does not come up gives way to a native variant, while whoever asked goes on waiting.
   * @throws PodFault; ImageFault POLICY_DENIED …; ApiFault when what it is given cannot be had
   */
  async start(prepared: PreparedImage, signal: AbortSignal): Promise<RunningPod> {
    const { manifest } = this.#pod;
    const wanted = {
      reference: servingContainer(manifest.spec).image,
      wish: variantWishOf(manifest.annotations),
      purpose: purposeOf(manifest),
      image: prepared,
    };
    for (let tries = 1; ; tries++) {
      try {
        return await this.#startOnce(prepared, signal);
      } catch (error) {
        if (signal.aborted || prepared.image.variant !== "wasm" || !isFailedStart(error)) throw error;
        if (!(await this.#tools.images.hasOther(wanted))) throw error;
        const isLate = error.code === "START_TIMEOUT";
        if (!isLate && tries < startTriesMax) continue;
        const often = isLate ? "" : ` ${String(tries)} times`;
        const why = `did not come up here${often} (${error.message})`;
        return this.#startOnce(this.#fellBack(await this.#tools.images.fallBack(wanted, why, signal)), signal);
      }
    }
  }

  async #startOnce(prepared: PreparedImage, signal: AbortSignal): Promise<RunningPod> {
    // What was prepared before a policy came is held to it, too.
    await this.#images.admit(signal, prepared);
    const runtime = this.#tools.runtime(prepared.image.variant);
    if (runtime === undefined) {
      throw new PodFault("UNSUPPORTED", `this node cannot run ${prepared.image.variant} variants`);
    }
    return runtime.start(await this.#launch(prepared, signal), signal);
  }

  #fellBack(other: PreparedImage): PreparedImage {
    this.#images.choose(other);
    this.#tools.note(this.#pod, { type: "Warning", reason: "VariantFellBack", message: other.reason });
    this.#tools.fellBack(this.#pod, other);
    return other;
  }

  async #launch({ image }: PreparedImage, signal: AbortSignal): Promise<PodLaunch> {
    const { manifest } = this.#pod;
    if (!isPlain(manifest)) return launchOf(this.#pod.record, image);
    const facts = { ...this.#tools.place, uid: this.#pod.record.apiUid ?? this.#pod.uid };
    const given = await this.#tools.given(manifest, signal);
    if (!isPlanned(this.#pod.record)) {
      const env = environmentOf(servingContainer(manifest.spec), { manifest, facts, given });
      // A component has no address.
      const streams = streamsOf(servingContainer(manifest.spec), manifest);
      const known = env.map(({ name, value }) => ({ name, value: value.replaceAll(podIpToken, "") }));
      const files = filesOf(servingContainer(manifest.spec), { manifest, facts, given });
      return {
        ...launchOf(this.#pod.record, image),
        ...{ env: known, purpose: purposeOf(manifest), streams },
        ...(files === undefined ? {} : { files }),
      };
    }
    const images = await this.#images.byContainer(signal);
    return launchOf(this.#pod.record, image, planOf({ manifest, images, facts, given }));
  }
}

const isFailedStart = (error: unknown): error is PodFault =>
  error instanceof PodFault && (error.code === "EXITED" || error.code === "START_TIMEOUT");
