import { ApiFault, type KindDefinition, secretType, secrets, type Subresource, type Verb } from "@shallop/sdk/api";
import { qualifiedResource } from "./faults.ts";
import { gatewayUserName, mastersGroup, nodeNameOf, type User } from "./user.ts";

export interface AccessRequest {
  readonly user: User;
  readonly verb: Verb;
  readonly kind: KindDefinition;
  readonly subresource?: Subresource | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  /** Of a list or a watch. */
  readonly fieldSelector?: string | undefined;
  /** Of a Secret that a node asks for by its name: does a pod of that node use it? */
  readonly isUsed?: () => boolean;
}

/** What a gateway asks for when it asks for secrets: those of a type that it has a use for, never all of a tenant's. */
const gatewaySecrets: ReadonlySet<string> = new Set(Object.values(secretType).map((type) => `type=${type}`));

const reads: ReadonlySet<Verb> = new Set(["get", "list", "watch"]);

/**
 * What a node agent may write, by `resource` or `resource/subresource`. Which objects of them is decided by
 * node-restriction.ts, which sees the object.
 */
const nodeWrites: Readonly<Record<string, readonly Verb[]>> = {
  nodes: ["create", "update", "patch"],
  "nodes/status": ["update", "patch"],
  pods: ["create", "update", "patch", "delete"],
  "pods/status": ["update", "patch"],
  events: ["create", "update", "patch"],
  "revisions.serving.knative.dev/status": ["update", "patch"],
};

/** Says whether the user may do this at all. Pure. */
export function mayAccess(request: AccessRequest): boolean {
  const { user, verb, kind, subresource } = request;
  if (user.groups.includes(mastersGroup)) return true;
  const isNode = nodeNameOf(user) !== undefined;
  if (kind.resource.plural === secrets.plural && kind.resource.group === secrets.group) return maySeeSecrets(request);
  // Logs are what programs of tenants say; only people read them.
  if (reads.has(verb) && subresource !== "log") return isNode || user.name === gatewayUserName;
  if (!isNode) return false;
  const resource = qualifiedResource(kind) + (subresource === undefined ? "" : `/${subresource}`);
  return nodeWrites[resource]?.includes(verb) ?? false;
}

/** A node sees those of its own pods, one by one: a node that is taken over must not have the other tenants' keys. */
const maySeeSecrets = ({ user, verb, fieldSelector, isUsed }: AccessRequest): boolean =>
  nodeNameOf(user) === undefined
    ? user.name === gatewayUserName && reads.has(verb) && gatewaySecrets.has(fieldSelector ?? "")
    : verb === "get" && isUsed?.() === true;

/** @throws ApiFault Forbidden, with apiserver's sentence. */
export function authorize(request: AccessRequest): void {
  if (mayAccess(request)) return;
  const { user, verb, kind, subresource, namespace, name } = request;
  const resource = kind.resource.plural + (subresource === undefined ? "" : `/${subresource}`);
  const scope =
    kind.resource.namespaced && namespace !== undefined ? `in the namespace "${namespace}"` : "at the cluster scope";
  throw new ApiFault(
    "Forbidden",
    `${qualifiedResource(kind)}${name === undefined ? "" : ` "${name}"`} is forbidden: User "${user.name}" cannot ` +
      `${verb} resource "${resource}" in API group "${kind.resource.group}" ${scope}`,
    {
      ...(name === undefined ? {} : { name }),
      ...(kind.resource.group === "" ? {} : { group: kind.resource.group }),
      kind: kind.resource.plural,
    },
  );
}
