import type { GuestContext } from "./guest-context.ts";
import { guestClass, notConstructible, Resource } from "./resource.ts";
import type { HttpErrorCode } from "./http-error-code.ts";

/** `wasi:io/error.error`. */
export class IoError extends Resource {
  readonly #message: string;
  /** What `wasi:http/types.http-error-code` answers for it. */
  readonly httpErrorCode: HttpErrorCode | undefined;

  constructor(context: GuestContext, message: string, httpErrorCode?: HttpErrorCode) {
    super(context);
    this.#message = message;
    this.httpErrorCode = httpErrorCode;
  }

  toDebugString(): string {
    return this.#message;
  }
}

/** wasi:io/error@0.2 */
export const ioError = (_context: GuestContext): object => ({ Error: guestClass(IoError, notConstructible, {}) });
