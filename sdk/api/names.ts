/** The names of groups, labels and annotations, each with who writes it. One list, so that nobody spells them twice. */

export const servingGroup = "serving.knative.dev";
export const networkingGroup = "networking.k8s.io";
export const gatewayGroup = "gateway.networking.k8s.io";
/** Shallop's own kinds. */
export const shallopGroup = "shallop.dev";

/** `spec.controller` and `spec.controllerName` of the classes that Shallop's gateway serves. */
export const gatewayController = "shallop.dev/gateway";

/** Types of Secrets. The gateway reads those that it can use, and no others. */
export const secretType = {
  tls: "kubernetes.io/tls",
  basicAuth: "kubernetes.io/basic-auth",
  /** A JSON Web Key Set, under the key `jwks.json`. */
  jwks: "shallop.dev/jwks",
  /** What a gateway answers to an ACME authority that asks for it: `host`, `token`, `keyAuthorization`. */
  acmeChallenge: "shallop.dev/acme-challenge",
} as const;

export const label = {
  /** On Revisions and Pods: the Knative Service they belong to. Written by the controllers. */
  service: "serving.knative.dev/service",
  configuration: "serving.knative.dev/configuration",
  configurationGeneration: "serving.knative.dev/configurationGeneration",
  revision: "serving.knative.dev/revision",
  route: "serving.knative.dev/route",
  routingState: "serving.knative.dev/routingState",
  serviceUid: "serving.knative.dev/serviceUID",
  configurationUid: "serving.knative.dev/configurationUID",
  /** On every Pod that Shallop made for a revision: the variant that runs in it, `wasm` or `native`. */
  variant: "shallop.dev/variant",
  /** On Namespaces: the Pod Security Standards' level that its pods are held to. */
  podSecurity: "pod-security.kubernetes.io/enforce",
  hostname: "kubernetes.io/hostname",
  zone: "topology.kubernetes.io/zone",
  os: "kubernetes.io/os",
  arch: "kubernetes.io/arch",
} as const;

export const annotation = {
  creator: "serving.knative.dev/creator",
  lastModifier: "serving.knative.dev/lastModifier",
  /** On Revisions: when the label routingState last changed, and the routes that name the revision. */
  routingStateModified: "serving.knative.dev/routingStateModified",
  routes: "serving.knative.dev/routes",
  /** On Revisions, by the user: `true` keeps it for ever. */
  noGc: "serving.knative.dev/no-gc",
  /** The user's wish for a revision: `wasm`, `native`, or absent for Wasm first. On the revision template. */
  preferVariant: "shallop.dev/prefer-variant",
  /** Likewise: `wasm` or `native`, and no other. */
  onlyVariant: "shallop.dev/only-variant",
  /** On revision templates, by the user: how long a revision may take to become ready, such as `10m`. */
  progressDeadline: "serving.knative.dev/progress-deadline",
  /** On revision templates, by the user: how long a pod may wait for a cold start to be avoided, such as `15m`; `0s`: not at all. */
  keepWarmWorth: "autoscaling.shallop.dev/keep-warm-worth",
  /**
   * On revision templates, by the user: signals to scale by beside the metric, such as `cpu=80,queue=5`. The one that asks
   * for the most pods has them.
   */
  signals: "autoscaling.shallop.dev/signals",
  /** On revision templates, by the user: `true` has the autoscaler say what it would do, and do nothing. */
  autoscalingDryRun: "autoscaling.shallop.dev/dry-run",
  /** On Revisions, never on their templates, by a user: the digest of the image with which the revision may have its new capabilities. */
  approvedImage: "shallop.dev/approved-image",
  /** On Pods: JSON of PodEndpoint, how a gateway reaches the pod. Written by the node that runs it. */
  endpoint: "shallop.dev/endpoint",
  /** On Pods: why this variant runs, in a sentence. Written by the node. */
  variantReason: "shallop.dev/variant-reason",
  /** On Pods made by an activation, not by the control plane: the RFC 3339 time of it. Written by the node. */
  activatedAt: "shallop.dev/activated-at",
  /** On Pods made by the control plane: why they are on their node, in a sentence. Written by the controllers. */
  placementReason: "shallop.dev/placement-reason",
  /** On Pods, by a user: `true` freezes what runs in them, until it says otherwise. */
  paused: "shallop.dev/paused",
  /**
   * On Pods, by a user: a name under which their node keeps what their native containers write to their roots, for the next
   * pod of the namespace that says it. Whoever says it removes it.
   */
  root: "shallop.dev/root",
  /**
   * On Pods, by a user: a name under which their node goes on with one log: what the last pod of the namespace that said it
   * has written comes first, and no restart begins it anew.
   */
  log: "shallop.dev/log",
  /**
   * On Pods, by a user: JSON of networks with the pod's names there, `{"NETWORK": ["NAME"]}`. Native pods of one node and
   * namespace that share a network reach each other, by these names.
   */
  networks: "shallop.dev/networks",
  /** On Pods, by a user: the pod's share of disks' time beside other native pods of its node, 10 to 1000; 500 is in the middle. */
  ioWeight: "shallop.dev/io-weight",
  /** On Pods, by a user: the same of processors' time, 2 to 262144; 1024 is in the middle. And which processors it may use: `0-2,5`. */
  cpuShares: "shallop.dev/cpu-shares",
  cpus: "shallop.dev/cpus",
  /** On Pods, by a user: `true`, and what its program says waits for the first who attaches, some seconds at most: he gets all of it. */
  holdsOutput: "shallop.dev/holds-output",
  /** On Pods, by a user: how large the terminal is that a container begins with, `COLUMNSxROWS`. */
  terminalSize: "shallop.dev/terminal-size",
  /** On Pods, by a user: `none`, and their native containers have no network but the loopback. */
  network: "shallop.dev/network",
  /**
   * On Pods, by a user: JSON of what Kubernetes has no field for, of their native containers: `{"user": "www-data",
   * "ulimits": {"nofile": [SOFT, HARD]}, "pids": 100}`. It makes bounds narrower, and none wider.
   */
  process: "shallop.dev/process",
  /**
   * On Pods, by a user: how long what has ended waits before it is started again, such as `100ms`: twice as long after each
   * failure in a row, up to a minute, and from the begin when it has run for 10 s. Absent: as Kubernetes has it.
   */
  restartAfter: "shallop.dev/restart-after",
  /** On Pods, by a user: `none`, and they are told of no Service by variables, the API's neither. */
  serviceVariables: "shallop.dev/service-variables",
  /** On Nodes: identity of the machine and network namespace; a gateway with the same one reaches pods directly. */
  machine: "shallop.dev/machine",
  /** On Nodes: `host:port` of the node agent (mutual TLS), and the unix socket of it on the same machine. */
  agentAddress: "shallop.dev/agent-address",
  agentSocket: "shallop.dev/agent-socket",
  /** On Nodes: where gateways of the same machine ask it for activations, in frames. */
  activationSocket: "shallop.dev/activation-socket",
  /** On Nodes: JSON of NodeFeatures, what the node can run and what it lacks. */
  features: "shallop.dev/features",
} as const;

/** Prefix of the autoscaler's annotations on a revision template: `autoscaling.knative.dev/min-scale` and its peers. */
export const autoscalingPrefix = "autoscaling.knative.dev/";
