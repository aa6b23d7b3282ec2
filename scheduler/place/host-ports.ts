import type { PodSpec } from "@shallop/sdk/api";

/** A port of the node that a pod asks for, as far as two can be in each other's way. */
export interface WantedPort {
  readonly protocol: string;
  /** `0.0.0.0`: every address of the node. */
  readonly ip: string;
  readonly port: number;
}

const everyAddress = "0.0.0.0";

/** What a pod asks for of its node's ports. Pure. */
export const wantedPortsOf = ({
  containers,
  initContainers = [],
}: Pick<PodSpec, "containers" | "initContainers">): WantedPort[] =>
  [...initContainers, ...containers].flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort = 0, hostIP = "", protocol = "TCP" }) =>
      hostPort > 0 ? [{ protocol, ip: hostIP === "" ? everyAddress : hostIP, port: hostPort }] : [],
    ),
  );

/** Can only one of them be had (kube-scheduler, NodePorts)? */
export const portsConflict = (one: WantedPort, other: WantedPort): boolean =>
  one.port === other.port &&
  one.protocol === other.protocol &&
  (one.ip === other.ip || one.ip === everyAddress || other.ip === everyAddress);
