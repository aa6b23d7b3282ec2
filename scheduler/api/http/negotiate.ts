import { ApiFault } from "@shallop/sdk/api";

/** How an answer is to be written. */
export interface Rendering {
  readonly format: "json" | "yaml";
  readonly as: "object" | "table" | "partial";
  /** Of the Table or PartialObjectMetadata. */
  readonly apiVersion: string;
}

const plain: Rendering = { format: "json", as: "object", apiVersion: "" };
// An Accept header has a handful of ranges; each costs a little.
const rangesMax = 32;

interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

/** The media ranges of an Accept header, the preferred first. RFC 9110, section 12.5.1. */
function mediaRanges(accept: string): MediaRange[] {
  return accept
    .split(",", rangesMax)
    .map((range) => {
      const [type = "", ...rest] = range.split(";").map((part) => part.trim());
      const parameters = new Map(
        rest.map((parameter): [string, string] => {
          const [name = "", value = ""] = parameter.split("=", 2);
          return [name.toLowerCase(), value];
        }),
      );
      return { type: type.toLowerCase(), parameters, quality: Number(parameters.get("q") ?? "1") };
    })
    .filter(({ type, quality }) => type !== "" && quality > 0)
    .sort((a, b) => b.quality - a.quality);
}

/**
 * Chooses among JSON, YAML and the forms `as=Table` and `as=PartialObjectMetadata`.
 * @throws ApiFault NotAcceptable
 */
export function negotiate(accept: string | undefined): Rendering {
  if (accept === undefined || accept === "") return plain;
  for (const { type, parameters } of mediaRanges(accept)) {
    const format = type === "application/yaml" ? "yaml" : "json";
    if (!["application/json", "application/yaml", "application/*", "*/*"].includes(type)) continue;
    const as = parameters.get("as");
    if (as === undefined) return { ...plain, format };
    const version = parameters.get("v") ?? "";
    if (parameters.get("g") !== "meta.k8s.io" || (version !== "v1" && version !== "v1beta1")) continue;
    const apiVersion = `meta.k8s.io/${version}`;
    if (as === "Table") return { format, as: "table", apiVersion };
    if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList")
      return { format, as: "partial", apiVersion };
  }
  throw notAcceptable();
}

const notAcceptable = (): ApiFault =>
  new ApiFault("NotAcceptable", "only the following media types are accepted: application/json, application/yaml");

/** Version of apidiscovery.k8s.io that a client can read, the preferred first; undefined: only the legacy lists. */
export function discoveryVersion(accept: string | undefined): "v2" | "v2beta1" | undefined {
  for (const { parameters } of mediaRanges(accept ?? "")) {
    if (parameters.get("as") !== "APIGroupDiscoveryList" || parameters.get("g") !== "apidiscovery.k8s.io") continue;
    const version = parameters.get("v");
    if (version === "v2" || version === "v2beta1") return version;
  }
  return undefined;
}
