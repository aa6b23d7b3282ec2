import type { Revision } from "@shallop/sdk/api";
import { Fault } from "@shallop/sdk/internal";

/** Says what an image name means now. */
export interface ImageResolver {
  /** `registry/repository@sha256:…`, for a container of the revision. @throws ResolveFault */
  resolve(image: string, signal: AbortSignal, revision: Revision): Promise<string>;
}

export type ResolveFaultCode =
  /** The name is no image reference. */
  | "REFERENCE_INVALID"
  /** The registry has no such image. */
  | "IMAGE_UNKNOWN"
  /** The registry wants other credentials. */
  | "NOT_ALLOWED"
  /** The registry does not answer, or not as a registry does. */
  | "REGISTRY_FAILED"
  /** An image policy refuses it. */
  | "POLICY_DENIED"
  /** It asks for more than what runs, and an image policy wants that approved. */
  | "APPROVAL_REQUIRED";

/** The message says what to do. */
export class ResolveFault extends Fault<ResolveFaultCode> {}
