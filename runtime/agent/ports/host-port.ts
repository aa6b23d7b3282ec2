import type { PodSpec } from "@shallop/sdk/api";

/** A port of the node that leads to one of a pod. */
export interface HostPort {
  readonly protocol: "TCP" | "UDP";
  /** Empty: every address of the node. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
}

/** The ports of the node that a pod asks for. SCTP has no sockets here. Pure. */
export function hostPortsOf({ containers, initContainers = [] }: PodSpec): readonly HostPort[] {
  return [...initContainers, ...containers].flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort = 0, hostIP = "", containerPort, protocol = "TCP" }) =>
      hostPort > 0 && (protocol === "TCP" || protocol === "UDP")
        ? [{ protocol, hostIp: hostIP === "0.0.0.0" ? "" : hostIP, hostPort, containerPort }]
        : [],
    ),
  );
}
