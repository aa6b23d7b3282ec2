import { annotation, type ImagePolicy, type Revision } from "@shallop/sdk/api";
import { type EventRecorder, referenceTo } from "@shallop/sdk/client";
import { type ImageReference, parseReference } from "@shallop/sdk/image";
import { describeError } from "@shallop/sdk/internal";
import {
  asksForApproval,
  asksForSignatures,
  asksForWasm,
  type Evidence,
  type ImageDemands,
  type ImageFacts,
  newCapabilities,
  policiesFor,
  policyRefusal,
} from "@shallop/sdk/trust";
import { type ImageResolver, ResolveFault } from "./image-resolver.ts";

/** What a registry knows of an image. */
export interface ImageKnowledge {
  evidence(reference: ImageReference, signal: AbortSignal): Promise<readonly Evidence[]>;
  demands(reference: ImageReference, signal: AbortSignal): Promise<ImageDemands>;
}

export interface PolicedOptions {
  readonly resolver: ImageResolver;
  readonly knowledge: ImageKnowledge;
  readonly policies: () => readonly ImagePolicy[];
  /** The revision that the revision's service runs now, if that is another. */
  readonly running: (revision: Revision) => Revision | undefined;
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
      const demands = asksForVariants ? await knowledge.demands(facts.reference, signal) : undefined;
      const refusal = policyRefusal(policies, {
        ...facts,
        ...(evidence === undefined ? {} : { evidence }),
        ...(demands === undefined ? {} : { kinds: demands.kinds }),
      });
      if (refusal !== undefined) return denied(refusal);
      if (!asksForApproval(policies) || demands === undefined) return undefined;
      return await this.#approvalFault(policies, { revision, resolved, demands }, signal);
    } catch (error) {
      signal.throwIfAborted();
      return denied(`whether ${resolved} may run could not be found out: ${describeError(error)}`);
    }
  }

  async #approvalFault(
    policies: readonly ImagePolicy[],
    image: { readonly revision: Revision; readonly resolved: string; readonly demands: ImageDemands },
    signal: AbortSignal,
  ): Promise<ResolveFault | undefined> {
    const { revision, resolved, demands } = image;
    const running = this.#options.running(revision);
    const runningImage = running?.status?.containerStatuses?.[0]?.imageDigest;
    // The first revision of a service asks for all that it asks for: whoever makes the service sees that.
    if (running === undefined || runningImage === undefined) return undefined;
    const reference = parseReference(runningImage, { defaultRegistry: "registry.invalid" });
    const before = runningImage === resolved ? demands : await this.#options.knowledge.demands(reference, signal);
    const fresh = newCapabilities({ image: before, spec: running.spec }, { image: demands, spec: revision.spec });
    const digest = resolved.slice(resolved.indexOf("@") + 1);
    if (fresh.length === 0 || revision.metadata.annotations?.[annotation.approvedImage] === digest) return undefined;
    const policy = policies.find(({ spec }) => spec.approveCapabilities === true)?.metadata.name ?? "";
    const message =
      `revision ${revision.metadata.name} asks for what the running one does not: ${fresh.join(", ")}; image policy ` +
      `${policy} wants that approved: shallop approve ${revision.metadata.name}`;
    return new ResolveFault("APPROVAL_REQUIRED", message, { retryable: true });
  }
}
