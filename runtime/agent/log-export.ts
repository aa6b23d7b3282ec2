import type { LogRecord } from "@shallop/sdk/internal/telemetry";
import { traceOf } from "../pod/log-line.ts";
import type { LogListener } from "../pod/log-store.ts";

/** Hands on what pods say, with the names of OpenTelemetry's semantic conventions for Kubernetes, FaaS and logs. */
export const exportLogsTo =
  (emit: (record: LogRecord) => void): LogListener =>
  ({ namespace, pod, uid, container, service }, line) =>
    emit({
      atMs: line.wallMs,
      // What a program writes on its standard error is as often no error as it is one.
      level: "info",
      body: line.text,
      attributes: {
        "k8s.namespace.name": namespace,
        "k8s.pod.name": pod,
        "k8s.pod.uid": uid,
        "k8s.container.name": container,
        "log.iostream": line.stream,
        ...(service === undefined ? {} : { "faas.name": service }),
      },
      trace: traceOf(line),
    });
