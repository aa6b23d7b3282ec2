import type { PeerEntry } from "../../egress/egress-protocol.ts";
import type { PodMembership } from "../../pod/pod-runtime.ts";
import type { GuestPeer } from "../../sandbox/peer-networks.ts";
import type { Door } from "./service-table.ts";

/** A pod of this node that runs and shares networks with others. */
export interface PeerPod {
  readonly uid: string;
  readonly namespace: string;
  readonly networks: readonly PodMembership[];
  /** Of a native one: its address on the node's bridge. A component has none. */
  readonly ip?: string;
  /** Those that its manifest names. */
  readonly ports: readonly number[];
}

export interface PeerTable {
  /** Where components are reached, by native pods of their networks and by each other. */
  readonly doors: readonly Door[];
  /** Components, as the name server of native pods tells of them. */
  readonly guests: readonly GuestPeer[];
  /** All of them, as components find them. */
  readonly entries: readonly PeerEntry[];
}

/** A component answers HTTP on whichever port is asked for. These are open beside those that its manifest names. */
const guestPorts = [80, 8080];

/**
 * How pods that share networks find each other where one of them is a component: it has an address of this node's own that
 * stands for it. Native pods reach each other without any of this. Pure, but for stand-ins, which are remembered.
 */
export function peerTable(pods: readonly PeerPod[], standIn: (key: string) => string): PeerTable {
  const guests = pods.filter(({ ip }) => ip === undefined);
  if (guests.length === 0) return { doors: [], guests: [], entries: [] };
  const placed = pods.map((pod) => ({ ...pod, address: standIn(`peer ${pod.uid}`) }));
  return {
    doors: placed.flatMap(({ uid, namespace, networks, ip, ports, address }): readonly Door[] => {
      if (ip !== undefined) return [];
      const own = new Set(networks.map(({ network }) => network));
      const clients = pods.flatMap((other) =>
        other.ip !== undefined && other.networks.some(({ network }) => own.has(network)) ? [other.ip] : [],
      );
      return [...new Set([...ports, ...guestPorts])].map((port) => ({
        ...{ protocol: "TCP", address, port, sticky: false, clients },
        backends: [{ kind: "pod", namespace, uid, node: "", port }],
      }));
    }),
    guests: placed.flatMap(({ ip, address, networks }) =>
      ip === undefined ? [{ address, memberships: networks }] : [],
    ),
    entries: peerEntries(pods, standIn),
  };
}

/** Pods of networks, as those find them who go by a proxy of the node's. Pure, as `peerTable`. */
export const peerEntries = (pods: readonly PeerPod[], standIn: (key: string) => string): readonly PeerEntry[] =>
  pods.map(({ uid, networks, ip }) => ({
    ...{ pod: uid, networks, address: standIn(`peer ${uid}`) },
    ...(ip === undefined ? {} : { to: ip }),
  }));
