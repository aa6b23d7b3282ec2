import { ApiFault, type KindDefinition, type StatusCause } from "@shallop/sdk/api";

/** The refusals of the API in Kubernetes' own words (k8s.io/apimachinery/pkg/api/errors); clients look for them. */

/** `pods`, `services.serving.knative.dev`. */
export const qualifiedResource = (kind: KindDefinition): string =>
  kind.resource.group === "" ? kind.resource.plural : `${kind.resource.plural}.${kind.resource.group}`;

const qualifiedKind = (kind: KindDefinition): string =>
  kind.resource.group === "" ? kind.resource.kind : `${kind.resource.kind}.${kind.resource.group}`;

const details = (kind: KindDefinition, name: string): { name: string; group?: string; kind: string } => ({
  name,
  ...(kind.resource.group === "" ? {} : { group: kind.resource.group }),
  kind: kind.resource.plural,
});

export const badRequest = (message: string): ApiFault => new ApiFault("BadRequest", message);

export const notFound = (kind: KindDefinition, name: string): ApiFault =>
  new ApiFault("NotFound", `${qualifiedResource(kind)} "${name}" not found`, details(kind, name));

export const alreadyExists = (kind: KindDefinition, name: string): ApiFault =>
  new ApiFault("AlreadyExists", `${qualifiedResource(kind)} "${name}" already exists`, details(kind, name));

export const conflict = (kind: KindDefinition, name: string, why: string): ApiFault =>
  new ApiFault(
    "Conflict",
    `Operation cannot be fulfilled on ${qualifiedResource(kind)} "${name}": ${why}`,
    details(kind, name),
  );

export const staleObject = (kind: KindDefinition, name: string): ApiFault =>
  conflict(kind, name, "the object has been modified; please apply your changes to the latest version and try again");

/** All bad fields of an object at once. */
export function invalidObject(kind: KindDefinition, name: string, causes: readonly StatusCause[]): ApiFault {
  return new ApiFault("Invalid", invalidMessage(qualifiedKind(kind), name, causes), {
    name,
    ...(kind.resource.group === "" ? {} : { group: kind.resource.group }),
    kind: kind.resource.kind,
    causes,
  });
}

/** Bad query parameters, which apimachinery reports as an object of its own. */
export const invalidOptions = (
  options: "ListOptions" | "DeleteOptions" | "PatchOptions",
  causes: readonly StatusCause[],
): ApiFault =>
  new ApiFault("Invalid", invalidMessage(`${options}.meta.k8s.io`, "", causes), {
    group: "meta.k8s.io",
    kind: options,
    causes,
  });

// A message must stay readable, and a Status small; `details.causes` carries the rest.
const causesShownMax = 20;

function invalidMessage(kind: string, name: string, causes: readonly StatusCause[]): string {
  const parts = causes.slice(0, causesShownMax).map((cause) => `${cause.field ?? ""}: ${cause.message}`);
  const more = causes.length > causesShownMax ? `, and ${causes.length - causesShownMax} more` : "";
  const list = causes.length === 1 ? (parts[0] ?? "") : `[${parts.join(", ")}${more}]`;
  return `${kind} "${name}" is invalid: ${list}`;
}

export const forbiddenObject = (kind: KindDefinition, name: string, why: string): ApiFault =>
  new ApiFault(
    "Forbidden",
    `${qualifiedResource(kind)}${name === "" ? "" : ` "${name}"`} is forbidden: ${why}`,
    details(kind, name),
  );

export const expired = (message: string): ApiFault => new ApiFault("Expired", message);

/** A revision that the store has not reached. apimachinery: clients ask again without a version. */
export const tooLargeResourceVersion = (asked: number, current: number): ApiFault =>
  new ApiFault("Timeout", `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });

export const methodNotAllowed = (kind: KindDefinition): ApiFault =>
  new ApiFault("MethodNotAllowed", "the server does not allow this method on the requested resource", {
    ...(kind.resource.group === "" ? {} : { group: kind.resource.group }),
    kind: kind.resource.plural,
  });

const expiredListMessage =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list without " +
  "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. " +
  "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or " +
  "deleted between the time the first chunk was returned and now may show up in the list.";

/** A list whose next page is no longer as the first one was. */
export class ExpiredList extends ApiFault {
  /** Goes on at today's revision. */
  readonly continue: string;

  constructor(continueToken: string) {
    super("Expired", expiredListMessage);
    this.continue = continueToken;
  }
}
