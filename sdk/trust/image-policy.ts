import { matchesGlob } from "node:path";
import type { ImagePolicy } from "@shallop/sdk/api";
import { formatReference, type ImageReference } from "@shallop/sdk/image";
import { describeError } from "@shallop/sdk/internal";
import { type Evidence, verifyEvidence } from "./evidence.ts";
import { parseVerifyKey, type VerifyKey } from "./keys.ts";

/** Which image is to run where. The registry is the one that all nodes know, whatever name people have for it. */
export interface ImageQuestion {
  readonly namespace: string;
  readonly reference: ImageReference;
}

/** What is known of an image by now. A policy that asks for something that is not known yet does not refuse for it. */
export interface ImageFacts extends ImageQuestion {
  /** The reference is what a person wrote, so that its digest is theirs. */
  readonly asWritten?: boolean;
  /** What could run of it: `wasm`, `native`, or both. */
  readonly kinds?: readonly ("wasm" | "native")[];
  readonly evidence?: readonly Evidence[];
  /** What its component imports and the image does not list. */
  readonly unlistedImports?: readonly string[];
}

/** The policies that an image falls under. */
export const policiesFor = (policies: readonly ImagePolicy[], question: ImageQuestion): readonly ImagePolicy[] =>
  policies.filter(({ spec }) => {
    const { registry, repository } = question.reference;
    const isThere = (spec.namespaces ?? ["*"]).some((pattern) => matchesGlob(question.namespace, pattern));
    return isThere && spec.images.some((pattern) => matchesName(`${registry}/${repository}`, pattern));
  });

/** A port in the host is no part of a path, and `**` alone is everything. */
const matchesName = (name: string, pattern: string): boolean => pattern === "**" || matchesGlob(name, pattern);

export const asksForSignatures = (policies: readonly ImagePolicy[]): boolean =>
  policies.some(({ spec }) => spec.keys !== undefined && spec.keys.length > 0);

export const asksForWasm = (policies: readonly ImagePolicy[]): boolean =>
  policies.some(({ spec }) => spec.wasmOnly === true);

export const asksForApproval = (policies: readonly ImagePolicy[]): boolean =>
  policies.some(({ spec }) => spec.approveCapabilities === true);

/**
 * Why an image may not run, in a sentence, by the first policy that it falls under and that refuses it; undefined when
 * none does. Pure. Asked again with more facts as they become known: first the name, then the variants, then the
 * signatures.
 */
export function policyRefusal(policies: readonly ImagePolicy[], facts: ImageFacts): string | undefined {
  for (const policy of policiesFor(policies, facts)) {
    const why = refusalOf(policy, facts);
    if (why === undefined) continue;
    const { message } = policy.spec;
    const more = message === undefined ? "" : ` (${message})`;
    return `image policy ${policy.metadata.name} refuses ${formatReference(facts.reference)}: ${why}${more}`;
  }
  return undefined;
}

/** Enough to see what it is about. */
const importsShownMax = 10;

function refusalOf({ spec }: ImagePolicy, facts: ImageFacts): string | undefined {
  const { reference, kinds, evidence, unlistedImports = [] } = facts;
  if (spec.deny === true) return "nothing of that name may run";
  const { registries = [] } = spec;
  if (registries.length > 0 && !registries.some((pattern) => matchesGlob(reference.registry, pattern))) {
    return `images may come from ${registries.join(", ")} only`;
  }
  if (spec.digestRequired === true && facts.asWritten === true && reference.digest === undefined) {
    return "it must be named by its digest (…@sha256:…)";
  }
  if (spec.wasmOnly === true && kinds !== undefined && !kinds.includes("wasm")) {
    return "only Wasm components may run, and this is none";
  }
  if (spec.approveCapabilities === true && unlistedImports.length > 0) {
    // What was approved is the list.
    const shown = unlistedImports.slice(0, importsShownMax).join(", ");
    return `its component imports ${shown}, which the config of the image does not list; build the image again`;
  }
  if (spec.keys === undefined || spec.keys.length === 0 || evidence === undefined) return undefined;
  return signatureRefusal(spec.keys, reference, evidence);
}

function signatureRefusal(
  keys: NonNullable<ImagePolicy["spec"]["keys"]>,
  { digest }: ImageReference,
  evidence: readonly Evidence[],
): string | undefined {
  if (digest === undefined) return "it must be named by its digest, which is what is signed";
  const names = keys.flatMap(({ name }) => (name === undefined ? [] : [name])).join(", ");
  try {
    verifyEvidence(evidence, digest, keys.flatMap(readableKey));
    return undefined;
  } catch (error) {
    return `${describeError(error)}${names === "" ? "" : `; it must be signed by ${names}`}`;
  }
}

/** A key that cannot be read has signed nothing. */
function readableKey({ key }: { readonly key: string }): readonly VerifyKey[] {
  try {
    return [parseVerifyKey(key)];
  } catch {
    return [];
  }
}
