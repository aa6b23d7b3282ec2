import type { ConnectionFlags } from "../context.ts";

/** Flags of `shallop deploy` as the parser gives them. */
export interface DeployFlags extends ConnectionFlags {
  readonly image: string;
  readonly env: readonly string[];
  readonly concurrency?: string;
  readonly timeout?: string;
  readonly minScale?: string;
  readonly maxScale?: string;
  readonly memory?: string;
  readonly cpu?: string;
  readonly port?: string;
  readonly preferVariant?: string;
  readonly onlyVariant?: string;
  readonly annotation: readonly string[];
  readonly revision?: string;
  readonly wait: boolean;
  readonly output?: string;
}
