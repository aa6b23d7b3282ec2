import type { GuestContext, StandardStream } from "./guest-context.ts";
import { guestClass, notConstructible, Resource } from "./resource.ts";

/** `wasi:cli/terminal-input.terminal-input`; says only that it is there. */
class TerminalInput extends Resource {}
/** `wasi:cli/terminal-output.terminal-output`; says only that it is there. */
class TerminalOutput extends Resource {}

/** wasi:cli/terminal-input@0.2 */
export const terminalInput = (_context: GuestContext): object => ({
  TerminalInput: guestClass(TerminalInput, notConstructible, {}),
});

/** wasi:cli/terminal-output@0.2 */
export const terminalOutput = (_context: GuestContext): object => ({
  TerminalOutput: guestClass(TerminalOutput, notConstructible, {}),
});

/** wasi:cli/terminal-stdin@0.2: nothing, unless the launch says that there is a terminal. */
export const terminalStdin = (context: GuestContext): object => ({
  getTerminalStdin: () => (isTerminal(context, "stdin") ? new TerminalInput(context) : undefined),
});

/** wasi:cli/terminal-stdout@0.2 */
export const terminalStdout = (context: GuestContext): object => ({
  getTerminalStdout: () => (isTerminal(context, "stdout") ? new TerminalOutput(context) : undefined),
});

/** wasi:cli/terminal-stderr@0.2 */
export const terminalStderr = (context: GuestContext): object => ({
  getTerminalStderr: () => (isTerminal(context, "stderr") ? new TerminalOutput(context) : undefined),
});

const isTerminal = (context: GuestContext, stream: StandardStream): boolean =>
  context.settings.terminals.includes(stream);
