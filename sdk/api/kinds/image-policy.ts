import { ageColumn, nameColumn } from "../columns.ts";
import { dig, type JsonObject, listAt } from "../json.ts";
import type { KindDefinition } from "../kind.ts";
import { imagePolicies } from "../resources.ts";
import { validateImagePolicy } from "../validation/image-policy.ts";
import { networkKind } from "./network-kind.ts";

/** shallop.dev/v1 ImagePolicy: which images may run, for the whole cluster. */
export const imagePolicyKind: KindDefinition = {
  ...networkKind,
  builtin: false,
  resource: imagePolicies,
  singular: "imagepolicy",
  shortNames: ["imgpol"],
  categories: ["shallop"],
  description: "ImagePolicy says which images may run: whose signature, which registries, which kind of variant.",
  type: "ImagePolicy",
  columns: [
    nameColumn,
    {
      name: "Images",
      type: "string",
      description: "What falls under it",
      cell: (object) => textList(object, "images").join(","),
    },
    { name: "Demands", type: "string", description: "What it asks for", cell: (object) => demands(object).join(",") },
    ageColumn,
  ],
  validate: validateImagePolicy,
};

const textList = (object: JsonObject, field: string): readonly string[] =>
  listAt(object, "spec", field).filter((value) => typeof value === "string");

function demands(object: JsonObject): readonly string[] {
  const spec = dig(object, "spec");
  const flags = ["deny", "digestRequired", "wasmOnly", "approveCapabilities"] as const;
  const lists = ["keys", "registries"] as const;
  return [
    ...flags.filter((name) => dig(spec, name) === true),
    ...lists.filter((name) => listAt(spec, name).length > 0),
  ];
}
