import { setImmediate } from "node:timers/promises";
import type { NodeFeatures, VariantWish } from "@shallop/sdk/api";
import {
  type Digest,
  formatReference,
  ImageFault,
  parseDigest,
  parseReference,
  pinned,
  type Variant,
} from "@shallop/sdk/image";
import { type Log, SingleFlight } from "@shallop/sdk/internal";
import type { WantedPurpose } from "../component/requirements.ts";
import { type Choice, chooseVariant } from "../image/choose.ts";
import type { NodeImages, ResolvedImage } from "../image/node-images.ts";
import { ImportsUnmetFault, PodFault, type PodRuntime } from "../pod/pod-runtime.ts";
import type { GateQuestion, ImageGate } from "./image-gate.ts";
import type { ImageSource, PreparedImage, WantedVariant } from "./image-source.ts";

export interface VariantPreparerSettings {
  readonly images: Pick<NodeImages, "resolve" | "fetch" | "collect">;
  readonly gate: Pick<ImageGate, "check">;
  readonly runtimes: readonly PodRuntime[];
  readonly features: NodeFeatures;
  /** The node's, as images write it. */
  readonly architecture: string;
  /** What a reference without a registry belongs to. */
  readonly defaultRegistry: string;
  /** What is run first where a deployment says nothing; Wasm when absent. */
  readonly prefers?: Variant["kind"];
  readonly log: Log;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
}

/** What was found out about an image by trying, beside what it says of itself. */
interface Findings {
  readonly importsUnmet: Map<Digest, readonly string[]>;
  readonly startFailures: ReadonlyMap<Digest, string>;
  node: NodeFeatures;
}

/** What is wanted of an image. */
type Want = Omit<WantedVariant, "image">;

/** By which it is remembered; the reference comes last, and has no space in it. */
const keyOf = ({ purpose, wish, reference }: Want): string => `${purpose} ${wish} ${reference}`;

/** An image has a variant per platform; an index with more than this is no image that somebody made. */
const triesMax = 16;
/** Variants whose pods did not come up; the oldest are tried once more. */
const startFailuresMax = 1000;
/** Images whose preparation is remembered; the rest is asked again, which costs a look at the store. */
const preparedMax = 1000;

/** Brings images onto this node and gets the variant ready that is to run: Wasm first, native where it will not do. */
export class VariantPreparer implements ImageSource {
  readonly #settings: VariantPreparerSettings;
  readonly #flights = new SingleFlight<string, PreparedImage>();
  /** Preparations under way; images are not let go of meanwhile, nor the other way round. */
  readonly #preparing = new Set<Promise<unknown>>();
  #collecting: Promise<unknown> = Promise.resolve();
  /** By digest of the variant: it is the bytes that do not come up, whatever they are called. */
  readonly #startFailures = new Map<Digest, string>();
  readonly #preparedByKey = new Map<string, { readonly prepared: PreparedImage; readonly root: Digest }>();

  constructor(settings: VariantPreparerSettings) {
    this.#settings = settings;
  }

  admit(question: GateQuestion, signal: AbortSignal): Promise<void> {
    return this.#settings.gate.check(question, signal);
  }

  async prepare(
    reference: string,
    wish: VariantWish,
    signal: AbortSignal,
    purpose: WantedPurpose = "serve",
  ): Promise<PreparedImage> {
    signal.throwIfAborted();
    const want = { reference, wish, purpose };
    const key = keyOf(want);
    const known = this.#preparedByKey.get(key);
    if (known !== undefined) return known.prepared;
    // Whoever asked first may leave; those who came later still want it.
    const flight = this.#flights.run(key, () => this.#begin(want));
    return withSignal(flight, signal);
  }

