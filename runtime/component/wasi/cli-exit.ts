import { GuestFault } from "../guest-fault.ts";
import type { GuestContext } from "./guest-context.ts";
import type { Result } from "./result.ts";

function end(code: number): never {
  throw new GuestFault("GUEST_FAILED", `the guest called exit with status ${code} while it served a request`);
}

/** wasi:cli/exit@0.2. A handler has no business to exit: the instance ends, its pod goes on. */
export const cliExit = (_context: GuestContext): object => ({
  exit: (status: Result<undefined, undefined>) => end(status.tag === "ok" ? 0 : 1),
  exitWithCode: (code: number) => end(code),
});
