import { errorCode } from "@shallop/sdk/internal";
import { EgressFault } from "../../egress/egress.ts";

/** `wasi:sockets/network.error-code`. */
export type NetworkErrorCode =
  | "unknown"
  | "access-denied"
  | "not-supported"
  | "invalid-argument"
  | "out-of-memory"
  | "timeout"
  | "concurrency-conflict"
  | "not-in-progress"
  | "would-block"
  | "invalid-state"
  | "new-socket-limit"
  | "address-not-bindable"
  | "address-in-use"
  | "remote-unreachable"
  | "connection-refused"
  | "connection-reset"
  | "connection-aborted"
  | "datagram-too-large"
  | "name-unresolvable"
  | "temporary-resolver-failure"
  | "permanent-resolver-failure";

/** errno(3) and the codes of getaddrinfo(3), as Node names them. */
const codeByErrno: Readonly<Record<string, NetworkErrorCode>> = {
  EACCES: "access-denied",
  EPERM: "access-denied",
  EAFNOSUPPORT: "not-supported",
  ENOTSUP: "not-supported",
  EOPNOTSUPP: "not-supported",
  EPROTONOSUPPORT: "not-supported",
  EPFNOSUPPORT: "not-supported",
  EINVAL: "invalid-argument",
  EDESTADDRREQ: "invalid-argument",
  ENOBUFS: "out-of-memory",
  ENOMEM: "out-of-memory",
  ETIMEDOUT: "timeout",
  EALREADY: "concurrency-conflict",
  EISCONN: "invalid-state",
  ENOTCONN: "invalid-state",
  EMFILE: "new-socket-limit",
  ENFILE: "new-socket-limit",
  EADDRNOTAVAIL: "address-not-bindable",
  EADDRINUSE: "address-in-use",
  EHOSTDOWN: "remote-unreachable",
  EHOSTUNREACH: "remote-unreachable",
  ENETDOWN: "remote-unreachable",
  ENETUNREACH: "remote-unreachable",
  ENONET: "remote-unreachable",
  ECONNREFUSED: "connection-refused",
  ECONNRESET: "connection-reset",
  EPIPE: "connection-reset",
  ECONNABORTED: "connection-aborted",
  EMSGSIZE: "datagram-too-large",
  ENOTFOUND: "name-unresolvable",
  ENODATA: "name-unresolvable",
  EAI_AGAIN: "temporary-resolver-failure",
  ETIMEOUT: "temporary-resolver-failure",
  EAI_FAIL: "permanent-resolver-failure",
};

/** What a guest is told about an error of the network. */
export function networkErrorOf(error: unknown): NetworkErrorCode {
  if (error instanceof EgressFault) {
    if (error.code === "PROHIBITED") return "access-denied";
    const cause = networkErrorOf(error.cause);
    return cause === "unknown" ? "name-unresolvable" : cause;
  }
  return codeByErrno[errorCode(error) ?? ""] ?? "unknown";
}
