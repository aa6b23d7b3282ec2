import { readSync } from "node:fs";
import { assert } from "@shallop/sdk/internal";
import type { RunFlags, ServeFlags } from "./flags.ts";
import type { ResolvedHost } from "./host-egress.ts";

/** What the process in a cell is told to run: over a descriptor, for arguments are seen by every user of the machine. */
export type CellTask = {
  /** The cell's system calls are to be closed. */
  readonly closesCalls: boolean;
} & (
  | { readonly kind: "module"; readonly flags: RunFlags }
  | {
      readonly kind: "run";
      readonly flags: RunFlags;
      readonly componentDigest: string;
      readonly hosts: Hosts;
      /** Of a pod: where its component was prepared to, and its way out. */
      readonly pod?: PodPlace;
    }
  | { readonly kind: "serve"; readonly flags: ServeFlags; readonly componentDigest: string; readonly hosts: Hosts }
);

type Hosts = readonly ResolvedHost[];

interface PodPlace {
  readonly preparedDirectory: string;
  /** Where the node's egress proxy listens for it. */
  readonly egressSocket: string;
  /** Networks that it may reach though they are special. */
  readonly egressAllowed: readonly string[];
}

/** Where things are in a cell. */
export const moduleInCell = "/module.wasm";
export const preparedInCell = "/prepared";
export const grantInCell = (index: number): string => `/granted/${index}`;

/** The task comes here; when it ends, the program is to end. */
export const taskDescriptor = 3;
/** Of `serve`: a socket that listens. */
export const listenerDescriptor = 4;

/** A line of JSON. */
export const taskText = (task: CellTask): string => `${JSON.stringify(task)}\n`;

// A task has the environment of a guest in it, which the kernel holds to this.
const taskBytesMax = 4 * 1024 * 1024;

export function readTask(): CellTask {
  const chunks: Buffer[] = [];
  for (let bytes = 0; bytes <= taskBytesMax;) {
    const chunk = Buffer.alloc(64 * 1024);
    const count = readSync(taskDescriptor, chunk);
    assert(count > 0, "a task ends with its line");
    bytes += count;
    chunks.push(chunk.subarray(0, count));
    if (chunk[count - 1] === 0x0a) return JSON.parse(Buffer.concat(chunks).toString("utf8")) as CellTask;
  }
  throw new Error(`a task has more than ${taskBytesMax} bytes`);
}
