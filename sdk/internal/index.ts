export { assert, AssertionError, unreachable } from "./assert.ts";
export {
  aborted,
  announceReady,
  keepSocket,
  keptSockets,
  keptSocketsVariable,
  type ReadyMessage,
  replaceOnHangup,
  Retired,
  stopSignal,
} from "./child.ts";
export { type Clock, rfc3339, rfc3339Micro, systemClock, type Timer } from "./clock.ts";
export { type ComponentProblem, componentProblem } from "./component-problem.ts";
export { parseDurationMs } from "./duration.ts";
export { describeError, errorCode, Fault } from "./fault.ts";
export { guestV8Flags } from "./guest-v8-flags.ts";
export {
  breachText,
  formatLimit,
  guestLimitDefaults,
  type GuestLimits,
  type LimitCode,
  type LimitName,
  limitRows,
} from "./limits.ts";
export { jsonLog, type Log, type LogFields, type ProcessLog, silentLog } from "./log.ts";
export { machineIdentity } from "./machine.ts";
export { processCpuMs, whenOutOfTime } from "./patience.ts";
export { type Random, systemRandom } from "./random.ts";
export { type InstanceReuse, instanceReuse, reuseRows } from "./reuse.ts";
export { SingleFlight } from "./single-flight.ts";
export { LineSplitter } from "./stream-lines.ts";
export { Turnstile } from "./turnstile.ts";
