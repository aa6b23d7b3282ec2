import { nameColumn, since } from "../columns.ts";
import { type JsonObject, numberAt, textAt } from "../json.ts";
import { allVerbs, type Column, type KindDefinition } from "../kind.ts";
import { events } from "../resources.ts";
import { invalid } from "../validation/cause.ts";

const lastSeen = (object: JsonObject): string | undefined =>
  textAt(object, "series", "lastObservedTime") ??
  textAt(object, "lastTimestamp") ??
  textAt(object, "eventTime") ??
  textAt(object, "metadata", "creationTimestamp");

const firstSeen = (object: JsonObject): string | undefined =>
  textAt(object, "firstTimestamp") ?? textAt(object, "eventTime") ?? textAt(object, "metadata", "creationTimestamp");

const column = (name: string, description: string, cell: Column["cell"], wide = false): Column => ({
  name,
  type: "string",
  description,
  cell,
  ...(wide ? { wide } : {}),
});

/** core/v1 Event: something that happened to an object, with a reason and a sentence. Kept for an hour. */
export const eventKind: KindDefinition = {
  resource: events,
  singular: "event",
  shortNames: ["ev"],
  categories: [],
  description: "Event is a report of something that happened to an object; it is kept for an hour.",
  verbs: allVerbs,
  subresources: [],
  type: "Event",
  builtin: true,
  nameRule: "subdomain-1123",
  generationOf: [],
  selectableFields: {
    "involvedObject.kind": "",
    "involvedObject.namespace": "",
    "involvedObject.name": "",
    "involvedObject.uid": "",
    "involvedObject.apiVersion": "",
    "involvedObject.resourceVersion": "",
    "involvedObject.fieldPath": "",
    reason: "",
    reportingComponent: "",
    source: "",
    type: "",
  },
  columns: [
    column("Last Seen", "Time of the last occurrence", (object, nowMs) => since(lastSeen(object), nowMs)),
    column("Type", "Normal or Warning", (object) => textAt(object, "type") ?? ""),
    column("Reason", "One word for machines", (object) => textAt(object, "reason") ?? ""),
    column(
      "Object",
      "What the event is about",
      (object) =>
        `${(textAt(object, "involvedObject", "kind") ?? "").toLowerCase()}/${textAt(object, "involvedObject", "name") ?? ""}`,
    ),
    column("Subobject", "Part of the object", (object) => textAt(object, "involvedObject", "fieldPath") ?? "", true),
    column(
      "Source",
      "Component that reported it",
      (object) =>
        [
          textAt(object, "source", "component") ?? textAt(object, "reportingComponent"),
          textAt(object, "source", "host") ?? textAt(object, "reportingInstance"),
        ]
          .filter((part) => part !== undefined && part !== "")
          .join(", "),
      true,
    ),
    column("Message", "One sentence for people", (object) => (textAt(object, "message") ?? "").trim()),
    column("First Seen", "Time of the first occurrence", (object, nowMs) => since(firstSeen(object), nowMs), true),
    {
      name: "Count",
      type: "integer",
      description: "How often it occurred",
      wide: true,
      cell: (object) => numberAt(object, "series", "count") ?? numberAt(object, "count") ?? 1,
    },
    { ...nameColumn, wide: true },
  ],
  defaults: [
    ["involvedObject", {}],
    ["source", {}],
    ["type", "Normal"],
  ],
  validate: (object) => {
    const namespace = textAt(object, "metadata", "namespace");
    const about = textAt(object, "involvedObject", "namespace") ?? "";
    // Events about objects without a namespace live in `default`.
    const fits = about === "" ? namespace === "default" || namespace === "kube-system" : about === namespace;
    return fits ? [] : [invalid("involvedObject.namespace", about, "does not match event.namespace")];
  },
};
