import type { Caller } from "./guest-context.ts";

/** wasi:cli/environment@0.2: what the launch says, and nothing of the node's own environment. */
export const cliEnvironment = (caller: Caller): object => ({
  getEnvironment: () => caller.context.settings.environment,
  getArguments: () => caller.context.settings.arguments,
  initialCwd: () => caller.context.settings.initialCwd,
});
