import { kindAt, pods, type PodSpec, referencesOf, textAt } from "@shallop/sdk/api";
import { errorCode } from "@shallop/sdk/internal";
import { authorize } from "./authorize.ts";
import { type ContinueToken, decodeContinue, encodeContinue } from "./continue-token.ts";
import { badRequest, ExpiredList, expired, invalidOptions, notFound, tooLargeResourceVersion } from "./faults.ts";
import type { Machinery, ObjectTarget, Target } from "./machinery.ts";
import type { StoredObject } from "./objects.ts";
import { parseSelection, type Selection } from "./selectors.ts";
import type { StoredList } from "../store/store.ts";
import { nodeNameOf, type User } from "./user.ts";

/** @throws ApiFault Forbidden, NotFound */
export function getObject(machinery: Machinery, target: ObjectTarget, user: User): StoredObject {
  const node = nodeNameOf(user);
  const isUsed = node === undefined ? undefined : (): boolean => isUsedOn(machinery, target, node);
  authorize({ user, verb: "get", ...target, ...(isUsed === undefined ? {} : { isUsed }) });
  return existing(machinery, target);
}

/** Does a pod that is bound to this node, and has not ended, name the Secret? */
function isUsedOn({ objects }: Machinery, { namespace, name }: ObjectTarget, node: string): boolean {
  const pod = kindAt(pods.group, pods.version, pods.plural);
  if (pod === undefined || namespace === undefined) return false;
  const { entries } = objects.store.list(objects.prefix(pod, namespace), {});
  return entries.some((entry) => {
    const object = objects.parse(entry);
    const phase = textAt(object, "status", "phase");
    if (textAt(object, "spec", "nodeName") !== node || phase === "Succeeded" || phase === "Failed") return false;
    // Held against its kind when it was written.
    return referencesOf(object["spec"] as unknown as PodSpec).secrets.has(name);
  });
}

/** The object, without asking who wants it. @throws ApiFault NotFound */
export function existing(machinery: Machinery, target: ObjectTarget): StoredObject {
  const object = machinery.objects.get(target.kind, target.namespace, target.name);
  if (object === undefined) throw notFound(target.kind, target.name);
  return object;
}

export interface ListOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: string;
}

export interface ObjectList {
  readonly items: readonly StoredObject[];
  readonly resourceVersion: string;
  readonly continue?: string;
  /** Only without selectors: how many more there are. */
  readonly remainingItemCount?: number;
}

/** Store entries read at a time while a selector drops most of them. */
const pageEntries = 500;

/**
 * Objects of a kind. All pages of a list are as of the first page's revision.
 * @throws ApiFault Forbidden, BadRequest, Invalid, Expired, Timeout (`ResourceVersionTooLarge`)
 */
export function listObjects(machinery: Machinery, target: Target, options: ListOptions, user: User): ObjectList {
  const { objects } = machinery;
  authorize({ user, verb: "list", ...target, fieldSelector: options.fieldSelector });
  validateListOptions(options);
  const selection = parseSelection(target.kind, options.labelSelector ?? "", options.fieldSelector ?? "");
  const prefix = objects.prefix(target.kind, target.namespace);
  const token = options.continue === undefined ? undefined : decodeContinue(options.continue);
  const at = listRevision(machinery, options, token);
  const limit = token === undefined && options.resourceVersion === "0" ? 0 : (options.limit ?? 0);
  if (selection.name !== undefined && at === undefined && token === undefined && target.namespace !== undefined) {
    return listByName(machinery, target, selection);
  }
  const items: StoredObject[] = [];
  let startAfter = token === undefined ? undefined : prefix + token.start;
  let page: StoredList;
  let revision = at;
  do {
    page = readPage(machinery, {
      prefix,
      startAfter,
      at: revision,
      limit: limit === 0 ? undefined : selection.selective ? pageEntries : limit,
    });
    // What follows is read at the same revision, whatever is written meanwhile.
    revision ??= limit === 0 ? undefined : page.revision;
    for (const [index, entry] of page.entries.entries()) {
      startAfter = entry.key;
      const object = objects.parse(entry);
      if (selection.matches(object)) items.push(object);
      if (limit === 0 || items.length < limit) continue;
      const remaining = page.remaining + page.entries.length - 1 - index;
      return cutList(items, page.revision, { start: entry.key.slice(prefix.length), remaining, selection });
    }
  } while (page.remaining > 0);
  return { items, resourceVersion: String(page.revision) };
}

