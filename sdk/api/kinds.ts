import type { KindDefinition } from "./kind.ts";
import { configurationKind } from "./kinds/configuration.ts";
import { eventKind } from "./kinds/event.ts";
import { knativeServiceKind } from "./kinds/knative-service.ts";
import { namespaceKind } from "./kinds/namespace.ts";
import { nodeKind } from "./kinds/node.ts";
import { podKind } from "./kinds/pod.ts";
import { revisionKind } from "./kinds/revision.ts";
import { routeKind } from "./kinds/route.ts";
import type { ApiObject } from "./meta.ts";
import type { Resource } from "./resources.ts";

/** Every kind that the API serves. */
export const kinds: readonly KindDefinition[] = [
  namespaceKind,
  nodeKind,
  podKind,
  eventKind,
  knativeServiceKind,
  configurationKind,
  revisionKind,
  routeKind,
];

const kindsByPath = new Map(
  kinds.map((kind) => [pathOf(kind.resource.group, kind.resource.version, kind.resource.plural), kind]),
);

function pathOf(group: string, version: string, plural: string): string {
  return `${group}/${version}/${plural}`;
}

/** The kind at `/apis/{group}/{version}/{plural}`; undefined when none is served there. */
export const kindAt = (group: string, version: string, plural: string): KindDefinition | undefined =>
  kindsByPath.get(pathOf(group, version, plural));

export const kindOf = (resource: Resource<ApiObject>): KindDefinition | undefined =>
  kindAt(resource.group, resource.version, resource.plural);
