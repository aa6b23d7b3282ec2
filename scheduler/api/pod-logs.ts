import type { LogForm } from "@shallop/sdk/wire";
import type { AgentAddress } from "./agent-link.ts";

/** What `kubectl logs` asks of one container. */
export interface PodLogRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** `core/v1` PodLogOptions as query parameters: follow, tailLines, timestamps, sinceSeconds, sinceTime, limitBytes, previous. */
  readonly query: URLSearchParams;
}

/** Where logs are read: the agents of the nodes. The streams end when `signal` is aborted. */
export interface PodLogs {
  /** The log of a container. @throws ApiFault ServiceUnavailable, NotFound, BadRequest as the agent says */
  container(agent: AgentAddress, request: PodLogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** The log lines of all pods of a service that this node has had. @throws as container */
  service(agent: AgentAddress, request: ServiceLogRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

export interface ServiceLogRequest {
  readonly namespace: string;
  readonly service: string;
  readonly follow: boolean;
  readonly tailLines: number | undefined;
  /** Begin each line of text with `[pod/NAME/CONTAINER] `. */
  readonly prefix: boolean;
  readonly form: LogForm;
}
