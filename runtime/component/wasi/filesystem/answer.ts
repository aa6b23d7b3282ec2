import type { GuestContext } from "../guest-context.ts";
import { err, ok, type Result } from "../result.ts";
import { type FileErrorCode, FileFault, fileErrorOf } from "./file-error.ts";

/** What `run` gives, as the guest gets it. Refusals and errors of the system are answers; anything else is a bug. */
export async function answer<Value>(
  context: GuestContext,
  run: () => Promise<Value>,
): Promise<Result<Value, FileErrorCode>> {
  let result: Result<Value, FileErrorCode>;
  try {
    result = ok(await run());
  } catch (error) {
    result = failureOf(error);
  }
  // The instance has ended meanwhile: nothing may enter it again.
  return context.ended ? new Promise(() => undefined) : result;
}

/** The same for what answers at once. */
export function answerNow<Value>(run: () => Value): Result<Value, FileErrorCode> {
  try {
    return ok(run());
  } catch (error) {
    return failureOf(error);
  }
}

function failureOf(error: unknown): Result<never, FileErrorCode> {
  if (error instanceof FileFault || (error instanceof Error && "errno" in error)) return err(fileErrorOf(error));
  throw error;
}
