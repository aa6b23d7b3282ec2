import { createWriteStream } from "node:fs";
import type { Clock, ProcessLog, Random } from "@shallop/sdk/internal";
import {
  addProcessMetrics,
  Metrics,
  readTelemetrySettings,
  type Sampler,
  samplerOf,
  startExport,
  type TelemetrySettings,
} from "@shallop/sdk/internal/telemetry";
import type { RequestTrace } from "@shallop/sdk/wire";
import type { Settings } from "./settings.ts";
import { AccessLog } from "./stats/access-log.ts";
import type { RequestWatcher } from "./stats/request-record.ts";
import { Stories } from "./stats/stories.ts";
import { type TraceMode, Tracer } from "./stats/tracer.ts";

export interface GatewayTelemetryOptions {
  readonly settings: Pick<Settings, "statusPort" | "trace" | "accessLog" | "accessLogFile">;
  /** Where OpenTelemetry's variables are. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: ProcessLog;
  readonly sendTraces: (traces: readonly RequestTrace[], signal: AbortSignal) => Promise<void>;
}

/** Who watches the gateway's requests: nobody, unless flags or the environment ask for it. */
export interface GatewayTelemetry {
  /** For whoever scrapes; empty when nobody does. */
  readonly metrics: Metrics;
  /** Undefined: nothing is to be measured. */
  readonly measured: Metrics | undefined;
  readonly tracer: Tracer | undefined;
  readonly watchers: readonly RequestWatcher[];
  /** Sends and writes what is left. */
  close(): Promise<void>;
}

export async function openTelemetry(options: GatewayTelemetryOptions): Promise<GatewayTelemetry> {
  const { settings, environment, clock, random, log, sendTraces } = options;
  const telemetry = readTelemetrySettings(environment);
  for (const warning of telemetry.warnings) log.warn(warning);
  const metrics = new Metrics();
  const isMeasured = settings.statusPort !== undefined || telemetry.metrics;
  if (isMeasured) addProcessMetrics(metrics);
  const service = "shallop-gateway";
  const instance = random.uuid();
  const exported = await startExport({ settings: telemetry, clock, log, service, instance, metrics });
  const sampler = samplerFor(settings.trace, telemetry);
  const traces = sampler === undefined ? undefined : new Stories<RequestTrace>({ clock, log, send: sendTraces });
  const tracer =
    sampler === undefined
      ? undefined
      : new Tracer({ sampler, random, span: exported.span, trace: (trace) => traces?.add(trace) });
  const accessLog = openAccessLog(options);
  return {
    metrics,
    measured: isMeasured ? metrics : undefined,
    tracer,
    watchers: accessLog === undefined ? [] : [accessLog],
    close: async () => {
      traces?.close();
      await Promise.all([accessLog?.close(), exported.close()]);
    },
  };
}

function openAccessLog({ settings, log, clock }: GatewayTelemetryOptions): AccessLog | undefined {
  const { accessLog: form, accessLogFile: file } = settings;
  if (form === undefined) return undefined;
  // By its number: `process.stdout` waits for whoever reads a pipe.
  const output = createWriteStream(file ?? "", file === undefined ? { fd: 1 } : { flags: "a", mode: 0o640 });
  return new AccessLog(form, { output, log, clock });
}

/** The flag first, then the environment; nothing is traced unless somebody asks for it. */
function samplerFor(mode: TraceMode | undefined, { sampler, traces }: TelemetrySettings): Sampler | undefined {
  if (mode === "off" || (mode === undefined && sampler === undefined && !traces)) return undefined;
  if (mode !== undefined) return samplerOf({ ratio: mode === "parent" ? 0 : mode, parentBased: true });
  return samplerOf(sampler ?? { ratio: 1, parentBased: true });
}
