import type { WebSocketData } from "./web-socket-call.ts";

/**
 * What gateways of one cluster say to each other, over HTTPS with certificates of the cluster's authority, organisation
 * `shallop:gateway` on both sides:
 *
 *   POST /v1/messages    PeerMessages → 204: for WebSockets that the other gateway holds
 */
export interface PeerMessages {
  readonly messages: readonly PeerMessage[];
}

/** For the connections of a service: those that have subscribed to the topic, or the one of that id. */
export interface PeerMessage {
  /** `NAMESPACE/NAME` */
  readonly service: string;
  readonly topic?: string;
  readonly id?: string;
  readonly data: WebSocketData;
}

/** The name in gateways' certificates, by which each is known to the others wherever it runs. */
export const gatewayServerName = "gateway.shallop.internal";
