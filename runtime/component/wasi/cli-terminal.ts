import type { Caller, GuestContext, StandardStream } from "./guest-context.ts";
import { guestClass, notConstructible, Resource } from "./resource.ts";

/** `wasi:cli/terminal-input.terminal-input`; says only that it is there. */
class TerminalInput extends Resource {}
/** `wasi:cli/terminal-output.terminal-output`; says only that it is there. */
class TerminalOutput extends Resource {}

/** wasi:cli/terminal-input@0.2 */
export const terminalInput = (_caller: Caller): object => ({
  TerminalInput: guestClass(TerminalInput, notConstructible, {}),
});

/** wasi:cli/terminal-output@0.2 */
export const terminalOutput = (_caller: Caller): object => ({
  TerminalOutput: guestClass(TerminalOutput, notConstructible, {}),
});

/** wasi:cli/terminal-stdin@0.2: nothing, unless the launch says that there is a terminal. */
export const terminalStdin = (caller: Caller): object => ({
  getTerminalStdin: () => (isTerminal(caller.context, "stdin") ? new TerminalInput(caller.context) : undefined),
});

/** wasi:cli/terminal-stdout@0.2 */
export const terminalStdout = (caller: Caller): object => ({
  getTerminalStdout: () => (isTerminal(caller.context, "stdout") ? new TerminalOutput(caller.context) : undefined),
});

/** wasi:cli/terminal-stderr@0.2 */
export const terminalStderr = (caller: Caller): object => ({
  getTerminalStderr: () => (isTerminal(caller.context, "stderr") ? new TerminalOutput(caller.context) : undefined),
});

const isTerminal = (context: GuestContext, stream: StandardStream): boolean =>
  context.settings.terminals.includes(stream);
