import { Fault } from "../internal/fault.ts";

export type WireFaultCode =
  /** The guest threw, trapped, or broke the protocol of its world. */
  | "GUEST_FAILED"
  /** The guest did not answer within its time. */
  | "GUEST_TIMEOUT"
  /** The guest used up its memory, or its tables. */
  | "GUEST_MEMORY"
  | "GUEST_TABLE"
  /** The guest used up the CPU time of one request. */
  | "GUEST_CPU"
  /** The guest held as much as it may, and wanted more. */
  | "GUEST_HANDLES"
  | "GUEST_CONNECTIONS"
  | "GUEST_HEADERS"
  /** The guest went over another of its limits; the message says which. */
  | "GUEST_LIMIT"
  /** The other side gave up: a client that left, a gateway whose deadline passed. */
  | "CANCELLED"
  /** Not begun: the pod is draining or full. Safe to send elsewhere. */
  | "REFUSED"
  /** The connection broke with the stream open. */
  | "CONNECTION_LOST"
  /** The peer sent what the protocol does not allow. */
  | "PROTOCOL";

export class WireFault extends Fault<WireFaultCode> {}

const codes: ReadonlySet<string> = new Set<WireFaultCode>([
  "GUEST_FAILED",
  "GUEST_TIMEOUT",
  "GUEST_MEMORY",
  "GUEST_TABLE",
  "GUEST_CPU",
  "GUEST_HANDLES",
  "GUEST_CONNECTIONS",
  "GUEST_HEADERS",
  "GUEST_LIMIT",
  "CANCELLED",
  "REFUSED",
  "CONNECTION_LOST",
  "PROTOCOL",
]);

export const isWireFaultCode = (text: string): text is WireFaultCode => codes.has(text);
