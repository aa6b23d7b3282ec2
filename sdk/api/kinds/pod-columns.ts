import { ageColumn, nameColumn, since, textColumn } from "../columns.ts";
import { dig, type Json, type JsonObject, listAt, numberAt, textAt } from "../json.ts";
import type { Column } from "../kind.ts";

// k8s.io/kubernetes/pkg/printers/internalversion/printers.go printPod, as far as our pods have those states.

const statuses = (pod: JsonObject): readonly Json[] => listAt(pod, "status", "containerStatuses");

/** Names of init containers that run on beside the others. */
const sidecars = (pod: JsonObject): ReadonlySet<string | undefined> =>
  new Set(
    listAt(pod, "spec", "initContainers")
      .filter((container) => textAt(container, "restartPolicy") === "Always")
      .map((container) => textAt(container, "name")),
  );

const sidecarStatuses = (pod: JsonObject): readonly Json[] =>
  listAt(pod, "status", "initContainerStatuses").filter((status) => sidecars(pod).has(textAt(status, "name")));

function ready(pod: JsonObject): string {
  const all = [...statuses(pod), ...sidecarStatuses(pod)];
  const readyCount = all.filter((status) => dig(status, "ready") === true).length;
  return `${readyCount}/${listAt(pod, "spec", "containers").length + sidecars(pod).size}`;
}

/** The word for a pod that is being initialised, `Init:1/2`; undefined when it no longer is. */
function initialising(pod: JsonObject): string | undefined {
  const inits = listAt(pod, "status", "initContainerStatuses");
  for (const [index, status] of inits.entries()) {
    if (numberAt(status, "state", "terminated", "exitCode") === 0) continue;
    if (sidecars(pod).has(textAt(status, "name")) && dig(status, "started") === true) continue;
    const reason = containerReason(status);
    return reason === undefined || reason === "PodInitializing"
      ? `Init:${index}/${listAt(pod, "spec", "initContainers").length}`
      : `Init:${reason}`;
  }
  return undefined;
}

/** The word for one container that is not simply running; undefined otherwise. */
function containerReason(status: Json): string | undefined {
  const waiting = textAt(status, "state", "waiting", "reason");
  if (waiting !== undefined && waiting !== "") return waiting;
  if (dig(status, "state", "terminated") === undefined) return undefined;
  const reason = textAt(status, "state", "terminated", "reason") ?? "";
  if (reason !== "") return reason;
  const signal = numberAt(status, "state", "terminated", "signal") ?? 0;
  return signal !== 0 ? `Signal:${signal}` : `ExitCode:${numberAt(status, "state", "terminated", "exitCode") ?? 0}`;
}

function phase(pod: JsonObject): string {
  const reason = textAt(pod, "status", "reason") ?? "";
  let word = reason === "" ? (textAt(pod, "status", "phase") ?? "") : reason;
  word = initialising(pod) ?? word;
  let running = false;
  for (const status of statuses(pod).toReversed()) {
    const isBehind = word.startsWith("Init:");
    word = (isBehind ? undefined : containerReason(status)) ?? word;
    running ||= dig(status, "ready") === true && dig(status, "state", "running") !== undefined;
  }
  // One container is done, another still serves.
  if (word === "Completed" && running) word = "Running";
  if (dig(pod, "metadata", "deletionTimestamp") !== undefined) return reason === "NodeLost" ? "Unknown" : "Terminating";
  return word;
}

function restarts(pod: JsonObject, nowMs: number): string {
  let count = 0;
  let last = "";
  for (const status of [...statuses(pod), ...sidecarStatuses(pod)]) {
    count += numberAt(status, "restartCount") ?? 0;
    const finishedAt = textAt(status, "lastState", "terminated", "finishedAt") ?? "";
    if (finishedAt > last) last = finishedAt;
  }
  return count > 0 && last !== "" ? `${count} (${since(last, nowMs)} ago)` : String(count);
}

function readinessGates(pod: JsonObject): string {
  const gates = listAt(pod, "spec", "readinessGates");
  if (gates.length === 0) return "<none>";
  const met = gates.filter((gate) =>
    listAt(pod, "status", "conditions").some(
      (condition) =>
        textAt(condition, "type") === textAt(gate, "conditionType") && textAt(condition, "status") === "True",
    ),
  );
  return `${met.length}/${gates.length}`;
}

export const podColumns: readonly Column[] = [
  nameColumn,
  { name: "Ready", type: "string", description: "Containers that are ready, of all", cell: ready },
  { name: "Status", type: "string", description: "Phase, or the reason why it is not running", cell: phase },
  { name: "Restarts", type: "string", description: "Restarts of its containers", cell: restarts },
  ageColumn,
  textColumn("IP", "Address of the pod", ["status", "podIP"], { wide: true, missing: "<none>" }),
  textColumn("Node", "Node that runs it", ["spec", "nodeName"], { wide: true, missing: "<none>" }),
  textColumn("Nominated Node", "Node that is being cleared for it", ["status", "nominatedNodeName"], {
    wide: true,
    missing: "<none>",
  }),
  {
    name: "Readiness Gates",
    type: "string",
    description: "Gates that are met, of all",
    wide: true,
    cell: readinessGates,
  },
];
