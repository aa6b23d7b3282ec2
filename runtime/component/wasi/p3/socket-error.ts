import type { IoErrorCause } from "../io-error.ts";
import { err, type Result } from "../result.ts";
import type { NetworkErrorCode } from "../sockets/network-error.ts";

type PlainCode =
  | "access-denied"
  | "not-supported"
  | "invalid-argument"
  | "out-of-memory"
  | "timeout"
  | "invalid-state"
  | "address-not-bindable"
  | "address-in-use"
  | "remote-unreachable"
  | "connection-refused"
  | "connection-broken"
  | "connection-reset"
  | "connection-aborted"
  | "datagram-too-large";

/** `wasi:sockets/types.error-code`. */
export type SocketError = { readonly tag: PlainCode } | { readonly tag: "other"; readonly val: string | undefined };

export type SocketOutcome<Value> = Result<Value, SocketError>;

const codes: ReadonlySet<string> = new Set<PlainCode>([
  "access-denied",
  "not-supported",
  "invalid-argument",
  "out-of-memory",
  "timeout",
  "invalid-state",
  "address-not-bindable",
  "address-in-use",
  "remote-unreachable",
  "connection-refused",
  "connection-broken",
  "connection-reset",
  "connection-aborted",
  "datagram-too-large",
]);

/** What 0.2 has a code for and 0.3 has not is `other`, in the words of 0.2. */
export const socketError = (code: NetworkErrorCode): SocketError =>
  codes.has(code) ? { tag: code as PlainCode } : { tag: "other", val: code === "unknown" ? undefined : code };

/** Of a stream from or to a connection. */
export const socketErrorOfCause = (cause: IoErrorCause | undefined): SocketError =>
  cause?.kind === "network" ? socketError(cause.code) : { tag: "connection-broken" };

export const socketOutcome = <Value>(result: Result<Value, NetworkErrorCode>): SocketOutcome<Value> =>
  result.tag === "ok" ? result : err(socketError(result.val));
