import type { SignalName } from "@shallop/sdk/api";

/**
 * Load of one second. Requests at once, those per second, and those that wait for a pod; processor time, in percent of what
 * one pod asks for; memory, MiB. The nodes are asked for the last two only where somebody scales by them: otherwise, and
 * while a node does not answer, they are not known.
 */
export interface LoadSample {
  readonly concurrency: number;
  readonly rps: number;
  readonly queue?: number;
  readonly cpu?: number;
  readonly memory?: number;
}

/** One signal of a revision: what a pod can take of it, and what it shall get. */
export interface Signal {
  readonly name: SignalName;
  readonly total: number;
  readonly target: number;
}

/** Nodes know it, and gateways do not. */
export const isResource = (name: SignalName): name is "cpu" | "memory" => name === "cpu" || name === "memory";
