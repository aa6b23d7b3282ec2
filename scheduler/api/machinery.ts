import type { KindDefinition, Subresource, ValidationSettings } from "@shallop/sdk/api";
import type { ImageReference } from "@shallop/sdk/image";
import type { Clock, Log, Random } from "@shallop/sdk/internal";
import type { ObjectStore } from "./objects.ts";
import type { User } from "./user.ts";

/** What the verbs work with. */
export interface Machinery {
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly validation: ValidationSettings;
  /** What an image name means; one without a registry belongs to the built-in one. @throws ImageFault */
  readonly parseImage: (image: string) => ImageReference;
}

/** What a request is about: a collection, or an object of it. */
export interface Target {
  readonly kind: KindDefinition;
  /** Undefined for kinds without namespace, and for collections over all namespaces. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: Subresource | undefined;
}

export interface ObjectTarget extends Target {
  readonly name: string;
}

export type FieldValidation = "Strict" | "Warn" | "Ignore";

export interface WriteOptions {
  readonly user: User;
  /** Do everything but write. */
  readonly dryRun?: boolean;
  /** What to do about unknown fields. Default Warn, as apiserver's. */
  readonly fieldValidation?: FieldValidation;
  /** Fields that the body repeats; unknown ones are found by the verb. */
  readonly duplicateFields?: readonly string[];
  /** Who owns what is written: `fieldManager`, or the first word of the user agent. */
  readonly fieldManager?: string;
  /** The state that is written says itself who owns what: server-side apply. */
  readonly applied?: boolean;
  /** Called with each `Warning` header's text. */
  readonly warn?: (text: string) => void;
}

/** How often a write without a resourceVersion is tried again when another came between (apiserver: 5). */
export const writeAttemptsMax = 5;