  async hasOther({ reference, wish, image }: WantedVariant): Promise<boolean> {
    const { images, signal, defaultRegistry, features } = this.#settings;
    const resolved = await images.resolve(parseReference(reference, { defaultRegistry }), signal);
    const failed = [parseDigest(image.image.digest), "does not come up"] as const;
    const startFailures = new Map([...this.#startFailures, failed]);
    const findings = { importsUnmet: new Map<Digest, readonly string[]>(), startFailures, node: features };
    return this.#decide(resolved, wish, findings).kind === "chosen";
  }

  async fallBack({ image, ...want }: WantedVariant, why: string, signal: AbortSignal): Promise<PreparedImage> {
    this.#startFailures.set(parseDigest(image.image.digest), why);
    const [oldest] = this.#startFailures.keys();
    if (this.#startFailures.size > startFailuresMax && oldest !== undefined) this.#startFailures.delete(oldest);
    this.#preparedByKey.delete(keyOf(want));
    return this.prepare(want.reference, want.wish, signal, want.purpose);
  }

  /** What is wanted stays, the rest may go; what is not known by digest yet is not here either. */
  async retain(wanted: () => ReadonlySet<string>): Promise<void> {
    while (this.#preparing.size > 0) {
      await Promise.allSettled(this.#preparing);
      // Who waited for it hears of it before it is asked what is wanted.
      await setImmediate();
    }
    const references = wanted();
    const roots = new Set<string>();
    for (const reference of references) {
      const { digest } = this.#parse(reference) ?? {};
      if (digest !== undefined) roots.add(digest);
    }
    for (const [key, { root, prepared }] of this.#preparedByKey) {
      if (references.has(key.slice(key.lastIndexOf(" ") + 1))) roots.add(root).add(prepared.image.digest);
      else this.#preparedByKey.delete(key);
    }
    const collected = this.#settings.images.collect(roots);
    this.#collecting = collected.catch(() => undefined);
    const { removedBytes } = await collected;
    if (removedBytes > 0) this.#settings.log.info("images that nothing needs were removed", { bytes: removedBytes });
  }

  #begin(want: Want): Promise<PreparedImage> {
    const preparing = this.#collecting.then(() => this.#prepare(want));
    // Counted from now on, so that a collection that begins while this one waits, waits too.
    const counted = preparing.finally(() => this.#preparing.delete(counted));
    this.#preparing.add(counted);
    return counted;
  }

  async #prepare(want: Want): Promise<PreparedImage> {
    const { reference: text, wish } = want;
    const { images, signal, defaultRegistry, features } = this.#settings;
    const reference = parseReference(text, { defaultRegistry });
    const resolved = await images.resolve(reference, signal);
    const findings: Findings = { importsUnmet: new Map(), startFailures: this.#startFailures, node: features };
    for (let tries = 0; tries < triesMax; tries++) {
      const { variant, reason } = this.#choose(resolved, wish, findings);
      const prepared = await this.#try(resolved, { variant, purpose: want.purpose }, findings);
      if (prepared === undefined) continue;
      const imageId = formatReference(pinned(reference, variant.digest));
      const unlisted = this.#unlistedImports(prepared);
      const result: PreparedImage = {
        ...{ image: prepared, imageId, reason },
        ...(unlisted.length === 0 ? {} : { unlistedImports: unlisted }),
      };
      // A tag may move; only a digest always means the same.
      if (reference.digest !== undefined) this.#remember(keyOf(want), result, resolved.digest);
      return result;
    }
    throw new ImageFault("NO_USABLE_VARIANT", `${text}: none of its first ${String(triesMax)} variants can run here`);
  }

  #choose(resolved: ResolvedImage, wish: VariantWish, findings: Findings): { variant: Variant; reason: string } {
    const choice = this.#decide(resolved, wish, findings);
    if (choice.kind === "chosen") return choice;
    throw new ImageFault("NO_USABLE_VARIANT", `${formatReference(resolved.reference)}: ${choice.reason}`);
  }

  #decide(resolved: ResolvedImage, wish: VariantWish, findings: Findings): Choice {
    const { architecture, prefers } = this.#settings;
    return chooseVariant({
      variants: resolved.variants,
      architecture,
      wish,
      ...(prefers === undefined ? {} : { clusterPrefers: prefers }),
      ...findings,
    });
  }

  /** Undefined: this variant will not do here, and the findings say why, so that the next choice is another. */
  async #try(
    resolved: ResolvedImage,
    { variant, purpose }: { readonly variant: Variant; readonly purpose: WantedPurpose },
    findings: Findings,
  ): Promise<PreparedImage["image"] | undefined> {
    const { images, runtimes, signal } = this.#settings;
    const local = await images.fetch(resolved, variant, { signal });
    const runtime = runtimes.find((candidate) => candidate.variant === local.variant);
    try {
      if (runtime === undefined) throw new PodFault("UNSUPPORTED", `this node runs no ${local.variant} pods`);
      await runtime.prepare(local, signal, purpose);
      return local;
    } catch (error) {
      if (!(error instanceof PodFault) || (error.code !== "IMPORTS_UNMET" && error.code !== "UNSUPPORTED")) throw error;
      if (variant.kind === "wasm") findings.importsUnmet.set(variant.digest, importsOf(error));
      else findings.node = { ...findings.node, native: false, nativeMissing: error.message };
      return undefined;
    }
  }

  #unlistedImports(image: PreparedImage["image"]): readonly string[] {
    const runtime = this.#settings.runtimes.find(({ variant }) => variant === image.variant);
    return runtime?.unlistedImports?.(image) ?? [];
  }

  #remember(key: string, prepared: PreparedImage, root: Digest): void {
    this.#preparedByKey.set(key, { prepared, root });
    const [oldest] = this.#preparedByKey.keys();
    if (this.#preparedByKey.size > preparedMax && oldest !== undefined) this.#preparedByKey.delete(oldest);
  }

  #parse(reference: string): ReturnType<typeof parseReference> | undefined {
    try {
      return parseReference(reference, { defaultRegistry: this.#settings.defaultRegistry });
    } catch {
      // It could not be pulled either.
      return undefined;
    }
  }
}

const importsOf = (error: PodFault): readonly string[] =>
  error instanceof ImportsUnmetFault ? error.imports : [error.message];

function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
