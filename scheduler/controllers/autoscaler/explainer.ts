import { annotation, ApiFault, label, type Pod, type Revision } from "@shallop/sdk/api";
import type { Explanation, RevisionExplanation, ScaleDecision, WhatIf } from "@shallop/sdk/wire";
import type { Cluster } from "../shared/cluster.ts";
import { conditionOf } from "../shared/conditions.ts";
import { keyAt, keyOf } from "../shared/mirror.ts";

/** What the autoscaler tells of a revision, by its key. */
export interface ExplainableScale {
  decisions(key: string): readonly ScaleDecision[];
  whatIf(key: string, settings: string): WhatIf | undefined;
}

/** Says why a service has as many pods as it has, where they are and what they run. */
export class ServiceExplainer {
  readonly #cluster: Cluster;
  readonly #scale: ExplainableScale;

  constructor(cluster: Cluster, scale: ExplainableScale) {
    this.#cluster = cluster;
    this.#scale = scale;
  }

  /**
   * @param settings of the autoscaler, to replay the last hour with: `max-scale=20,target=50`
   * @throws ApiFault NotFound, BadRequest
   */
  explain(namespace: string, service: string, settings?: string): Explanation {
    if (this.#cluster.of("services").get(namespace, service) === undefined) {
      throw new ApiFault("NotFound", `services.serving.knative.dev "${service}" not found`, {
        name: service,
        group: "serving.knative.dev",
        kind: "services",
      });
    }
    const revisions = this.#cluster
      .of("revisions")
      .indexed("service", keyAt(namespace, service))
      .map((revision) => ({ revision, pods: this.#podsOf(namespace, revision) }))
      .filter(({ revision, pods }) => pods.length > 0 || isInUse(revision))
      .sort((a, b) => (a.revision.metadata.name < b.revision.metadata.name ? -1 : 1))
      .map(({ revision, pods }) => this.#explainRevision(revision, pods, settings));
    return { namespace, service, revisions };
  }

  #podsOf(namespace: string, { metadata }: Revision): readonly Pod[] {
    return this.#cluster.of("pods").indexed("revision", keyAt(namespace, metadata.name));
  }

  #explainRevision(revision: Revision, pods: readonly Pod[], settings: string | undefined): RevisionExplanation {
    const { name } = revision.metadata;
    const key = keyOf(revision);
    const whatIf = settings === undefined ? undefined : this.#scale.whatIf(key, settings);
    const { preparedNodes = [], failedNodes = [] } = revision.status ?? {};
    const refused = conditionOf(revision, "ContainerHealthy");
    return {
      revision: name,
      decisions: this.#scale.decisions(key),
      placements: pods
        .map((pod) => ({ pod: pod.metadata.name, node: pod.spec.nodeName ?? "", reason: placementReason(pod) }))
        .sort((a, b) => (a.pod < b.pod ? -1 : 1)),
      variants: [
        ...preparedNodes,
        ...failedNodes.map(({ node, code, message }) => ({ node, variant: "none", reason: `${code}: ${message}` })),
      ],
      ...(refused?.status === "False"
        ? { refusal: { reason: refused.reason ?? "", message: refused.message ?? "" } }
        : {}),
      ...(whatIf === undefined ? {} : { whatIf }),
    };
  }
}

/** Routes send requests to it, or will: the ones that are kept for going back to say nothing of the present. */
const isInUse = ({ metadata }: Revision): boolean => metadata.labels?.[label.routingState] !== "reserve";

function placementReason({ metadata, spec }: Pod): string {
  const { annotations = {} } = metadata;
  const reason = annotations[annotation.placementReason];
  if (reason !== undefined) return reason;
  const activatedAt = annotations[annotation.activatedAt];
  return activatedAt === undefined
    ? "bound by whoever made the pod"
    : `started by ${spec.nodeName ?? "its node"}, a home of the revision, for a request that waited at ${activatedAt}`;
}
