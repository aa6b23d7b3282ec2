import type { StatusCause } from "../fault.ts";
import { dig, type Json, listAt, numberAt, textAt } from "../json.ts";
import { invalid, forbidden, notSupported } from "./cause.ts";
import { validateContainers } from "./containers.ts";

// knative/serving pkg/apis/serving/v1/revision_validation.go and pkg/apis/serving/k8s_validation.go.

const timeoutSecondsMax = 600;
const containerConcurrencyMax = 1000;
/** Set by the platform in every container (Knative runtime contract, "Process"). */
const reservedVariables = new Set(["PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"]);
/** Ports of Knative's own sidecars; images that avoid them run here and there. */
const reservedPorts = new Set([8012, 8013, 8022, 9090, 9091]);
const portNames = ["", "h2c", "http1"];
/** Parts of a pod that a revision here does not have: refused, since ignoring them would break a promise. */
const absentFields = ["initContainers", "volumes", "nodeSelector", "affinity", "tolerations", "runtimeClassName"];
const absentContainerFields = ["envFrom", "volumeMounts", "volumeDevices", "lifecycle", "stdin", "tty"];

/** Checks the spec of a revision. `path` is where it is: `spec`, or `spec.template.spec`. */
export function validateRevisionSpec(spec: Json, path: string): StatusCause[] {
  const containers = listAt(spec, "containers");
  const concurrency = numberAt(spec, "containerConcurrency") ?? 0;
  const causes: StatusCause[] = validateContainers(containers, `${path}.containers`);
  if (containers.length > 1) {
    causes.push(forbidden(`${path}.containers`, "a revision has one container; sidecars are not supported"));
  }
  if (concurrency < 0 || concurrency > containerConcurrencyMax) {
    const detail = `expected 0 <= containerConcurrency <= ${containerConcurrencyMax}`;
    causes.push(invalid(`${path}.containerConcurrency`, concurrency, detail));
  }
  causes.push(...validateTimeouts(spec, path));
  for (const field of absentFields) {
    if (dig(spec, field) !== undefined) causes.push(forbidden(`${path}.${field}`, "is not supported by revisions"));
  }
  for (const [index, container] of containers.entries()) {
    causes.push(...validateServingContainer(container, `${path}.containers[${index}]`));
  }
  return causes;
}

function validateTimeouts(spec: Json, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const timeoutSeconds = numberAt(spec, "timeoutSeconds");
  const limit = timeoutSeconds ?? timeoutSecondsMax;
  for (const field of ["timeoutSeconds", "responseStartTimeoutSeconds", "idleTimeoutSeconds"]) {
    const seconds = numberAt(spec, field);
    if (seconds === undefined) continue;
    if (seconds < 0 || seconds > timeoutSecondsMax) {
      causes.push(invalid(`${path}.${field}`, seconds, `expected 0 <= ${field} <= ${timeoutSecondsMax}`));
    } else if (field !== "timeoutSeconds" && seconds > limit) {
      causes.push(invalid(`${path}.${field}`, seconds, `must not be more than timeoutSeconds ${limit}`));
    }
  }
  return causes;
}

function validateServingContainer(container: Json, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const field of absentContainerFields) {
    if (dig(container, field) !== undefined)
      causes.push(forbidden(`${path}.${field}`, "is not supported by revisions"));
  }
  for (const [index, variable] of listAt(container, "env").entries()) {
    const name = textAt(variable, "name") ?? "";
    if (reservedVariables.has(name)) {
      causes.push(forbidden(`${path}.env[${index}].name`, `${name} is set by the platform`));
    }
    if (dig(variable, "valueFrom") !== undefined) {
      causes.push(forbidden(`${path}.env[${index}].valueFrom`, "is not supported by revisions; give a value"));
    }
  }
  const ports = listAt(container, "ports");
  if (ports.length > 1) causes.push(forbidden(`${path}.ports`, "a revision listens on one port"));
  for (const [index, port] of ports.entries()) {
    const number = numberAt(port, "containerPort") ?? 0;
    const name = textAt(port, "name") ?? "";
    const protocol = textAt(port, "protocol") ?? "TCP";
    for (const field of ["hostPort", "hostIP"]) {
      if (dig(port, field) !== undefined)
        causes.push(forbidden(`${path}.ports[${index}].${field}`, "is not supported by revisions"));
    }
    if (reservedPorts.has(number)) {
      causes.push(invalid(`${path}.ports[${index}].containerPort`, number, "is reserved by the platform"));
    }
    if (protocol !== "TCP") causes.push(notSupported(`${path}.ports[${index}].protocol`, protocol, ["TCP"]));
    if (!portNames.includes(name)) causes.push(notSupported(`${path}.ports[${index}].name`, name, portNames));
  }
  return causes;
}
