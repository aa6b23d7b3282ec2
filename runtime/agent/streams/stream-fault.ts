import { Fault } from "@shallop/sdk/internal";

export type StreamFaultCode =
  /** The client does not keep to the protocol that it chose. */
  | "PROTOCOL"
  /** More streams, or larger messages, than anybody needs. */
  | "TOO_MUCH";

/** What ends a connection of exec, attach or port-forward before its time. */
export class StreamFault extends Fault<StreamFaultCode> {}
