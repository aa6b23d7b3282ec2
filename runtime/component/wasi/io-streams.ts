import type { Caller } from "./guest-context.ts";
import { InputStream } from "./input-stream.ts";
import { OutputStream } from "./output-stream.ts";
import { guestClass, notConstructible } from "./resource.ts";

/** wasi:io/streams@0.2 */
export const ioStreams = (_caller: Caller): object => ({
  InputStream: guestClass(InputStream, notConstructible, {}),
  OutputStream: guestClass(OutputStream, notConstructible, {}),
});
