import type { PreparedProgram } from "./prepared-program.ts";
import type { ServeFlags } from "./flags.ts";
import type { ResolvedHost } from "./host-egress.ts";
import type { AnswerTable } from "./http/open-answers.ts";

/** `workerData` of the serving thread. */
export interface ServeData {
  readonly flags: ServeFlags;
  readonly program: PreparedProgram;
  readonly hosts: readonly ResolvedHost[];
  /** Descriptor of a socket that listens; undefined: it is to listen on the address of the flags. */
  readonly socket?: number;
  /** As ../host/thread-protocol.ts says; of the call at work its socket only. */
  readonly slots: Float64Array<SharedArrayBuffer>;
  readonly answers: AnswerTable;
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
