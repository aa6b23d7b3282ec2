import { enableCompileCache, flushCompileCache } from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { aborted, announceReady, describeError, jsonLog, stopSignal } from "@shallop/sdk/internal";
import { readTelemetrySettings } from "@shallop/sdk/internal/telemetry";
import { settingOptions } from "./setting-options.ts";

async function main(): Promise<void> {
  const stop = stopSignal();
  const log = jsonLog("scheduler", (line) => process.stderr.write(line));
  const { values } = parseArgs({ options: settingOptions });
  // Stripped types and machine code of everything that follows: a start costs half as much.
  if (values.data !== undefined) enableCompileCache(join(values.data, "code"));
  const { startControlPlane } = await import("./control-plane.ts");
  const telemetry = readTelemetrySettings(process.env);
  for (const warning of telemetry.warnings) log.warn(warning);
  const dockerConfig = process.env["DOCKER_CONFIG"];
  await using controlPlane = await startControlPlane(values, { log, dockerConfig, telemetry });
  announceReady(controlPlane.facts);
  // Now, because a process that is killed writes nothing at its end.
  flushCompileCache();
  await aborted(stop);
  log.info("stopping");
}

main()
  .catch((error: unknown) => {
    process.stderr.write(`scheduler: ${describeError(error)}\n`);
    process.exitCode = 1;
  })
  .finally(() => {
    // The channel to the supervisor would keep a process alive that has nothing left to do.
    if (process.connected) process.disconnect?.();
  });
