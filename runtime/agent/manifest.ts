import { isIP } from "node:net";
import {
  annotation,
  apiVersionOf,
  type Container,
  graceSecondsOf,
  guestLimitsOf,
  instanceReuseOf,
  label,
  type OwnerReference,
  parseQuantity,
  type Pod,
  type PodSpec,
  type Revision,
  revisions,
} from "@shallop/sdk/api";
import { limitRows, rfc3339Micro } from "@shallop/sdk/internal";
import type { LocalImage } from "../image/local-image.ts";
import type { PodPlan } from "../pod/containers/container-launch.ts";
import { type HostLine, type PodDns, PodFault, type PodLaunch, type PodLimits } from "../pod/pod-runtime.ts";
import { podSecurity } from "../pod/pod-security.ts";
import { sharesOf } from "./pod-shares.ts";

/** What a pod of this node is to be: the part of the pod object that its start depends on. */
export interface PodManifest {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ownerReferences: readonly OwnerReference[];
  readonly spec: PodSpec;
}

// Where Knative's runtime contract has a container listen when it names no port.
const portDefault = 8080;
// One core: more would let one pod starve its node, less would slow every start.
const cpuDefault = 1;
// Kubernetes leaves it to the node; 1,024 threads and processes is what a large JVM needs.
const pidsMax = 1024;
// A request that woke the pod has been given up long before; this only bounds what a pod that hangs can hold.
const startTimeoutMs = 60_000;
// What a pod is counted with that asks for nothing: an idle instance is smaller, a busy one larger.
const memoryRequestBytesDefault = 32 * 1024 * 1024;

/** The pod's serving container. A pod has at least one container: the API sees to it. */
export function servingContainer(spec: PodSpec): Container {
  const [first] = spec.containers;
  return spec.containers.find(({ name }) => name === "user-container") ?? first ?? { image: "" };
}

export const containerName = (spec: PodSpec): string => servingContainer(spec).name ?? "user-container";

/** Grace of a stop, milliseconds; 30 s where the pod does not say, as core/v1. */
export const graceMsOf = (spec: PodSpec): number => (spec.terminationGracePeriodSeconds ?? 30) * 1000;

export const manifestOf = (pod: Pod): PodManifest => ({
  namespace: pod.metadata.namespace ?? "default",
  name: pod.metadata.name,
  labels: pod.metadata.labels ?? {},
  annotations: pod.metadata.annotations ?? {},
  ownerReferences: pod.metadata.ownerReferences ?? [],
  spec: pod.spec,
});

/** `registry/repository@sha256:…` that the revision runs; undefined while the control plane has not resolved it. */
export function imageOf(revision: Revision): string | undefined {
  const statuses = revision.status?.containerStatuses ?? [];
  return (statuses.find(({ name }) => name === "user-container") ?? statuses[0])?.imageDigest;
}

/** Its revision's name; undefined: it is of none. */
export const revisionOf = ({ labels }: PodManifest): string | undefined => labels[label.revision];

/** The same pod, activated at another time. */
export const activationManifestAt = (manifest: PodManifest, wallMs: number): PodManifest => ({
  ...manifest,
  annotations: { ...manifest.annotations, [annotation.activatedAt]: rfc3339Micro(wallMs) },
});

/**
 * The pod that an activation of `revision` makes: as the revision controller would make it, bound to this node, and
 * marked with the time of the activation, by which its object is known again when the answer to its creation was lost.
 */
export function activationManifest(
  revision: Revision,
  place: { readonly node: string; readonly suffix: string; readonly wallMs: number },
): PodManifest {
  const { metadata, spec } = revision;
  const [container] = spec.containers;
  const labels = metadata.labels ?? {};
  const port = container?.ports?.[0]?.containerPort ?? portDefault;
  const known = new Map((container?.env ?? []).map(({ name, value }) => [name, value ?? ""]));
  known.set("K_SERVICE", labels[label.service] ?? "");
  known.set("K_CONFIGURATION", labels[label.configuration] ?? labels[label.service] ?? "");
  known.set("K_REVISION", metadata.name);
  known.set("PORT", String(port));
  const kept = [label.service, label.configuration, label.configurationGeneration] as const;
  return {
    namespace: metadata.namespace ?? "default",
    name: `${metadata.name}-${place.suffix}`,
    labels: {
      ...Object.fromEntries(kept.flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]]]))),
      [label.revision]: metadata.name,
    },
    annotations: {
      ...metadata.annotations,
      [annotation.activatedAt]: rfc3339Micro(place.wallMs),
    },
    ownerReferences: [
      {
        apiVersion: apiVersionOf(revisions),
        kind: revisions.kind,
        name: metadata.name,
        uid: metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
    spec: {
      nodeName: place.node,
      restartPolicy: "Always",
      terminationGracePeriodSeconds: graceSecondsOf(revision.spec),
      containers: [
        {
          ...container,
          name: "user-container",
          image: imageOf(revision) ?? container?.image ?? "",
          env: [...known].map(([name, value]) => ({ name, value })),
          ports: [{ name: "user-port", containerPort: port, protocol: "TCP" }],
        },
      ],
    },
  };
}

