import { networkInterfaces } from "node:os";
import type { NodeFeatures } from "@shallop/sdk/api";
import type { RegistryEndpoint, RegistryMirrors } from "@shallop/sdk/image";
import type { Clock, ProcessLog, Random } from "@shallop/sdk/internal";
import type { TelemetrySettings } from "@shallop/sdk/internal/telemetry";
import type { PrivilegePolicy } from "../image/layer-rewriter.ts";
import type { Rootless } from "../sandbox/rootless/rootless.ts";
import type { MemberClient } from "./member-client.ts";
import type { JoinSource, Membership } from "./membership.ts";
import type { MachineFacts } from "./node-facts.ts";
import type { NodeRegistry } from "./node-registry.ts";
import type { RegistrySettings } from "./registry-settings.ts";

/** What a node is told when it starts. */
export interface NodeSettings {
  readonly dataDirectory: string;
  /** Where nodes of one user keep Node's compile cache of what runs in cells; this node's own directory when absent. */
  readonly compileCache?: string;
  /** Parent of the run directory; /tmp when absent. */
  readonly runBase?: string;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Undefined: this node serves no registry. */
  readonly registry?: RegistrySettings;
  /** Where registries are read first. */
  readonly mirrors: RegistryMirrors;
  /** The registry host that means the built-in one; what the control plane says when absent. */
  readonly builtinRegistry?: string;
  /** What an ordinary user's node is root of; or why of nothing. Undefined: the machine's root has started it. */
  readonly rootless?: Rootless | string;
  /** Whether native pods run by an OCI runtime of which ways out of containers are known. */
  readonly knownEscapes: "refuse" | "allow";
  /** How native pods go out: by the machine's network where nft judges their packets, else by a proxy; or always by that. */
  readonly nativeEgress: "auto" | "proxy";
  /** What layers of native images may bring. */
  readonly imagePrivileges: PrivilegePolicy;
  /** What is run first where a deployment says nothing. */
  readonly prefersVariant: "wasm" | "native" | undefined;
  readonly source?: JoinSource;
  readonly dockerConfigDirectory?: string;
  readonly telemetry: TelemetrySettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: ProcessLog;
}

/** What the parts of a node are built from: its settings, its place in the cluster and on its machine. */
export interface NodePlace {
  readonly settings: NodeSettings;
  readonly directory: string;
  readonly membership: Membership;
  readonly registry: NodeRegistry | undefined;
  readonly features: NodeFeatures;
  readonly machine: MachineFacts;
  readonly client: MemberClient;
  readonly hostIp: string;
  /** Where registries really are; changes with the membership. */
  readonly endpoints: Map<string, RegistryEndpoint>;
}

/** Where others reach a server that listens on `host`: itself, or the first address that is not loopback. */
export function addressOf(host: string): string {
  if (host !== "0.0.0.0" && host !== "::") return host;
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return all.find(({ internal, family }) => !internal && family === "IPv4")?.address ?? "127.0.0.1";
}
