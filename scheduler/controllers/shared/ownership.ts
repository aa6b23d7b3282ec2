import { apiVersionOf, type ApiObject, type OwnerReference, type Resource } from "@shallop/sdk/api";

/** A reference to the controller of a dependent (`metav1.NewControllerRef`). */
export const controllerReference = <T extends ApiObject>(resource: Resource<T>, owner: T): OwnerReference => ({
  apiVersion: apiVersionOf(resource),
  kind: resource.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});

/** `owner` controls `object`. */
export const isControlledBy = (object: ApiObject, owner: ApiObject): boolean =>
  object.metadata.ownerReferences?.some(({ uid, controller }) => controller === true && uid === owner.metadata.uid) ===
  true;

// kubectl's own note of what it applied last; on a child it would be a lie.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/** Annotations that a child takes over from its owner. */
export const inheritedAnnotations = ({ metadata }: ApiObject): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => key !== lastApplied));

/** Sets `wanted` over `present`, and takes away what is the owner's to say and not wanted; undefined when that changes nothing. */
export function withEntries(
  present: Readonly<Record<string, string>> = {},
  wanted: Readonly<Record<string, string>>,
  isOwners: (key: string) => boolean = () => false,
): Readonly<Record<string, string>> | undefined {
  const kept = Object.entries(present).filter(([key]) => Object.hasOwn(wanted, key) || !isOwners(key));
  const isSame =
    kept.length === Object.keys(present).length &&
    Object.entries(wanted).every(([key, value]) => present[key] === value);
  return isSame ? undefined : { ...Object.fromEntries(kept), ...wanted };
}
