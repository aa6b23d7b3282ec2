import { ageColumn, nameColumn, textColumn } from "../columns.ts";
import { type JsonObject, listAt, numberAt } from "../json.ts";
import type { KindDefinition } from "../kind.ts";
import { endpointSlices } from "../resources.ts";
import { checkOneOf, checkPort } from "../validation/hosts.ts";
import { textAt } from "../json.ts";
import { networkKind } from "./network-kind.ts";

const shown = (texts: readonly string[]): string =>
  texts.length === 0
    ? "<unset>"
    : texts.slice(0, 3).join(",") + (texts.length > 3 ? ` + ${texts.length - 3} more...` : "");

const addresses = (object: JsonObject): string =>
  shown(
    listAt(object, "endpoints")
      .flatMap((endpoint) => listAt(endpoint, "addresses"))
      .filter((address) => typeof address === "string"),
  );

/** discovery.k8s.io/v1 EndpointSlice: the pods of a Service, written by the controllers. */
export const endpointSliceKind: KindDefinition = {
  ...networkKind,
  resource: endpointSlices,
  singular: "endpointslice",
  description: "EndpointSlice has the addresses of the pods of a Service.",
  type: "EndpointSlice",
  generationOf: ["endpoints", "ports"],
  columns: [
    nameColumn,
    textColumn("AddressType", "Kind of the addresses", ["addressType"]),
    {
      name: "Ports",
      type: "string",
      description: "Ports of the pods",
      cell: (object) => shown(listAt(object, "ports").map((port) => String(numberAt(port, "port") ?? ""))),
    },
    { name: "Endpoints", type: "string", description: "Addresses of the pods", cell: addresses },
    ageColumn,
  ],
  defaults: [
    ["endpoints", []],
    ["ports[].protocol", "TCP"],
    ["ports[].name", ""],
  ],
  validate: (object) => [
    ...checkOneOf(textAt(object, "addressType") ?? "", "addressType", ["FQDN", "IPv4", "IPv6"]),
    ...listAt(object, "ports").flatMap((port, index) => checkPort(numberAt(port, "port"), `ports[${index}].port`)),
  ],
};
