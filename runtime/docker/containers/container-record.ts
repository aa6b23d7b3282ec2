import type { JsonObject } from "@shallop/sdk/api";

/** How a run of a container ended. */
export interface RunEnd {
  /** Which run: uid of the pod, and how often it had been started again. */
  readonly run: string;
  readonly exitCode: number;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly oomKilled: boolean;
  readonly error: string;
}

/** What is stored of a container, a file each. Its pod is there from the first start on, and anew with each. */
export interface ContainerRecord {
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** As the client sent it, for whoever inspects it. */
  readonly body: JsonObject;
  /** As the client named it, and what that was then. */
  readonly imageName: string;
  readonly imageId: string;
  /** By which nodes pull it: `registry/repository@digest`. */
  readonly podImage: string;
  /** Docker's `Config` of the image. */
  readonly imageConfig: JsonObject;
  /** Its Wasm variant says of itself that it is a command, which takes arguments and reads an input. */
  readonly hasWasmCommand: boolean;
  /** There are files of it, of a variant for this machine. */
  readonly hasNative: boolean;
  /** Of `--platform`; empty when it was not said. */
  readonly platform: string;
  /** By target: names of the volumes that were made for it. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Ports of the machine, by `port/protocol`, as they were given out. */
  readonly hostPorts: Readonly<Record<string, readonly { readonly hostIp: string; readonly hostPort: number }[]>>;
  /** Names of networks with the aliases there. */
  readonly networks: Readonly<Record<string, readonly string[]>>;
  /** Name of the pod of the last start. */
  readonly pod?: string;
  /** The last run, once it has ended. */
  readonly ended?: RunEnd;
  /** It was stopped by somebody: no policy starts it again. */
  readonly stopped: boolean;
}

/** The name under which pods can be: small letters, digits and dashes; short enough for labels. */
export function podNameOf(name: string, id: string): string {
  const plain = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
  // Two containers may differ in what a pod's name cannot say.
  return plain === name && plain.length <= 50
    ? plain
    : `${plain.slice(0, 50)}${plain === "" ? "c" : ""}-${id.slice(0, 8)}`.replace(/^-/, "c-");
}
