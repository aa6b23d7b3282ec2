import { ageColumn, nameColumn, textColumn } from "../columns.ts";
import { objectAt } from "../json.ts";
import type { KindDefinition } from "../kind.ts";
import { secrets } from "../resources.ts";
import { validateSecret, withStringData } from "../validation/secret.ts";
import { networkKind } from "./network-kind.ts";

/** core/v1 Secret: certificates, passwords and keys. */
export const secretKind: KindDefinition = {
  ...networkKind,
  resource: secrets,
  singular: "secret",
  description: "Secret holds secret data, such as a certificate and its key.",
  type: "Secret",
  generationOf: [],
  selectableFields: { type: "" },
  columns: [
    nameColumn,
    textColumn("Type", "What kind of secret it is", ["type"]),
    {
      name: "Data",
      type: "integer",
      description: "How many entries it has",
      cell: (object) => Object.keys(objectAt(object, "data")).length,
    },
    ageColumn,
  ],
  defaults: [["type", "Opaque"]],
  derive: withStringData,
  validate: validateSecret,
};
