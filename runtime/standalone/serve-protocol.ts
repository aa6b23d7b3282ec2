import type { PreparedProgram } from "./prepared-program.ts";
import type { ServeFlags } from "./flags.ts";
import type { ResolvedHost } from "./host-egress.ts";

/** `workerData` of the serving thread. */
export interface ServeData {
  readonly flags: ServeFlags;
  readonly program: PreparedProgram;
  readonly hosts: readonly ResolvedHost[];
  /** Descriptor of a socket that listens; undefined: it is to listen on the address of the flags. */
  readonly socket?: number;
  /** As ../host/thread-protocol.ts says; the call at work and its socket only while nothing of its answer has left. */
  readonly slots: Float64Array<SharedArrayBuffer>;
}

/** Main thread → serving thread. */
export interface ServeCommand {
  readonly type: "stop";
}

/** Serving thread → main thread. */
export type ServeEvent =
  | { readonly type: "listening"; readonly port: number }
  /** It does not listen, and ends. */
  | { readonly type: "failed"; readonly code: string | undefined; readonly message: string };