/** Limits of a pod: what its container and its annotations say, and what only its revision knows. */
export function limitsOf({ spec, annotations }: PodManifest, revision: Revision | undefined): PodLimits {
  const limits = servingContainer(spec).resources?.limits ?? {};
  const seconds = revision?.spec.timeoutSeconds;
  return {
    ...guestLimitsOf(annotations),
    reuse: instanceReuseOf(annotations),
    memoryBytes: positive(limits["memory"]) ?? limitRows.memoryBytes.initial,
    cpu: positive(limits["cpu"]) ?? cpuDefault,
    pidsMax,
    ...diskLimitOf(limits),
    requestTimeoutMs: seconds === undefined ? limitRows.requestTimeoutMs.initial : seconds * 1000,
    concurrencyMax: revision?.spec.containerConcurrency ?? 0,
    startTimeoutMs,
  };
}

/** Limits of one container of a pod of several. */
export function containerLimitsOf({ resources }: Container): PodLimits {
  const limits = resources?.limits ?? {};
  return {
    ...guestLimitsOf({}),
    memoryBytes: positive(limits["memory"]) ?? limitRows.memoryBytes.initial,
    cpu: positive(limits["cpu"]) ?? cpuDefault,
    pidsMax,
    ...diskLimitOf(limits),
    requestTimeoutMs: limitRows.requestTimeoutMs.initial,
    concurrencyMax: 0,
    startTimeoutMs,
  };
}

function diskLimitOf(limits: Readonly<Record<string, string | number>>): Pick<PodLimits, "diskBytes"> {
  const diskBytes = positive(limits["ephemeral-storage"]);
  return diskBytes === undefined ? {} : { diskBytes };
}

/** What the pod takes of the node's memory budget: its request, else its limit, else a small pod's worth. */
export function memoryRequestBytes(spec: Pick<PodSpec, "containers">): number {
  const bytes = spec.containers.map(
    ({ resources }) =>
      positive(resources?.requests?.["memory"]) ?? positive(resources?.limits?.["memory"]) ?? memoryRequestBytesDefault,
  );
  return bytes.reduce((sum, one) => sum + one, 0);
}

export function launchOf(
  pod: { readonly uid: string; readonly manifest: PodManifest; readonly limits: PodLimits },
  image: LocalImage,
  plan?: PodPlan,
): PodLaunch {
  const { namespace, name, spec } = pod.manifest;
  const { env = [], command, args, workingDir, ports } = servingContainer(spec);
  return {
    namespace,
    name,
    uid: pod.uid,
    image,
    env: env.map((variable) => ({ name: variable.name, value: variable.value ?? "" })),
    ...(command === undefined ? {} : { command }),
    ...(args === undefined ? {} : { args }),
    ...(workingDir === undefined ? {} : { workingDir }),
    security: podSecurity(spec, servingContainer(spec)),
    dns: dnsOf(spec),
    ...(spec.hostname === undefined || spec.hostname === "" ? {} : { hostname: spec.hostname }),
    hosts: hostsOf(spec),
    port: ports?.[0]?.containerPort ?? portDefault,
    limits: pod.limits,
    ...sharesOf(pod.manifest),
    ...(plan === undefined ? {} : { plan }),
  };
}

const hostName = /^[A-Za-z0-9_]([-A-Za-z0-9_.]{0,252})$/;

/** core/v1 HostAlias; what is neither an address nor a name would be another line of the file. */
const hostsOf = ({ hostAliases = [] }: PodSpec): readonly HostLine[] =>
  hostAliases.map(({ ip = "", hostnames = [] }) => {
    if (isIP(ip) !== 0 && hostnames.length > 0 && hostnames.every((name) => hostName.test(name)))
      return { ip, names: hostnames };
    throw new PodFault("UNSUPPORTED", "hostAliases: each has an address and names");
  });

/** A pod that is in the machine's network is told of the cluster's names only when it asks; here none is. */
const dnsOf = ({
  dnsPolicy = "ClusterFirst",
  dnsConfig: { nameservers = [], searches = [], options = [] } = {},
}: PodSpec): PodDns => ({
  policy: dnsPolicy === "ClusterFirstWithHostNet" ? "ClusterFirst" : dnsPolicy,
  nameservers,
  searches,
  options: options.map(({ name = "", value = "" }) => (value === "" ? name : `${name}:${value}`)),
});

function positive(quantity: string | number | undefined): number | undefined {
  const amount = quantity === undefined ? undefined : parseQuantity(quantity);
  return amount !== undefined && amount > 0 ? amount : undefined;
}
