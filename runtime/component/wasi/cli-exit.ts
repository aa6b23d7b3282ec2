import { GuestExit } from "../guest-fault.ts";
import type { Caller } from "./guest-context.ts";
import type { Result } from "./result.ts";

function end(code: number): never {
  throw new GuestExit(code);
}

/** wasi:cli/exit@0.2 and 0.3. Ends the instance; for a handler, which has no business to exit, that is a failure. */
export const cliExit = (_caller: Caller): object => ({
  exit: (status: Result<undefined, undefined>) => end(status.tag === "ok" ? 0 : 1),
  exitWithCode: (code: number) => end(code),
});
