import { annotation, type ImagePolicy, type Revision } from "@shallop/sdk/api";
import { type EventRecorder, referenceTo } from "@shallop/sdk/client";
import { type ImageReference, parseReference } from "@shallop/sdk/image";
import { describeError } from "@shallop/sdk/internal";
import {
  asksForApproval,
  asksForSignatures,
  asksForWasm,
  type Evidence,
  type ImageFacts,
  newCapabilities,
  policiesFor,
  policyRefusal,
} from "@shallop/sdk/trust";
import { type ImageResolver, ResolveFault } from "./image-resolver.ts";

/** What a registry knows of an image. */
export interface ImageKnowledge {
  evidence(reference: ImageReference, signal: AbortSignal): Promise<readonly Evidence[]>;
  variants(reference: ImageReference, signal: AbortSignal): Promise<ImageAbilities>;
}

export interface ImageAbilities {
  readonly kinds: readonly ("wasm" | "native")[];
  /** What its component imports. */
  readonly imports: readonly string[];
}

export interface PolicedOptions {
  readonly resolver: ImageResolver;
  readonly knowledge: ImageKnowledge;
  readonly policies: () => readonly ImagePolicy[];
  /** The image that the revision's service runs now: `registry/repository@sha256:…`. */
  readonly running: (revision: Revision) => string | undefined;
  readonly events: EventRecorder;
}

/**
 * Gives a revision its digest only when every image policy is content with it. What cannot be found out is refused: it is
 * tried again, like an image that is not there.
 */
export class PolicedImageResolver implements ImageResolver {
  readonly #options: PolicedOptions;

  constructor(options: PolicedOptions) {
    this.#options = options;
  }

  /** @throws ResolveFault POLICY_DENIED | APPROVAL_REQUIRED, and those of the resolver */
  async resolve(image: string, signal: AbortSignal, revision: Revision): Promise<string> {
    const resolved = await this.#options.resolver.resolve(image, signal, revision);
    // Written by ourselves, with its registry.
    const reference = parseReference(resolved, { defaultRegistry: "registry.invalid" });
    const facts: ImageFacts = { namespace: revision.metadata.namespace ?? "default", reference };
    const policies = policiesFor(this.#options.policies(), facts);
    if (policies.length === 0) return resolved;
    const fault = await this.#judge(policies, { facts, revision, resolved }, signal);
    if (fault === undefined) return resolved;
    const reason = fault.code === "APPROVAL_REQUIRED" ? "ApprovalRequired" : "ImagePolicyViolation";
    this.#options.events.event(referenceTo(revision), "Warning", reason, fault.message);
    throw fault;
  }

  async #judge(
    policies: readonly ImagePolicy[],
    image: { readonly facts: ImageFacts; readonly revision: Revision; readonly resolved: string },
    signal: AbortSignal,
  ): Promise<ResolveFault | undefined> {
    const { knowledge } = this.#options;
    const { facts, revision, resolved } = image;
    const denied = (message: string): ResolveFault => new ResolveFault("POLICY_DENIED", message, { retryable: true });
    const byName = policyRefusal(policies, facts);
    if (byName !== undefined) return denied(byName);
    try {
      const evidence = asksForSignatures(policies) ? await knowledge.evidence(facts.reference, signal) : undefined;
      const asksForVariants = asksForWasm(policies) || asksForApproval(policies);
      const abilities = asksForVariants ? await knowledge.variants(facts.reference, signal) : undefined;
      const refusal = policyRefusal(policies, {
        ...facts,
        ...(evidence === undefined ? {} : { evidence }),
        ...(abilities === undefined ? {} : { kinds: abilities.kinds }),
      });
      if (refusal !== undefined) return denied(refusal);
      if (!asksForApproval(policies) || abilities === undefined) return undefined;
      return await this.#approvalFault(policies, { revision, resolved, imports: abilities.imports }, signal);
    } catch (error) {
      signal.throwIfAborted();
      return denied(`whether ${resolved} may run could not be found out: ${describeError(error)}`);
    }
  }

  async #approvalFault(
    policies: readonly ImagePolicy[],
    image: { readonly revision: Revision; readonly resolved: string; readonly imports: readonly string[] },
    signal: AbortSignal,
  ): Promise<ResolveFault | undefined> {
    const { revision, resolved, imports } = image;
    const running = this.#options.running(revision);
    // The first revision of a service asks for all that it asks for: whoever makes the service sees that.
    if (running === undefined || running === resolved) return undefined;
    const reference = parseReference(running, { defaultRegistry: "registry.invalid" });
    const before = await this.#options.knowledge.variants(reference, signal);
    const fresh = newCapabilities(before.imports, imports);
    const digest = resolved.slice(resolved.indexOf("@") + 1);
    if (fresh.length === 0 || revision.metadata.annotations?.[annotation.approvedImage] === digest) return undefined;
    const policy = policies.find(({ spec }) => spec.approveCapabilities === true)?.metadata.name ?? "";
    const message =
      `revision ${revision.metadata.name} asks for what the running one does not: ${fresh.join(", ")}; image policy ` +
      `${policy} wants that approved: shallop approve ${revision.metadata.name}`;
    return new ResolveFault("APPROVAL_REQUIRED", message, { retryable: true });
  }
}
