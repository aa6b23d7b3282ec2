import type { TraceContext } from "@shallop/sdk/internal/telemetry";
import type { ExchangeStory } from "../proxy/exchange-story.ts";
import type { GatewayFaultCode } from "../proxy/fault-status.ts";

/** What is known of a request as soon as its head has come. */
export interface RequestOrigin {
  readonly id: string;
  readonly method: string;
  readonly scheme: "http" | "https";
  /** `1.0`, `1.1` or `2`. */
  readonly protocol: string;
  /** Address of who has made the connection. */
  readonly client: string;
  /** Monotonic milliseconds, and those of the wall clock. */
  readonly startMs: number;
  readonly startWallMs: number;
}

/** One request, for those who watch all of them. Made only when somebody does. */
export class RequestRecord {
  readonly origin: RequestOrigin;
  /** Address of the client. */
  client: string;
  /** Whom the client has shown to be, where the rule asks: the user of a password, the subject of a token. */
  user: string | undefined;
  /** Value of Host, and path and query; empty while, or because, they could not be read. */
  authority = "";
  target = "";
  /** Flat, names in lower case. */
  headers: readonly string[] = [];
  /** 0: the client has gone before there was an answer. */
  status = 0;
  bytesReceived = 0;
  bytesSent = 0;
  endMs = 0;
  /** Why it was not answered by a pod, or not to its end. */
  code: GatewayFaultCode | undefined;
  /** Where it went; undefined: it had no route, or needed no pod. */
  revision: { readonly key: string; readonly namespace: string; readonly name: string } | undefined;
  story: ExchangeStory | undefined;
  /** The gateway's own span, and the one before it; undefined: not traced. */
  trace:
    | (TraceContext & {
        readonly parentSpanId: string | undefined;
        /** Of the pod that answers. */ readonly podSpanId: string;
      })
    | undefined;

  constructor(origin: RequestOrigin) {
    this.origin = origin;
    this.client = origin.client;
  }

  get durationMs(): number {
    return this.endMs - this.origin.startMs;
  }
}

/** Hears of every request. Must neither throw nor wait. */
export interface RequestWatcher {
  ended(record: RequestRecord): void;
}
