import type { Container, PodSpec } from "@shallop/sdk/api";

/**
 * What a container's and its pod's security contexts ask of a native pod, the container's word before the pod's. Nothing
 * here is a right: whether the namespace may ask for it the API has decided.
 */
export interface PodSecurity {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  /** `user[:group]`, as an image names it; before the numbers. */
  readonly user?: string;
  /** Beside those that every container has. */
  readonly resourceLimits?: readonly ResourceLimit[];
  readonly runAsNonRoot: boolean;
  readonly supplementalGroups: readonly number[];
  /** Stricter than Kubernetes' default: writable only when asked for. */
  readonly readOnlyRoot: boolean;
  /** Stricter than Kubernetes' default: only when asked for. */
  readonly allowPrivilegeEscalation: boolean;
  readonly privileged: boolean;
  /** Without `CAP_`; `ALL` is all. */
  readonly capabilitiesAdded: readonly string[];
  readonly capabilitiesDropped: readonly string[];
  readonly seccomp: string;
  readonly procMount: string;
  readonly sysctls: Readonly<Record<string, string>>;
  /** `hostNetwork` and its like, as far as they are asked for. */
  readonly hostNamespaces: readonly string[];
}

/** setrlimit(2); `nofile`. */
export interface ResourceLimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

const capabilityName = (name: string): string => name.toUpperCase().replace(/^CAP_/, "");

export function podSecurity(spec: PodSpec, container: Container): PodSecurity {
  const pod = spec.securityContext ?? {};
  const own = container.securityContext ?? {};
  const runAsUser = own.runAsUser ?? pod.runAsUser;
  const runAsGroup = own.runAsGroup ?? pod.runAsGroup;
  const { fsGroup } = pod;
  return {
    ...(runAsUser === undefined ? {} : { runAsUser }),
    ...(runAsGroup === undefined ? {} : { runAsGroup }),
    runAsNonRoot: own.runAsNonRoot ?? pod.runAsNonRoot ?? false,
    supplementalGroups: [...(pod.supplementalGroups ?? []), ...(fsGroup === undefined ? [] : [fsGroup])],
    readOnlyRoot: own.readOnlyRootFilesystem ?? true,
    allowPrivilegeEscalation: own.allowPrivilegeEscalation ?? false,
    privileged: own.privileged ?? false,
    capabilitiesAdded: (own.capabilities?.add ?? []).map(capabilityName),
    capabilitiesDropped: (own.capabilities?.drop ?? []).map(capabilityName),
    seccomp: own.seccompProfile?.type ?? pod.seccompProfile?.type ?? "RuntimeDefault",
    procMount: own.procMount ?? "Default",
    sysctls: Object.fromEntries((pod.sysctls ?? []).map(({ name, value }) => [name, value])),
    hostNamespaces: (["hostNetwork", "hostPID", "hostIPC"] as const).filter((field) => spec[field] === true),
  };
}

/** Of a pod that asks for nothing. */
export const plainSecurity: PodSecurity = podSecurity({ containers: [] }, { image: "" });
