import type { GuestContext } from "./guest-context.ts";
import { guestClass, notConstructible, Resource } from "./resource.ts";

/** `wasi:cli/terminal-input.terminal-input`; none ever exists. */
class TerminalInput extends Resource {}
/** `wasi:cli/terminal-output.terminal-output`; none ever exists. */
class TerminalOutput extends Resource {}

/** wasi:cli/terminal-input@0.2 */
export const terminalInput = (_context: GuestContext): object => ({
  TerminalInput: guestClass(TerminalInput, notConstructible, {}),
});

/** wasi:cli/terminal-output@0.2 */
export const terminalOutput = (_context: GuestContext): object => ({
  TerminalOutput: guestClass(TerminalOutput, notConstructible, {}),
});

const none = (): undefined => undefined;

/** wasi:cli/terminal-{stdin,stdout,stderr}@0.2: a pod has no terminal. */
export const terminalStdin = (_context: GuestContext): object => ({ getTerminalStdin: none });
export const terminalStdout = (_context: GuestContext): object => ({ getTerminalStdout: none });
export const terminalStderr = (_context: GuestContext): object => ({ getTerminalStderr: none });
