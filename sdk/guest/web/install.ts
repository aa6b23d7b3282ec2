import { defineGlobals } from "./first.ts";
import "./promise.ts";
import { now } from "wazi:clocks/monotonic-clock@0.2.10";
import {
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  ReadableStream,
  TransformStream,
  WritableStream,
} from "web-streams-polyfill";
import { fetch } from "../wasi/outgoing.ts";
import { AbortController, AbortSignal, CustomEvent, Event, EventTarget } from "./abort.ts";
import { Blob, File } from "./blob.ts";
import { console } from "./console.ts";
import { crypto, random } from "./crypto.ts";
import { FormData } from "./form-data.ts";
import { Headers } from "./headers.ts";
import { process } from "./process.ts";
import { Request } from "./request.ts";
import { Response } from "./response.ts";
import { structuredClone } from "./structured-clone.ts";
import { TextDecoderStream, TextEncoderStream } from "./text-streams.ts";
import { URL } from "./url.ts";
import { URLSearchParams } from "./url-search-params.ts";

/** Makes QuickJS look as https://min-common-api.proposal.wintertc.org asks, as far as `sdk/guest/README.md` says. */

const classes = {
  AbortController,
  AbortSignal,
  Blob,
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  CustomEvent,
  Event,
  EventTarget,
  File,
  FormData,
  Headers,
  ReadableStream,
  Request,
  Response,
  TextDecoderStream,
  TextEncoderStream,
  TransformStream,
  URL,
  URLSearchParams,
  WritableStream,
};
defineGlobals(classes);
// Libraries tell these objects apart by what Object.prototype.toString says. The bundler may have renamed the classes.
for (const [name, { prototype }] of Object.entries(classes)) {
  if (Object.hasOwn(prototype, Symbol.toStringTag)) continue;
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
}
defineGlobals({
  console,
  crypto,
  fetch,
  performance: { now: () => now() / 1e6, timeOrigin: 0 },
  process,
  reportError: (error: unknown) => console.error("uncaught:", error),
  structuredClone,
});
Math.random = random;
