import type { OutgoingHttpHeaders } from "node:http2";
import { hopByHop, isHeader } from "./response-head.ts";

/** Of trailers, flat, those that a trailer may be (RFC 9110, 6.5.1) and that can be sent; names in lower case. */
export function readTrailers(raw: readonly string[]): readonly string[] {
  // Nearly every message.
  if (raw.length === 0) return raw;
  const trailers: string[] = [];
  for (let index = 0; index < raw.length && trailers.length < trailersMax * 2; index += 2) {
    const name = (raw[index] ?? "").toLowerCase();
    const value = raw[index + 1] ?? "";
    if (hopByHop.has(name) || notInTrailers.has(name) || ownPrefix.test(name)) continue;
    if (isHeader(name, value)) trailers.push(name, value);
  }
  return trailers;
}

// gRPC has three and a program's own. Whoever has read them has bounded their bytes: one that is left out may be the status.
const trailersMax = 2_000;
/** Said by the gateway only. */
const ownPrefix = /^(?:x-shallop-|x-forwarded-|k-)/;

/** What frames, routes or modifies the message, or says who sent it, has been acted on by the time trailers come. */
const notInTrailers: ReadonlySet<string> = new Set([
  "authorization",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "forwarded",
  "host",
  "set-cookie",
]);

/** As Node's HTTP/2 takes them. */
export function byName(flat: readonly string[]): OutgoingHttpHeaders {
  const values: Record<string, string[]> = {};
  for (let index = 0; index < flat.length; index += 2) (values[flat[index] ?? ""] ??= []).push(flat[index + 1] ?? "");
  return values;
}
