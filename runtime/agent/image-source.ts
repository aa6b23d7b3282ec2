import type { WantedPurpose } from "../component/requirements.ts";
import type { LocalImage } from "../image/local-image.ts";
import type { VariantWish } from "@shallop/sdk/api";
import type { GateQuestion } from "./image-gate.ts";

/** An image that is on this node, with the variant that runs here prepared. */
export interface PreparedImage {
  readonly image: LocalImage;
  /** `registry/repository@sha256:…` of the variant. */
  readonly imageId: string;
  /** Why this variant, in a sentence. */
  readonly reason: string;
  /** What its component imports and the image does not list. */
  readonly unlistedImports?: readonly string[];
}

/** What was wanted, and what was chosen of it. */
export interface WantedVariant {
  readonly reference: string;
  readonly wish: VariantWish;
  readonly purpose: WantedPurpose;
  readonly image: PreparedImage;
}

/** Where the agent gets images from, ready to start. */
export interface ImageSource {
  /** Whether the image may run; asked before it is pulled, and before each start. @throws ImageFault POLICY_DENIED … */
  admit(question: GateQuestion, signal: AbortSignal): Promise<void>;
  /**
   * Pulls what is missing, chooses the variant, prepares it. Quick when all that is done. @throws ImageFault, PodFault
   */
  prepare(reference: string, wish: VariantWish, signal: AbortSignal, purpose?: WantedPurpose): Promise<PreparedImage>;
  /** Is there another variant that could run here and that the wish allows? */
  hasOther(from: WantedVariant): Promise<boolean>;
  /**
   * Pods of this variant do not come up here: another one from now on, prepared. `why` ends the sentence "the variant …".
   * @throws ImageFault, PodFault when there is none, or it cannot be prepared
   */
  fallBack(from: WantedVariant, why: string, signal: AbortSignal): Promise<PreparedImage>;
  /** Lets go of what is not among the references; they are asked for when nothing is being prepared. */
  retain(references: () => ReadonlySet<string>): Promise<void>;
}
