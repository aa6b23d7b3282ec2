import type { GuestContext } from "./guest-context.ts";

/** wasi:cli/environment@0.2: what the launch says, and nothing of the node's own environment. */
export const cliEnvironment = (context: GuestContext): object => ({
  getEnvironment: () => context.settings.environment,
  getArguments: () => context.settings.arguments,
  initialCwd: () => context.settings.initialCwd,
});
