import { Fault } from "@shallop/sdk/internal";

export type ImageFaultCode =
  /** The text is no image reference. Message says what is wrong with it. */
  | "REFERENCE_INVALID"
  /** A filter of a list of images is not known, or its value says nothing. Message names those that there are. */
  | "FILTER_INVALID"
  /** The text is no digest, or its algorithm is not known. */
  | "DIGEST_INVALID"
  /** The registry or the store has no such tag, manifest or repository. */
  | "MANIFEST_UNKNOWN"
  /** A manifest, index or config is not what the image specification says. Message names every wrong field. */
  | "MANIFEST_INVALID"
  | "BLOB_UNKNOWN"
  /** The bytes do not have the digest that they were promised under. */
  | "DIGEST_MISMATCH"
  /** More or fewer bytes came than were promised. */
  | "SIZE_MISMATCH"
  /** A layer is not a well-formed archive, or reaches out of its directory. */
  | "LAYER_INVALID"
  /** A bound on bytes, entries or depth was passed. Message names the bound. */
  | "TOO_LARGE"
  /** No credentials, or wrong ones. */
  | "UNAUTHORIZED"
  /** The credentials are good and do not allow this. */
  | "DENIED"
  /** A credential file or helper could not be used. */
  | "CREDENTIALS_INVALID"
  /** No connection, or it broke or stalled, after the retries. */
  | "REGISTRY_UNREACHABLE"
  /** The registry answered with something that the distribution specification does not allow here. */
  | "REGISTRY_INVALID"
  /** The registry asked for a pause that is longer than we wait. */
  | "RATE_LIMITED"
  /** An image policy refuses it. Message says which, and why. */
  | "POLICY_DENIED"
  /** No variant of the image can run where it is wanted. Message says why for each. */
  | "NO_USABLE_VARIANT"
  /** This machine lacks something that is needed. Message says what. */
  | "UNSUPPORTED"
  /** The local store could not be written or read: disk full, no permission. */
  | "STORE_FAILED";

/** Everything that can go wrong with images, on any machine: reading, verifying, moving and storing them. */
export class ImageFault extends Fault<ImageFaultCode> {}
