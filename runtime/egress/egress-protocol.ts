import type { LookupAddress } from "node:dns";
import type { PacketDoor } from "../sandbox/packet-rules.ts";

/**
 * Between a host process and the egress proxy: one connection of a pod's unix socket for each thing that a guest wants.
 * It asks in a line of JSON and is answered in one; then the connection is what was asked for: the bytes of a TCP
 * connection, or datagrams in frames (datagram-frames.ts).
 */
export type EgressRequest =
  /** `host`: a name, or an address as text. */
  | { readonly want: "tcp"; readonly host: string; readonly port: number; readonly keepAlive?: KeepAliveWish }
  | { readonly want: "udp"; readonly family: 4 | 6 }
  | { readonly want: "addresses"; readonly host: string };

export interface KeepAliveWish {
  readonly idleMs: number;
  readonly intervalMs: number;
  readonly count: number;
}

export interface EgressEnd {
  readonly address: string;
  readonly port: number;
}

export type EgressAnswer =
  | { readonly got: "tcp"; readonly local: EgressEnd; readonly remote: EgressEnd }
  | { readonly got: "udp"; readonly local: EgressEnd }
  | { readonly got: "addresses"; readonly addresses: readonly LookupAddress[] }
  | EgressRefusal;

export interface EgressRefusal {
  readonly got: "refused";
  /** A code of EgressFault, or `SYSTEM`. */
  readonly code: "PROHIBITED" | "DNS" | "LIMIT" | "SYSTEM";
  /** Of the system: `ECONNREFUSED`. */
  readonly errno?: string;
  readonly message: string;
}

/** A name has 253 characters at most (RFC 1035, 2.3.4); the rest of a request is short. */
export const lineBytesMax = 1024;

/** What a pod may do; the agent says so, the guest's process has no say in it. */
export interface EgressGrant {
  /** Networks that may be reached though they are special. */
  readonly allowed: readonly string[];
  /** Of the pod, where it finds Services of the cluster; empty: by their whole names only; absent: it finds none. */
  readonly namespace?: string;
  /** The pod itself, which finds those that share a network with it. */
  readonly pod?: string;
}

/** Services of the cluster, as they are reached on this node. */
export interface ServiceDirectory {
  /** Whole names, and their addresses. */
  readonly names: readonly (readonly [name: string, addresses: readonly string[]])[];
  /** Whole names that stand for one outside. */
  readonly aliases: readonly (readonly [name: string, outside: string])[];
  readonly doors: readonly PacketDoor[];
  /** Pods of this node that share networks. */
  readonly peers: readonly PeerEntry[];
}

/** A pod, as others of its networks find it. */
export interface PeerEntry {
  readonly pod: string;
  readonly networks: readonly { readonly network: string; readonly names: readonly string[] }[];
  /** Stands for it. */
  readonly address: string;
  /** Where all of its ports are; absent: it has doors. */
  readonly to?: string;
}

/** A thousand Services are 100 KB. */
export const commandCharsMax = 16 * 1024 * 1024;

/** Node agent → proxy, JSON lines over the proxy's own socket. Each is answered with `{ id }`. */
export type EgressCommand =
  /** Listens at `socket` for the pod whose it is; again: changes what it may do. */
  | { readonly type: "open"; readonly id: number; readonly socket: string; readonly grant: EgressGrant }
  /** Ends the socket and what goes through it. */
  | { readonly type: "close"; readonly id: number; readonly socket: string }
  /** What of the cluster pods find from now on. */
  | { readonly type: "services"; readonly id: number; readonly directory: ServiceDirectory }
  | { readonly type: "exit"; readonly id: number };

export interface EgressReply {
  readonly id: number;
  /** Undefined: it is done. */
  readonly problem?: string;
}
