import type {
  CoreService,
  Gateway,
  GatewayClass,
  HttpRoute,
  IngressClass,
  NamespaceLabels,
  ReferenceGrant,
  Route,
  Secret,
  TrafficPolicy,
} from "@shallop/sdk/api";

/** What the plans of the kinds that route requests look at. */
export interface RoutingWorld {
  readonly wallMs: number;
  /** Where gateways answer: an address, and the ports of HTTP and HTTPS. */
  readonly gatewayAddress: string;
  readonly urlOf: (host: string) => string;
  readonly labelsOf: NamespaceLabels;
  readonly gatewayClass: (name: string) => GatewayClass | undefined;
  readonly ingressClass: (name: string) => IngressClass | undefined;
  readonly gateway: (namespace: string, name: string) => Gateway | undefined;
  /** HTTPRoutes that name this gateway. */
  readonly routesOf: (namespace: string, name: string) => readonly HttpRoute[];
  readonly grants: () => Iterable<ReferenceGrant>;
  readonly secret: (namespace: string, name: string) => Secret | undefined;
  /** Why a secret holds no certificate that gateways can use; undefined: it does. */
  readonly certificateFault: (secret: Secret) => string | undefined;
  readonly knativeRoute: (namespace: string, name: string) => Route | undefined;
  readonly coreService: (namespace: string, name: string) => CoreService | undefined;
  /** Whether the target of a policy is there. */
  readonly exists: (group: string, kind: string, namespace: string, name: string) => boolean;
  readonly policies: () => Iterable<TrafficPolicy>;
  /** The mapping of another namespace that has this domain already, the oldest. */
  readonly claimedBy: (domain: string, namespace: string) => string | undefined;
}
