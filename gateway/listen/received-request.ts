import type { ClientEnd } from "../proxy/client-end.ts";
import type { GatewayFault, GatewayFaultCode } from "../proxy/fault-status.ts";
import type { ClientHeaders } from "../proxy/request-head.ts";
import type { RequestTarget } from "../proxy/request-target.ts";
import type { ClientConnection } from "./connections.ts";

/** An answer to what a client has sent that is no request, or none in time. */
export interface Refusal {
  readonly client: ClientConnection;
  /** What the client is told to ask about. */
  readonly id: string;
  readonly code: GatewayFaultCode;
  readonly status: number;
  /** Of the answer's body. */
  readonly byteCount: number;
}

/** A request that is refused before anybody has taken it on. */
export interface RefusedRequest {
  readonly id: string;
  readonly fault: GatewayFault;
  readonly method: string;
  /** As the client named them; empty when they could not be read. */
  readonly host: string;
  readonly target: string;
  /** Address. */
  readonly client: string;
}

/** A request whose head has come, whatever protocol it came by. */
export interface ReceivedRequest {
  readonly peer: ClientEnd;
  readonly connection: ClientConnection;
  readonly scheme: "http" | "https";
  /** `1.0`, `1.1` or `2`. */
  readonly protocol: string;
  /** The client may be waiting to be told to send the body. */
  readonly expectsContinue: boolean;
  /** What the head says. @throws GatewayFault */
  read(): { readonly headers: ClientHeaders; readonly target: RequestTarget };
}