function cutList(
  items: readonly StoredObject[],
  revision: number,
  rest: { readonly start: string; readonly remaining: number; readonly selection: Selection },
): ObjectList {
  const resourceVersion = String(revision);
  if (rest.remaining === 0) return { items, resourceVersion };
  return {
    items,
    resourceVersion,
    continue: encodeContinue({ revision, start: rest.start }),
    ...(rest.selection.selective ? {} : { remainingItemCount: rest.remaining }),
  };
}

/** `metadata.name=x` in a namespace is one key: what `kubectl wait` and every single-object informer ask. */
function listByName(machinery: Machinery, target: Target, selection: Selection): ObjectList {
  const { objects } = machinery;
  const resourceVersion = String(objects.store.head());
  const object = objects.get(target.kind, target.namespace, selection.name ?? "");
  return { items: object !== undefined && selection.matches(object) ? [object] : [], resourceVersion };
}

interface PageRequest {
  readonly prefix: string;
  readonly startAfter: string | undefined;
  readonly at: number | undefined;
  readonly limit: number | undefined;
}

function readPage(machinery: Machinery, { prefix, startAfter, at, limit }: PageRequest): StoredList {
  try {
    return machinery.objects.store.list(prefix, {
      ...(startAfter === undefined ? {} : { startAfter }),
      ...(at === undefined ? {} : { at }),
      ...(limit === undefined ? {} : { limit }),
    });
  } catch (error) {
    const code = errorCode(error);
    if (code === "FUTURE_REVISION") throw tooLargeResourceVersion(at ?? 0, machinery.objects.store.head());
    if (code !== "COMPACTED") throw error;
    if (startAfter === undefined) throw expired(`The resourceVersion for the provided list is too old: ${at ?? 0}`);
    // The client may go on from here, at today's revision, and is told that the pages will not fit together.
    throw new ExpiredList(encodeContinue({ revision: -1, start: startAfter.slice(prefix.length) }));
  }
}

/** The revision at which to read; undefined for now. */
function listRevision(
  machinery: Machinery,
  options: ListOptions,
  token: ContinueToken | undefined,
): number | undefined {
  if (token !== undefined) return token.revision === -1 ? undefined : token.revision;
  const asked = parseResourceVersion(options.resourceVersion);
  if (asked === undefined || asked === 0) return undefined;
  const head = machinery.objects.store.head();
  if (asked > head) throw tooLargeResourceVersion(asked, head);
  return options.resourceVersionMatch === "Exact" ? asked : undefined;
}

/** A resourceVersion as a number; undefined when none is given. @throws ApiFault BadRequest */
export function parseResourceVersion(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (!/^(0|[1-9]\d{0,14})$/.test(text)) throw badRequest(`Invalid value for resourceVersion: "${text}"`);
  return Number(text);
}

function validateListOptions(options: ListOptions): void {
  const { resourceVersionMatch: match, resourceVersion: version = "" } = options;
  if (options.continue !== undefined && version !== "" && version !== "0") {
    throw badRequest("specifying resource version is not allowed when using continue");
  }
  if (match === undefined || match === "") return;
  const refuse = (message: string): never => {
    throw invalidOptions("ListOptions", [
      { reason: "FieldValueForbidden", message: `Forbidden: ${message}`, field: "resourceVersionMatch" },
    ]);
  };
  if (options.continue !== undefined) refuse("resourceVersionMatch is forbidden when continue is provided");
  if (version === "") refuse("resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (match !== "Exact" && match !== "NotOlderThan") {
    throw invalidOptions("ListOptions", [
      {
        reason: "FieldValueNotSupported",
        message: `Unsupported value: "${match}": supported values: "Exact", "NotOlderThan"`,
        field: "resourceVersionMatch",
      },
    ]);
  }
  if (match === "Exact" && version === "0") {
    refuse('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
}
