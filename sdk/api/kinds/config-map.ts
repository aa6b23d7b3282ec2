import { ageColumn, nameColumn } from "../columns.ts";
import { objectAt } from "../json.ts";
import type { KindDefinition } from "../kind.ts";
import { configMaps } from "../resources.ts";
import { validateConfigMap } from "../validation/config-map.ts";
import { networkKind } from "./network-kind.ts";

/** core/v1 ConfigMap: settings of programs. */
export const configMapKind: KindDefinition = {
  ...networkKind,
  resource: configMaps,
  singular: "configmap",
  shortNames: ["cm"],
  description: "ConfigMap holds configuration data for pods to consume.",
  type: "ConfigMap",
  generationOf: [],
  columns: [
    nameColumn,
    {
      name: "Data",
      type: "integer",
      description: "How many entries it has",
      cell: (object) => Object.keys({ ...objectAt(object, "data"), ...objectAt(object, "binaryData") }).length,
    },
    ageColumn,
  ],
  validate: validateConfigMap,
};
