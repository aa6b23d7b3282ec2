import { ageColumn, conditionOf, nameColumn, textColumn } from "../columns.ts";
import type { StatusCause } from "../fault.ts";
import { type Json, type JsonObject, dig, listAt, textAt, textsAt } from "../json.ts";
import { allVerbs, type Column, type KindDefinition } from "../kind.ts";
import { nodes } from "../resources.ts";
import { notSupported, required } from "../validation/cause.ts";

const taintEffects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

const address = (object: JsonObject, type: string): string =>
  textAt(
    listAt(object, "status", "addresses").find((entry) => textAt(entry, "type") === type),
    "address",
  ) ?? "<none>";

const addressColumn = (name: string, type: string): Column => ({
  name,
  type: "string",
  description: `Address of type ${type}`,
  wide: true,
  cell: (object) => address(object, type),
});

const infoColumn = (name: string, field: string): Column =>
  textColumn(name, `${field} of the node's status`, ["status", "nodeInfo", field], {
    wide: true,
    missing: "<unknown>",
  });

function status(object: JsonObject): string {
  const ready = textAt(conditionOf(object, "Ready"), "status");
  const words = [ready === "True" ? "Ready" : ready === undefined ? "Unknown" : "NotReady"];
  if (dig(object, "spec", "unschedulable") === true) words.push("SchedulingDisabled");
  return words.join(",");
}

function roles(object: JsonObject): string {
  const prefix = "node-role.kubernetes.io/";
  const names = Object.keys(textsAt(object, "metadata", "labels")).filter((key) => key.startsWith(prefix));
  return (
    names
      .map((key) => key.slice(prefix.length))
      .sort()
      .join(",") || "<none>"
  );
}

function validateTaint(taint: Json, index: number): StatusCause[] {
  const path = `spec.taints[${index}]`;
  const effect = textAt(taint, "effect") ?? "";
  return [
    ...((textAt(taint, "key") ?? "") === "" ? [required(`${path}.key`)] : []),
    ...(taintEffects.includes(effect) ? [] : [notSupported(`${path}.effect`, effect, taintEffects)]),
  ];
}

/** core/v1 Node: a machine, or a data directory on one, with an agent that runs pods. */
export const nodeKind: KindDefinition = {
  resource: nodes,
  singular: "node",
  shortNames: ["no"],
  categories: [],
  description: "Node is a worker of the cluster: an agent that pulls images and runs pods.",
  verbs: allVerbs,
  subresources: ["status"],
  type: "Node",
  builtin: true,
  nameRule: "subdomain-1123",
  generationOf: ["spec"],
  selectableFields: { "spec.unschedulable": "false" },
  columns: [
    nameColumn,
    { name: "Status", type: "string", description: "The status of the node", cell: status },
    { name: "Roles", type: "string", description: "The roles of the node", cell: roles },
    ageColumn,
    textColumn("Version", "Version of the node's agent", ["status", "nodeInfo", "kubeletVersion"]),
    addressColumn("Internal-IP", "InternalIP"),
    addressColumn("External-IP", "ExternalIP"),
    infoColumn("OS-Image", "osImage"),
    infoColumn("Kernel-Version", "kernelVersion"),
    infoColumn("Container-Runtime", "containerRuntimeVersion"),
  ],
  defaults: [["spec", {}]],
  statusOnCreate: true,
  validate: (object) => listAt(object, "spec", "taints").flatMap(validateTaint),
};
