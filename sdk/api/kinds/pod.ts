import type { StatusCause } from "../fault.ts";
import {
  dig,
  isJsonList,
  isJsonObject,
  type Json,
  jsonEqual,
  type JsonObject,
  listAt,
  numberAt,
  objectAt,
  textAt,
  withAt,
} from "../json.ts";
import { allVerbs, type FieldDefault, type KindDefinition, type ValidationSettings } from "../kind.ts";
import { pods } from "../resources.ts";
import { duplicate, forbidden, invalid, notSupported, required } from "../validation/cause.ts";
import { validateContainers } from "../validation/containers.ts";
import { checkName } from "../validation/name-rules.ts";
import { podColumns } from "./pod-columns.ts";
import { validatePodDns } from "../validation/pod-dns.ts";

const restartPolicies = ["Always", "OnFailure", "Never"];
const graceSecondsDefault = 30;

// k8s.io/kubernetes/pkg/apis/core/v1/defaults.go.
const containerDefaults = (list: string): readonly FieldDefault[] => [
  [`${list}[].resources`, {}],
  [`${list}[].terminationMessagePath`, "/dev/termination-log"],
  [`${list}[].terminationMessagePolicy`, "File"],
  [`${list}[].ports[].protocol`, "TCP"],
  ...["livenessProbe", "readinessProbe", "startupProbe"].flatMap((probe): readonly FieldDefault[] => [
    [`${list}[].${probe}.timeoutSeconds`, 1],
    [`${list}[].${probe}.periodSeconds`, 10],
    [`${list}[].${probe}.successThreshold`, 1],
    [`${list}[].${probe}.failureThreshold`, 3],
  ]),
];

/** Fetched anew each time unless the tag says that the image does not move. */
function pullPolicy(image: string): string {
  if (image.includes("@")) return "IfNotPresent";
  const tag = image.slice(image.lastIndexOf("/") + 1).split(":")[1];
  return tag === undefined || tag === "latest" ? "Always" : "IfNotPresent";
}

function deriveContainer(container: Json): Json {
  if (!isJsonObject(container)) return container;
  const limits = objectAt(container, "resources", "limits");
  const requests = objectAt(container, "resources", "requests");
  const withPolicy = { imagePullPolicy: pullPolicy(textAt(container, "image") ?? ""), ...container };
  if (Object.keys(limits).length === 0) return withPolicy;
  return withAt(withPolicy, ["resources", "requests"], { ...limits, ...requests });
}

function derive(pod: JsonObject): JsonObject {
  let result = pod;
  for (const list of ["containers", "initContainers"]) {
    const containers = dig(pod, "spec", list);
    if (isJsonList(containers)) result = withAt(result, ["spec", list], containers.map(deriveContainer));
  }
  return result;
}

/** k8s.io/kubernetes/pkg/apis/core/helper/qos: how a pod fares when its node runs short. */
function qosClass(pod: JsonObject): "BestEffort" | "Burstable" | "Guaranteed" {
  const containers = [...listAt(pod, "spec", "containers"), ...listAt(pod, "spec", "initContainers")];
  const amount = (container: Json, list: string, name: string): string | undefined =>
    textAt(container, "resources", list, name);
  const names = ["cpu", "memory"];
  if (containers.every((one) => names.every((name) => amount(one, "requests", name) === undefined))) {
    return "BestEffort";
  }
  const guaranteed = containers.every((one) =>
    names.every(
      (name) =>
        amount(one, "limits", name) !== undefined && amount(one, "limits", name) === amount(one, "requests", name),
    ),
  );
  return guaranteed ? "Guaranteed" : "Burstable";
}

/** The spec without what may be changed in place, for comparison (core/validation ValidatePodUpdate). */
function fixedSpec(pod: JsonObject): JsonObject {
  const { activeDeadlineSeconds: _deadline, tolerations: _tolerations, ...spec } = objectAt(pod, "spec");
  const fixed: Record<string, Json | undefined> = { ...spec };
  for (const list of ["containers", "initContainers"]) {
    fixed[list] = listAt(spec, list).map((container) => {
      const { image: _image, imagePullPolicy: _policy, ...rest } = objectAt(container);
      return rest;
    });
  }
  return fixed;
}

function validateChange(pod: JsonObject, old: JsonObject): StatusCause[] {
  const before = fixedSpec(old);
  // A pod without a node may be bound to one, once.
  const bound =
    textAt(before, "nodeName") === undefined ? { ...before, nodeName: textAt(pod, "spec", "nodeName") } : before;
  if (jsonEqual(fixedSpec(pod), bound)) return [];
  return [
    forbidden(
      "spec",
      "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`," +
        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)," +
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
    ),
  ];
}

