import type { ImagePolicy } from "@shallop/sdk/api";
import { ImageFault, type ImageReference, parseReference } from "@shallop/sdk/image";
import { asksForSignatures, type Evidence, policiesFor, policyRefusal } from "@shallop/sdk/trust";
import type { ImagePolicies } from "./image-policies.ts";
import type { StoredEvidence } from "./stored-evidence.ts";

export interface ImageGateSettings {
  readonly policies: Pick<ImagePolicies, "all">;
  /** Signatures that were read before; an image that is here needs no registry. */
  readonly stored: Pick<StoredEvidence, "read" | "write">;
  /** Asks the image's registry. */
  readonly evidence: (reference: ImageReference, signal: AbortSignal) => Promise<readonly Evidence[]>;
  /** What a reference without a registry belongs to. */
  readonly defaultRegistry: string;
}

/** What is to run, for whom. */
export interface GateQuestion {
  readonly namespace: string;
  /** As it stands in the pod. */
  readonly image: string;
  /** Which variant it is; undefined before that is known. */
  readonly variant?: "wasm" | "native";
  /** What its component imports and the image does not list, where that is known. */
  readonly unlistedImports?: readonly string[];
}

/** Images that were let in are remembered: those of a full node, several times over. More are judged again. */
const admittedMax = 10_000;

/**
 * The node's own word on what may run, whatever the control plane has bound to it: asked before an image is pulled and
 * again before each start. What cannot be found out may not run. What was let in is until a policy changes: a start for a
 * waiting request reads no signatures.
 */
export class ImageGate {
  readonly #settings: ImageGateSettings;
  /** By the policies of this moment. */
  #admitted: { readonly by: readonly ImagePolicy[]; readonly questions: Set<string> } = {
    by: [],
    questions: new Set(),
  };

  constructor(settings: ImageGateSettings) {
    this.#settings = settings;
  }

  /** @throws ImageFault POLICY_DENIED with the policy and its reason; those of the registry, of which nothing was learnt */
  async check(question: GateQuestion, signal: AbortSignal): Promise<void> {
    const policies = await this.#settings.policies.all(signal);
    if (policies.length === 0) return;
    if (this.#admitted.by !== policies) this.#admitted = { by: policies, questions: new Set() };
    // Not another one's, though policies change meanwhile.
    const { questions } = this.#admitted;
    const isHiding = question.unlistedImports === undefined ? "" : "hiding";
    const known = `${question.namespace} ${question.variant ?? ""} ${isHiding} ${question.image}`;
    if (questions.has(known)) return;
    await this.#judge(policies, question, signal);
    if (questions.size >= admittedMax) questions.clear();
    questions.add(known);
  }

  async #judge(policies: readonly ImagePolicy[], question: GateQuestion, signal: AbortSignal): Promise<void> {
    const reference = parseReference(question.image, { defaultRegistry: this.#settings.defaultRegistry });
    const facts = { namespace: question.namespace, reference };
    const mine = policiesFor(policies, facts);
    if (mine.length === 0) return;
    const { variant, unlistedImports } = question;
    const known = {
      ...facts,
      ...(variant === undefined ? {} : { kinds: [variant] }),
      ...(unlistedImports === undefined ? {} : { unlistedImports }),
    };
    refuse(policyRefusal(mine, known));
    if (asksForSignatures(mine)) await this.#checkSignatures(mine, known, signal);
  }

  /** With the signatures that are here; with the registry's when those will not do, because there may be newer ones. */
  async #checkSignatures(
    policies: readonly ImagePolicy[],
    facts: { readonly namespace: string; readonly reference: ImageReference },
    signal: AbortSignal,
  ): Promise<void> {
    const { stored, evidence } = this.#settings;
    const { digest } = facts.reference;
    // A tag may mean something else by the time that it is pulled: it is refused without asking anybody.
    if (digest === undefined) return refuse(policyRefusal(policies, { ...facts, evidence: [] }));
    const here = await stored.read(digest);
    if (policyRefusal(policies, { ...facts, evidence: here }) === undefined) return;
    const fresh = await evidence(facts.reference, signal);
    refuse(policyRefusal(policies, { ...facts, evidence: fresh }));
    await stored.write(digest, fresh);
  }
}

function refuse(refusal: string | undefined): void {
  if (refusal !== undefined) throw new ImageFault("POLICY_DENIED", refusal);
}
