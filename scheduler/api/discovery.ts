import {
  apiVersionOf,
  type Json,
  type JsonObject,
  type KindDefinition,
  kinds,
  type Subresource,
} from "@shallop/sdk/api";

/** What is served, as clients ask for it: legacy lists, and the aggregated form of apidiscovery.k8s.io. */

/** The Kubernetes version that the API behaves as. `kubectl` dispatchers choose their own version by it. */
export const serverVersion = {
  major: "1",
  minor: "33",
  gitVersion: "v1.33.0+shallop",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "none",
  compiler: "none",
  platform: "linux/amd64",
} as const;

interface GroupVersion {
  readonly group: string;
  readonly version: string;
  readonly kinds: readonly KindDefinition[];
}

/** Groups and versions in the order of the list of kinds. */
export const groupVersions: readonly GroupVersion[] = [
  ...new Set(kinds.map((kind) => apiVersionOf(kind.resource))),
].map((apiVersion) => {
  const ofIt = kinds.filter((kind) => apiVersionOf(kind.resource) === apiVersion);
  const [first] = ofIt;
  return { group: first?.resource.group ?? "", version: first?.resource.version ?? "", kinds: ofIt };
});

export const groupVersionAt = (group: string, version: string): GroupVersion | undefined =>
  groupVersions.find((one) => one.group === group && one.version === version);

const subresourceVerbs: Readonly<Record<Subresource, readonly string[]>> = {
  status: ["get", "patch", "update"],
  log: ["get"],
  exec: ["create", "get"],
  attach: ["create", "get"],
  portforward: ["create", "get"],
  finalize: ["update"],
  resize: ["get", "patch", "update"],
  eviction: ["create"],
};

/** By this kubectl drain knows that it may evict. */
const eviction = { group: "policy", version: "v1", kind: "Eviction" } as const;

/** `GET /api`. */
export const apiVersions: JsonObject = {
  kind: "APIVersions",
  versions: groupVersions.filter(({ group }) => group === "").map(({ version }) => version),
  serverAddressByClientCIDRs: [],
};

/** `GET /apis`. */
export const apiGroupList = (): JsonObject => ({
  kind: "APIGroupList",
  apiVersion: "v1",
  groups: [...new Set(groupVersions.map(({ group }) => group))]
    .filter((group) => group !== "")
    .map((group) => groupEntry(group)),
});

/** `GET /apis/{group}`; undefined when there is none. */
export const apiGroup = (group: string): JsonObject | undefined =>
  group !== "" && groupVersions.some((one) => one.group === group)
    ? { kind: "APIGroup", apiVersion: "v1", ...groupEntry(group) }
    : undefined;

function groupEntry(group: string): JsonObject {
  const versions = groupVersions
    .filter((one) => one.group === group)
    .map(({ version }) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions, preferredVersion: versions[0] ?? null };
}

/** `GET /api/v1`, `GET /apis/{group}/{version}`. */
export const resourceList = ({ group, version, kinds: ofIt }: GroupVersion): JsonObject => ({
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: group === "" ? version : `${group}/${version}`,
  resources: ofIt.flatMap((kind): JsonObject[] => [
    {
      name: kind.resource.plural,
      singularName: kind.singular,
      namespaced: kind.resource.namespaced,
      kind: kind.resource.kind,
      verbs: kind.verbs,
      ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
      ...(kind.categories.length === 0 ? {} : { categories: kind.categories }),
    },
    ...kind.subresources.map((subresource) => ({
      name: `${kind.resource.plural}/${subresource}`,
      singularName: "",
      namespaced: kind.resource.namespaced,
      ...(subresource === "eviction" ? eviction : { kind: kind.resource.kind }),
      verbs: subresourceVerbs[subresource],
    })),
  ]),
});

/** `GET /api` and `GET /apis` in the aggregated form, `apidiscovery.k8s.io/v2` or `v2beta1`. */
export function aggregatedDiscovery(root: "api" | "apis", apiVersion: string): JsonObject {
  const groups = [...new Set(groupVersions.map(({ group }) => group))].filter(
    (group) => (group === "") === (root === "api"),
  );
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion,
    metadata: {},
    items: groups.map((group) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: groupVersions
        .filter((one) => one.group === group)
        .map(({ version, kinds: ofIt }) => ({
          version,
          freshness: "Current",
          resources: ofIt.map(aggregatedResource),
        })),
    })),
  };
}

function aggregatedResource(kind: KindDefinition): JsonObject {
  const { group, version } = kind.resource;
  const responseKind: Json = { group, version, kind: kind.resource.kind };
  return {
    resource: kind.resource.plural,
    responseKind,
    scope: kind.resource.namespaced ? "Namespaced" : "Cluster",
    singularResource: kind.singular,
    verbs: kind.verbs,
    ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
    ...(kind.categories.length === 0 ? {} : { categories: kind.categories }),
    subresources: kind.subresources.map((subresource) => ({
      subresource,
      responseKind: subresource === "eviction" ? eviction : responseKind,
      verbs: subresourceVerbs[subresource],
    })),
  };
}