function validateVolumes(pod: JsonObject): StatusCause[] {
  const causes: StatusCause[] = [];
  const names = new Set<string>();
  for (const [index, volume] of listAt(pod, "spec", "volumes").entries()) {
    const path = `spec.volumes[${index}].name`;
    const name = textAt(volume, "name") ?? "";
    causes.push(...(name === "" ? [required(path)] : checkName("label-1123", name, path)));
    if (names.has(name)) causes.push(duplicate(path, name));
    names.add(name);
  }
  for (const [index, container] of listAt(pod, "spec", "containers").entries()) {
    for (const [mountIndex, mount] of listAt(container, "volumeMounts").entries()) {
      const path = `spec.containers[${index}].volumeMounts[${mountIndex}]`;
      const name = textAt(mount, "name") ?? "";
      if (!names.has(name)) {
        causes.push({ reason: "FieldValueNotFound", message: `Not found: "${name}"`, field: `${path}.name` });
      }
      if ((textAt(mount, "mountPath") ?? "") === "") causes.push(required(`${path}.mountPath`));
    }
  }
  return causes;
}

const resourcesOf = (pod: JsonObject): Json[] =>
  ["containers", "initContainers"].flatMap((list) =>
    listAt(pod, "spec", list).map((one) => objectAt(one, "resources")),
  );

/** core/validation ValidatePodResize, for cpu and memory: limits stay limits, and the pod's class stays. */
function validateResize(pod: JsonObject, old: JsonObject): StatusCause[] {
  const causes: StatusCause[] = [];
  if (qosClass(pod) !== qosClass(old)) {
    causes.push(invalid("spec", qosClass(pod), "Pod QOS Class may not change as a result of resizing"));
  }
  const before = resourcesOf(old);
  for (const [index, resources] of resourcesOf(pod).entries()) {
    for (const list of ["limits", "requests"]) {
      const [had, has] = [objectAt(before[index], list), objectAt(resources, list)];
      for (const name of new Set([...Object.keys(had), ...Object.keys(has)])) {
        if (jsonEqual(had[name], has[name])) continue;
        const path = `spec.containers[${index}].resources.${list}`;
        if (name !== "cpu" && name !== "memory")
          causes.push(forbidden(path, "only cpu and memory resources are mutable"));
        else if (has[name] === undefined) causes.push(forbidden(path, `resource ${list} cannot be removed`));
      }
    }
  }
  return causes;
}

function validate(pod: JsonObject, old: JsonObject | undefined, { subresource }: ValidationSettings): StatusCause[] {
  const policy = textAt(pod, "spec", "restartPolicy") ?? "Always";
  const graceSeconds = numberAt(pod, "spec", "terminationGracePeriodSeconds") ?? graceSecondsDefault;
  const nodeName = textAt(pod, "spec", "nodeName");
  return [
    ...validateContainers(listAt(pod, "spec", "containers"), "spec.containers"),
    ...(dig(pod, "spec", "initContainers") === undefined
      ? []
      : validateContainers(listAt(pod, "spec", "initContainers"), "spec.initContainers")),
    ...validateVolumes(pod),
    ...validatePodDns(pod),
    ...(restartPolicies.includes(policy) ? [] : [notSupported("spec.restartPolicy", policy, restartPolicies)]),
    ...(graceSeconds >= 0
      ? []
      : [invalid("spec.terminationGracePeriodSeconds", graceSeconds, "must be greater than or equal to 0")]),
    ...(nodeName === undefined ? [] : checkName("subdomain-1123", nodeName, "spec.nodeName")),
    ...(old === undefined ? [] : subresource === "resize" ? validateResize(pod, old) : validateChange(pod, old)),
  ];
}

/** Time for the node to stop it; a pod that no node has, or that has ended, needs none. */
function gracePeriodSeconds(pod: JsonObject): number {
  const phase = textAt(pod, "status", "phase");
  if (textAt(pod, "spec", "nodeName") === undefined || phase === "Succeeded" || phase === "Failed") return 0;
  return numberAt(pod, "spec", "terminationGracePeriodSeconds") ?? graceSecondsDefault;
}

/** core/v1 Pod. */
export const podKind: KindDefinition = {
  resource: pods,
  singular: "pod",
  shortNames: ["po"],
  categories: ["all"],
  description: "Pod is a container, or an instance of a component, that runs on a node.",
  verbs: allVerbs,
  subresources: ["attach", "eviction", "exec", "log", "portforward", "resize", "status"],
  type: "Pod",
  builtin: true,
  nameRule: "subdomain-1123",
  generationOf: ["spec"],
  selectableFields: {
    "spec.nodeName": "",
    "spec.restartPolicy": "",
    "spec.schedulerName": "",
    "spec.serviceAccountName": "",
    "spec.hostNetwork": "false",
    "status.phase": "",
    "status.podIP": "",
    "status.nominatedNodeName": "",
  },
  columns: podColumns,
  defaults: [
    ["spec", {}],
    ["spec.restartPolicy", "Always"],
    ["spec.dnsPolicy", "ClusterFirst"],
    ["spec.schedulerName", "default-scheduler"],
    ["spec.terminationGracePeriodSeconds", graceSecondsDefault],
    ["spec.securityContext", {}],
    ["spec.enableServiceLinks", true],
    ["spec.preemptionPolicy", "PreemptLowerPriority"],
    ["spec.priority", 0],
    ...containerDefaults("spec.containers"),
    ...containerDefaults("spec.initContainers"),
  ],
  derive,
  initialStatus: (pod) => ({ phase: "Pending", qosClass: qosClass(pod) }),
  validate,
  gracePeriodSeconds,
};
