export type {
  AbandonedRequests,
  ActivateFaultCode,
  ActivateRequest,
  Activation,
  AgentPod,
  CheckResult,
  ContainerChecks,
} from "./agent.ts";
export { type LogForm, logForms, standbyDirectoryName, standbyFileName } from "./agent.ts";
export { type ConnectionHandlers, WireConnection } from "./connection.ts";
export type {
  Explanation,
  JoinGrant,
  JoinRequest,
  LiveGateway,
  LoadAnswer,
  LoadReport,
  RequestAttempt,
  RequestStory,
  RequestTrace,
  RevisionRate,
  RevisionExplanation,
  RevisionLoad,
  ScaleDecision,
  ScaleReplay,
  WhatIf,
} from "./control.ts";
export {
  type BuilderMessage,
  type BuilderRequest,
  type BuilderSettings,
  type BuildEvent,
  type BuildOrder,
  type BuiltVariant,
  DockerfileFault,
  type DockerfileFaultCode,
  type RunLimits,
} from "./builder.ts";
export { DatagramReader, encodeDatagram } from "./gated-datagrams.ts";
export { gateAnswer, type GatedAddress, gateLineBytesMax, parseGateLine, passGate } from "./gate.ts";
export { gatewayServerName, type PeerMessage, type PeerMessages } from "./peer.ts";
export type { ContainerUsage, NodeUsage, PodUsage } from "./usage.ts";
export { WireFault, type WireFaultCode } from "./fault.ts";
export { encodeAbort, type RequestHead, type ResponseHead, streamWindowBytes } from "./frame.ts";
export { type StreamHandlers, WireStream } from "./stream.ts";
export {
  type WebSocketAction,
  type WebSocketData,
  webSocketHeaders,
  webSocketStateBytesMax,
  webSocketType,
} from "./web-socket-call.ts";
