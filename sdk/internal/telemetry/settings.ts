/** What of a process is exported over OTLP, as the environment asks for it. */
export interface TelemetrySettings {
  readonly traces: boolean;
  readonly metrics: boolean;
  readonly logs: boolean;
  readonly encoding: "protobuf" | "json";
  readonly metricIntervalMs: number;
  readonly sampler: SamplerSettings | undefined;
  /** What was asked for and is not done, in sentences. */
  readonly warnings: readonly string[];
}

/** Which traces begin here. Those that began elsewhere go on as their `traceparent` says, if `parentBased`. */
export interface SamplerSettings {
  /** 0 to 1. */
  readonly ratio: number;
  readonly parentBased: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads OpenTelemetry's environment variables (specification, "Environment Variable Specification"). A process exports a
 * signal when its exporter is `otlp`, or when an endpoint is given and no exporter: nothing is sent to a default endpoint
 * that nobody has asked for. Endpoints, headers, time limits, compression and certificates are read by the exporter.
 */
export function readTelemetrySettings(environment: Environment): TelemetrySettings {
  const warnings: string[] = [];
  const value = (name: string): string | undefined => environment[name]?.trim() || undefined;
  const isOff = value("OTEL_SDK_DISABLED")?.toLowerCase() === "true";
  const exports = (signal: "TRACES" | "METRICS" | "LOGS"): boolean => {
    if (isOff) return false;
    const exporters = value(`OTEL_${signal}_EXPORTER`)
      ?.split(",")
      .map((name) => name.trim());
    if (exporters === undefined)
      return (value(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`) ?? value("OTEL_EXPORTER_OTLP_ENDPOINT")) !== undefined;
    const unknown = exporters.find((name) => !["otlp", "none", "prometheus", ""].includes(name));
    if (unknown !== undefined)
      warnings.push(`OTEL_${signal}_EXPORTER names ${JSON.stringify(unknown)}; there are otlp and none`);
    return exporters.includes("otlp");
  };
  const protocol = value("OTEL_EXPORTER_OTLP_PROTOCOL") ?? "http/protobuf";
  if (protocol !== "http/protobuf" && protocol !== "http/json")
    warnings.push(`OTEL_EXPORTER_OTLP_PROTOCOL is ${JSON.stringify(protocol)}; http/protobuf is used instead`);
  return {
    traces: exports("TRACES"),
    metrics: exports("METRICS"),
    logs: exports("LOGS"),
    encoding: protocol === "http/json" ? "json" : "protobuf",
    metricIntervalMs: milliseconds(value("OTEL_METRIC_EXPORT_INTERVAL"), 60_000, warnings),
    sampler: isOff ? undefined : sampler(value("OTEL_TRACES_SAMPLER"), value("OTEL_TRACES_SAMPLER_ARG"), warnings),
    warnings,
  };
}

function milliseconds(text: string | undefined, otherwise: number, warnings: string[]): number {
  if (text === undefined) return otherwise;
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  warnings.push(`OTEL_METRIC_EXPORT_INTERVAL is ${JSON.stringify(text)}, and milliseconds were expected`);
  return otherwise;
}

function sampler(
  name: string | undefined,
  argument: string | undefined,
  warnings: string[],
): SamplerSettings | undefined {
  if (name === undefined) return undefined;
  const parentBased = name.startsWith("parentbased_");
  switch (name.replace(/^parentbased_/, "")) {
    case "always_on":
      return { ratio: 1, parentBased };
    case "always_off":
      return { ratio: 0, parentBased };
    case "traceidratio": {
      const ratio = Number(argument ?? "1");
      if (ratio >= 0 && ratio <= 1) return { ratio, parentBased };
      warnings.push(`OTEL_TRACES_SAMPLER_ARG is ${JSON.stringify(argument)}, and a number from 0 to 1 was expected`);
      return { ratio: 1, parentBased };
    }
    default:
      warnings.push(
        `OTEL_TRACES_SAMPLER is ${JSON.stringify(name)}, which is no sampler; parentbased_always_on is used`,
      );
      return { ratio: 1, parentBased: true };
  }
}
